"""The root has to stay the directory it was, with room, and keep what is written."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from s3daemon.ops.readiness import RootCheck
from s3daemon.store.interfaces import OutOfSpace, Unavailable


def room(monkeypatch: pytest.MonkeyPatch, **what: int) -> None:
    """A file system of so many blocks of 4 KiB."""
    st = {"f_flag": 0, "f_frsize": 4096, "f_bavail": 10**6, "f_files": 0, "f_favail": 0, **what}
    monkeypatch.setattr(os, "statvfs", lambda _: SimpleNamespace(**st))


def test_a_root_that_is_there(tmp_path: Path) -> None:
    health = RootCheck(tmp_path, about={"store": {"locks": "ofd"}})()
    assert health.ready
    assert health.reason == ""
    assert health.facts["store"] == {"locks": "ofd"}
    assert health.facts["now"]["read_only"] is False
    assert isinstance(health.facts["now"]["free_bytes"], int)


def test_a_root_that_is_gone(tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    check = RootCheck(root)
    root.rmdir()
    health = check()
    assert health.reason == "the root: No such file or directory"
    assert health.facts["now"] == {"failed_syncs": 0, "failed_requests": 0}


def test_another_directory_in_its_place(tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    check = RootCheck(root)
    root.rename(tmp_path / "old")
    root.mkdir()
    assert "is it still mounted" in check().reason
    root.rmdir()
    (tmp_path / "old").rename(root)
    assert check().ready


@pytest.mark.parametrize("code", [errno.ESTALE, errno.EIO, errno.ENOTCONN, errno.EACCES])
def test_a_root_that_cannot_be_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    def fails(_: object) -> Any:
        raise OSError(code, os.strerror(code))

    check = RootCheck(tmp_path)
    with monkeypatch.context() as patched:
        patched.setattr(os, "statvfs", fails)
        assert check().reason == f"the root: {os.strerror(code)}"
    assert check().ready


def test_a_sync_that_failed(tmp_path: Path) -> None:
    """One has to succeed after it, whoever has failed meanwhile."""
    failed, tried = 0, 0
    broken = False

    def try_sync() -> None:
        nonlocal failed, tried
        tried += 1
        if broken:
            failed += 1
            raise Unavailable("the device is gone")

    check = RootCheck(tmp_path, 0, lambda: failed, try_sync=try_sync)
    assert check().ready
    assert tried == 0
    failed, broken = 1, True
    for _ in range(2):
        health = check()
        assert health.reason == "what is written does not reach the device: the device is gone"
    broken = False
    assert check().ready
    assert check().ready
    assert (failed, tried) == (3, 3)


def test_a_request_that_found_the_store_failing(tmp_path: Path) -> None:
    met = 0
    broken = True

    def try_sync() -> None:
        if broken:
            error = OSError(errno.EDQUOT, os.strerror(errno.EDQUOT), "a name")
            raise OutOfSpace("a text") from error

    check = RootCheck(tmp_path, troubles=lambda: met, try_sync=try_sync)
    assert check().ready
    met = 1
    for _ in range(2):
        reason = check().reason
        assert reason == "what is written does not reach the device: Disk quota exceeded"
    broken = False
    assert check().ready
    broken = True
    assert check().ready  # until the next request meets it
    met = 2
    assert not check().ready


def test_a_root_that_takes_no_writes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    check = RootCheck(tmp_path)
    room(monkeypatch, f_flag=os.ST_RDONLY)
    assert check().reason == "the root is mounted read-only"
    assert check().facts["now"]["read_only"] is True


@pytest.mark.parametrize(
    ("least", "what", "reason"),
    [
        (4096 * 100, {"f_bavail": 100}, ""),
        (4096 * 100, {"f_bavail": 99}, "396 KiB are free, less than store.min_free = 400 KiB"),
        (64 << 20, {"f_bavail": 0}, "0 bytes are free, less than store.min_free = 64 MiB"),
        (3 << 29, {"f_bavail": 1}, "4 KiB are free, less than store.min_free = 1.5 GiB"),
        (0, {"f_bavail": 0}, ""),
        (1, {"f_files": 1000, "f_favail": 100}, ""),
        (1, {"f_files": 1000, "f_favail": 99}, "99 inodes are free"),
        (1, {"f_files": 0, "f_favail": 0}, ""),  # btrfs
        (1, {"f_files": 2, "f_favail": -1}, ""),  # CephFS
        (1, {"f_files": 2, "f_favail": 2**64 - 1}, ""),
        (0, {"f_files": 1000, "f_favail": 0}, ""),
    ],
)
def test_room(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    least: int,
    what: dict[str, int],
    reason: str,
) -> None:
    check = RootCheck(tmp_path, least)
    room(monkeypatch, **what)
    assert check().reason == reason
    room(monkeypatch)
    assert check().ready
