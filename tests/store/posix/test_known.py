"""What was found before is used again, for as long as nothing has changed."""

from __future__ import annotations

import errno
import fcntl
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs
import pytest

import s3daemon
from s3daemon.store.posix import PosixStore, known, mounts, probed, surroundings, syscalls
from s3daemon.store.posix.durable import Disk
from s3daemon.store.posix.known import known as find_out
from s3daemon.store.posix.mounts import Mount
from s3daemon.store.posix.probe import ProbeError, probe
from s3daemon.store.posix.probed import SIDECAR
from tests.store.posix.disks import descriptors, tree

Patch = pytest.MonkeyPatch


@pytest.fixture
def tried(monkeypatch: Patch) -> list[Path]:
    """The roots that were tried anew."""
    roots: list[Path] = []

    def noted(root: Path) -> Any:
        roots.append(root)
        return probe(root)

    monkeypatch.setattr(known, "probe", noted)
    return roots


def change(root: Path, **fields: Any) -> None:
    path = root / ".s3gate/probe.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **fields}))


def refuse(code: int) -> Callable[..., Any]:
    def refused(*_: object, **__: object) -> Any:
        raise OSError(code, os.strerror(code))

    return refused


def test_the_second_time_nothing_is_tried(tmp_path: Path, tried: list[Path]) -> None:
    first = find_out(tmp_path)
    assert tried == [tmp_path]
    before = descriptors()
    assert find_out(tmp_path) == first
    assert PosixStore(tmp_path).probe == first
    assert tried == [tmp_path]
    assert tree(tmp_path) == set()
    assert descriptors() == before + 1  # of the store


def test_what_is_recorded_is_what_counts(tmp_path: Path, tried: list[Path]) -> None:
    find_out(tmp_path)
    change(tmp_path, name_bytes=77)
    assert find_out(tmp_path).name_bytes == 77


@pytest.mark.parametrize(
    ("module", "name", "value"),
    [
        (s3daemon, "__version__", "99"),
        (os, "geteuid", lambda: 12345),
        (os, "uname", lambda: os.uname_result(("Linux", "n", "99.0", "v", "m"))),
        (
            surroundings,
            "mount_of",
            lambda fd: Mount(5, "0:1", "/", "/", "nfs4", "server:/", ("rw", "soft")),
        ),
        (surroundings, "mount_of", lambda fd: None),
        (surroundings, "_BOOT", "/dev/null"),
        (surroundings, "_BOOT", "/nonexistent"),
        (probed, "_GOOD_FOR", 0.0),
    ],
)
def test_something_has_changed(
    tmp_path: Path, tried: list[Path], monkeypatch: Patch, module: Any, name: str, value: Any
) -> None:
    find_out(tmp_path)
    monkeypatch.setattr(module, name, value)
    find_out(tmp_path)
    assert len(tried) == 2


def test_another_directory(tmp_path: Path, tried: list[Path]) -> None:
    """A copy of a root, on another file system perhaps."""
    (tmp_path / "a").mkdir()
    (tmp_path / "b/.s3gate").mkdir(parents=True)
    find_out(tmp_path / "a")
    record = (tmp_path / "a/.s3gate/probe.json").read_bytes()
    (tmp_path / "b/.s3gate/probe.json").write_bytes(record)
    find_out(tmp_path / "b")
    assert tried == [tmp_path / "a", tmp_path / "b"]


def test_a_record_that_nobody_has_dated(tmp_path: Path, tried: list[Path]) -> None:
    """As older versions made them."""
    find_out(tmp_path)
    path = tmp_path / ".s3gate/probe.json"
    fields = json.loads(path.read_text())
    del fields["surroundings"]
    path.write_text(json.dumps(fields))
    find_out(tmp_path)
    assert len(tried) == 2


@pytest.mark.parametrize("days", [2, -2])
def test_an_old_record(tmp_path: Path, tried: list[Path], days: int) -> None:
    find_out(tmp_path)
    path = tmp_path / ".s3gate/probe.json"
    stamp = path.stat().st_mtime - days * 86400
    os.utime(path, (stamp, stamp))
    find_out(tmp_path)
    assert len(tried) == 2


