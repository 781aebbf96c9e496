"""What is said of a file system when a gateway starts."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import attrs
import pytest

from s3daemon.store.posix import concerns as module
from s3daemon.store.posix.concerns import concerns
from s3daemon.store.posix.mounts import Mount
from s3daemon.store.posix.probe import probe
from s3daemon.store.posix.probed import SIDECAR, Probe
from tests.store.posix.disks import descriptors, tree

Patch = pytest.MonkeyPatch
PLAIN = Mount(1, "8:1", "/", "/srv", "ext4", "/dev/sdb1", ("rw", "relatime"))


@pytest.fixture
def found(tmp_path: Path, monkeypatch: Patch) -> Probe:
    monkeypatch.setattr(module, "mount_of", lambda fd: PLAIN)
    return probe(tmp_path)


def test_nothing_to_be_said(tmp_path: Path, found: Probe) -> None:
    before = descriptors()
    assert list(concerns(tmp_path, found)) == []
    assert tree(tmp_path) == set()
    assert descriptors() == before


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"dir_sync": False}, "does not sync directories"),
        ({"case_folding": True}, "folds case"),
        ({"unicode_folding": True}, "folds Unicode"),
        ({"name_bytes": 143}, "names have 143 bytes at most"),
        ({"metadata": SIDECAR}, "no extended attributes"),
    ],
)
def test_what_the_probe_found(
    tmp_path: Path, found: Probe, change: dict[str, Any], says: str
) -> None:
    (said,) = concerns(tmp_path, attrs.evolve(found, **change))
    assert says in said


@pytest.mark.parametrize(
    ("mount", "says"),
    [
        (attrs.evolve(PLAIN, options=("rw", "nobarrier")), "mount option nobarrier: nobarrier: "),
        (attrs.evolve(PLAIN, kind="tmpfs"), "mount type: tmpfs, /dev/sdb1 on /srv: everything is"),
        (None, "options cannot be judged"),
    ],
)
def test_the_mount(
    tmp_path: Path, found: Probe, monkeypatch: Patch, mount: Mount | None, says: str
) -> None:
    monkeypatch.setattr(module, "mount_of", lambda fd: mount)
    (said,) = concerns(tmp_path, found)
    assert says in said


@pytest.mark.parametrize(
    ("skew", "says"),
    [
        (None, ""),
        (0.0, ""),
        (-999.0, ""),
        (1500.0, "is 1.5 seconds ahead of this machine's"),
        (-61_000.0, "is 61.0 seconds behind this machine's"),
    ],
)
def test_the_clock(
    tmp_path: Path, found: Probe, monkeypatch: Patch, skew: float | None, says: str
) -> None:
    monkeypatch.setattr(module, "skew_ms", lambda disk, fd: skew)
    said = list(concerns(tmp_path, found))
    assert len(said) == bool(says)
    assert says in "".join(said)


def test_a_root_for_everybody(tmp_path: Path, found: Probe) -> None:
    tmp_path.chmod(0o777)
    (said,) = concerns(tmp_path, found)
    assert "chmod o-w" in said


def test_a_root_that_is_gone(tmp_path: Path, found: Probe) -> None:
    os.rename(tmp_path, f"{tmp_path}-gone")
    with pytest.raises(FileNotFoundError):
        list(concerns(tmp_path, found))
