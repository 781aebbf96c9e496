"""The root has to stay the directory it was."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace

import pytest

from s3daemon.ops.readiness import RootCheck
from s3daemon.store.interfaces import ReadOnly, Unavailable


def test_a_root_that_is_there(tmp_path: Path) -> None:
    RootCheck(tmp_path)()


def test_a_root_that_is_gone(tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    check = RootCheck(root)
    root.rmdir()
    with pytest.raises(Unavailable, match="No such file"):
        check()


def test_another_directory_in_its_place(tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    check = RootCheck(root)
    root.rename(tmp_path / "old")
    root.mkdir()
    with pytest.raises(Unavailable, match="is it still mounted"):
        check()


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

    check = RootCheck(tmp_path, lambda: failed, try_sync)
    check()
    assert tried == 0
    failed, broken = 1, True
    for _ in range(2):
        with pytest.raises(Unavailable, match="the device is gone"):
            check()
    broken = False
    check()
    check()
    assert (failed, tried) == (3, 3)


def test_a_root_that_takes_no_writes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    check = RootCheck(tmp_path)
    monkeypatch.setattr(os, "statvfs", lambda _: SimpleNamespace(f_flag=os.ST_RDONLY))
    with pytest.raises(ReadOnly):
        check()
