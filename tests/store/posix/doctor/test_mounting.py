"""What is said of a mount."""

from __future__ import annotations

import pytest

from s3daemon.store.posix.doctor.findings import Verdict, worst
from s3daemon.store.posix.doctor.mounting import concerns, describe
from s3daemon.store.posix.mounts import Mount


def mount(kind: str, *options: str) -> Mount:
    return Mount(1, "8:1", "/", "/srv", kind, "source", options)


@pytest.mark.parametrize(
    ("kind", "option", "says"),
    [
        ("ext4", "nobarrier", "power cut"),
        ("ext4", "barrier=0", "power cut"),
        ("overlay", "volatile", "power cut"),
        ("ext4", "errors=continue", "errors=remount-ro"),
        ("nfs", "soft", "mount with hard"),
        ("nfs4", "nolock", 'store.locks = "none"'),
        ("nfs", "local_lock=all", 'store.locks = "none"'),
        ("lustre", "localflock", 'store.locks = "none"'),
        ("lustre", "noflock", "mount with flock"),
        ("xfs", "sync", "waits for the device"),
        ("ext4", "strictatime", "every read"),
        ("nfs4", "rw", "noac"),
    ],
)
def test_options_that_matter(kind: str, option: str, says: str) -> None:
    found = dict(concerns(mount(kind, "rw", option)))
    assert any(says in means for means in found.values())
    assert worst(list(describe(mount(kind, "rw", option)))) is Verdict.WARN


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("ext4", ["rw", "relatime", "errors=remount-ro", "barrier=1", "data=ordered"]),
        ("xfs", ["rw", "noatime", "inode64", "nolock"]),
        ("nfs4", ["rw", "hard", "noac", "lookupcache=none", "local_lock=none"]),
        ("fuse.juicefs", ["rw", "soft", "user_id=0"]),
    ],
)
def test_options_that_are_right(kind: str, options: list[str]) -> None:
    assert list(concerns(mount(kind, *options))) == []
    assert worst(list(describe(mount(kind, *options)))) is Verdict.OK


def test_types() -> None:
    def means(kind: str) -> str:
        return next(describe(mount(kind))).means

    assert "gone when this machine ends" in means("tmpfs")
    assert "container" in means("overlay")
    assert "--peer" in means("ceph")
    assert "alone" in means("xfs")


def test_an_unknown_mount() -> None:
    (found,) = describe(None)
    assert found.verdict is Verdict.WARN
