"""Empty directories that nobody needs are swept, and no others."""

from __future__ import annotations

import errno
import os
import time
from pathlib import Path

import pytest

from s3daemon.store.posix.hollow import Hollow
from s3daemon.store.posix.records import ATTRIBUTE
from s3daemon.store.posix.store import PosixStore
from tests.store.posix.disks import descriptors
from tests.store.tools import begin, put

FUTURE = 1 << 62
IMPLICIT = b'{"v":1,"implicit":true}'


def leave(root: Path, path: str) -> None:
    """Make directories as a writer does that dies then."""
    at = root / "bucket"
    for name in path.split("/"):
        at = at / name
        if not at.exists():
            at.mkdir()
            os.setxattr(at, ATTRIBUTE, IMPLICIT)


def sweep(
    store: PosixStore,
    hollow: Hollow,
    before_ns: int = FUTURE,
    limit: int = 1000,
    stop: bool = False,
) -> int:
    """One round."""
    with store._volume.bucket("bucket") as bucket:
        return hollow.sweep(store._volume, bucket, before_ns, limit, lambda: stop)


def directories(root: Path) -> list[str]:
    """All directories in the bucket but the gateway's own."""
    found = [path for path in (root / "bucket").rglob("*") if path.is_dir()]
    names = [str(path.relative_to(root / "bucket")) for path in found]
    return sorted(name for name in names if ".s3gate" not in name.split("/"))


@pytest.mark.parametrize("path", ["a", "a/b/c/d", ".s3gate%d+/x", "a/.s3gate%d+b"])
def test_what_was_left_goes(disk_store: PosixStore, root: Path, path: str) -> None:
    put(disk_store, "bucket", "kept/k", b"1")
    leave(root, path)
    before = descriptors()
    assert sweep(disk_store, Hollow()) > 0
    assert directories(root) == ["kept"]
    assert descriptors() == before


def test_what_is_needed_stays(disk_store: PosixStore, root: Path) -> None:
    put(disk_store, "bucket", "a/b/k", b"1")
    put(disk_store, "bucket", "folder/")
    put(disk_store, "bucket", "deep/folder/")
    (root / "bucket" / "foreign").mkdir()
    (root / "bucket" / "foreign" / "below").mkdir()
    disk_store.buckets.create("bucket:within", "alice")
    leave(root, "busy")
    (root / "bucket" / "busy" / "link").symlink_to("nowhere")
    before = directories(root)
    assert sweep(disk_store, Hollow()) == 0
    assert directories(root) == before


def test_what_is_young_may_be_in_use(disk_store: PosixStore, root: Path) -> None:
    leave(root, "a/b")
    assert sweep(disk_store, Hollow(), before_ns=time.time_ns() - 10**10) == 0
    assert directories(root) == ["a", "a/b"]


def test_a_directory_that_served_as_a_bucket(disk_store: PosixStore, root: Path) -> None:
    leave(root, "a")
    upload = begin(disk_store, "bucket:a", "k")
    assert sweep(disk_store, Hollow()) == 0
    disk_store.uploads.abort("bucket:a", "k", upload.upload_id)
    assert sweep(disk_store, Hollow()) == 1
    assert "a" not in directories(root)


def test_an_escaped_name_without_a_record_is_a_gateways(disk_store: PosixStore, root: Path) -> None:
    (root / "bucket" / (".s3gate%D+" + "0" * 64)).mkdir()
    assert sweep(disk_store, Hollow()) == 1
    assert directories(root) == []


@pytest.mark.parametrize("most", [1, 2, 3, 7])
def test_each_round_goes_on_where_the_last_one_ended(
    disk_store: PosixStore, root: Path, most: int
) -> None:
    for number in range(3):
        put(disk_store, "bucket", f"full{number}/a/b/k", b"1")
        leave(root, f"full{number}/a/c")
        leave(root, f"left{number}/a/b")
    hollow = Hollow(most=most)
    for _ in range(60):
        sweep(disk_store, hollow)
    assert [name for name in directories(root) if "left" in name or "c" in name] == []
    assert len(directories(root)) == 9


def test_once_a_day(disk_store: PosixStore, root: Path) -> None:
    hollow = Hollow()
    sweep(disk_store, hollow)
    leave(root, "a")
    assert sweep(disk_store, hollow) == 0
    assert sweep(disk_store, Hollow(interval_ns=0)) == 1


def test_no_more_than_the_limit_and_not_when_told_to_stop(
    disk_store: PosixStore, root: Path
) -> None:
    for number in range(5):
        leave(root, f"left{number}")
    hollow = Hollow()
    assert sweep(disk_store, hollow, stop=True) == 1
    assert sweep(disk_store, hollow, limit=2) == 2
    assert len(directories(root)) == 2
    assert sweep(disk_store, hollow) == 2


def test_what_cannot_be_read_does_not_keep_the_rest(
    disk_store: PosixStore, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    leave(root, "a")
    leave(root, "b")
    leave(root, "c")
    real = os.scandir
    (bad,) = (path.stat().st_ino for path in (root / "bucket").glob("b"))

    def scandir(fd: int) -> object:
        if isinstance(fd, int) and os.fstat(fd).st_ino == bad:
            raise OSError(errno.EIO, "no")
        return real(fd)

    monkeypatch.setattr("s3daemon.store.posix.hollow.os.scandir", scandir)
    with pytest.raises(OSError, match="no"):
        sweep(disk_store, Hollow())
    assert directories(root) == ["b"]


def test_the_janitor_sweeps_them(disk_store: PosixStore, root: Path) -> None:
    leave(root, "a/b")
    disk_store.uploads.expire(0, leftovers_ns=FUTURE)
    assert directories(root) == []