@pytest.mark.parametrize(
    ("module", "name"),
    [
        (os, "fsync"),
        (syscalls, "link"),
        (Disk, "open_temp"),
        (fcntl, "fcntl"),
    ],
)
def test_a_mount_that_looks_the_same_and_is_not(
    tmp_path: Path, tried: list[Path], monkeypatch: Patch, module: Any, name: str
) -> None:
    first = find_out(tmp_path)
    if name == "open_temp" and not first.tmpfile:
        pytest.skip("there are no unnamed files here")
    monkeypatch.setattr(module, name, refuse(errno.EOPNOTSUPP))
    assert find_out(tmp_path) != first
    assert len(tried) == 2
    assert not [name for name in tree(tmp_path) if "/locks/" not in name]


def test_attributes_that_are_gone(tmp_path: Path, monkeypatch: Patch) -> None:
    find_out(tmp_path)
    monkeypatch.setattr(os, "setxattr", refuse(errno.EOPNOTSUPP))
    with pytest.raises(ProbeError, match="does not keep any more"):
        find_out(tmp_path)
    change(tmp_path, metadata=SIDECAR, xattr_bytes=0)
    assert find_out(tmp_path).metadata == SIDECAR


def test_attributes_that_became_shorter(
    tmp_path: Path, tried: list[Path], monkeypatch: Patch
) -> None:
    find_out(tmp_path)
    plain = os.setxattr

    def short(fd: int, name: str, value: bytes) -> None:
        if len(value) > 1000:
            raise OSError(errno.ERANGE, "too long")
        plain(fd, name, value)

    monkeypatch.setattr(os, "setxattr", short)
    assert find_out(tmp_path).xattr_bytes == 1000


def test_attributes_that_are_forgotten(tmp_path: Path, monkeypatch: Patch) -> None:
    find_out(tmp_path)
    monkeypatch.setattr(os, "getxattr", lambda *_: b"")
    with pytest.raises(ProbeError, match="does not give back"):
        find_out(tmp_path)


def test_attributes_that_are_there_by_now(tmp_path: Path, tried: list[Path]) -> None:
    first = find_out(tmp_path)
    change(tmp_path, metadata=SIDECAR, xattr_bytes=0)
    assert find_out(tmp_path) == first
    assert len(tried) == 2


@pytest.mark.parametrize("call", ["mkdir", "create", "set_xattr"])
def test_a_full_file_system_is_served(tmp_path: Path, monkeypatch: Patch, call: str) -> None:
    first = find_out(tmp_path)
    monkeypatch.setattr(Disk, call, refuse(errno.ENOSPC))
    assert find_out(tmp_path) == first


def test_one_that_fails_is_tried_anew(
    tmp_path: Path, tried: list[Path], monkeypatch: Patch
) -> None:
    find_out(tmp_path)
    monkeypatch.setattr(os, "mkdir", refuse(errno.EROFS))
    with pytest.raises(ProbeError, match="Read-only"):
        find_out(tmp_path)
    with pytest.raises(ProbeError, match="does not exist"):
        find_out(tmp_path / "missing")


def test_locks_that_were_not_proved(tmp_path: Path, tried: list[Path]) -> None:
    """The machine may have been too busy for the proof: it is looked for them again."""
    locks = find_out(tmp_path).locks
    change(tmp_path, locks="")
    assert find_out(tmp_path).locks == locks != ""
    assert len(tried) == 2


def test_locks_that_are_gone(tmp_path: Path, tried: list[Path], monkeypatch: Patch) -> None:
    find_out(tmp_path)
    monkeypatch.setattr(fcntl, "fcntl", refuse(errno.EINVAL))
    find_out(tmp_path)
    assert len(tried) == 2


def test_surroundings_are_one_line(tmp_path: Path) -> None:
    fd = os.open(tmp_path, os.O_RDONLY)
    try:
        told = surroundings.surroundings_of(fd)
        mount = mounts.mount_of(fd)
    finally:
        os.close(fd)
    assert mount is not None
    assert mount.kind in told
    assert "\n" not in told
    assert attrs.evolve(mount, number=0) != mount
