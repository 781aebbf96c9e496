"""A directory to try things in."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from s3daemon.store.posix.durable import Disk
from s3daemon.store.posix.trial import trial
from tests.store.posix.disks import descriptors, tree


@pytest.fixture
def root_fd(tmp_path: Path) -> Iterator[int]:
    fd = os.open(tmp_path, os.O_RDONLY)
    yield fd
    os.close(fd)


def test_nothing_is_left(tmp_path: Path, root_fd: int) -> None:
    before = descriptors()
    with pytest.raises(KeyboardInterrupt):
        with trial(Disk(), tmp_path, root_fd) as tried:
            assert os.path.samefile(tried.path, tried.fd)
            (tried.path / "d").mkdir()
            (tried.path / "d" / "f").touch()
            raise KeyboardInterrupt
    assert tree(tmp_path) == set()
    assert descriptors() == before


class Ended(BaseException):
    """What a handler raises."""


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("number", range(6))
def test_a_signal_at_any_moment(tmp_path: Path, root_fd: int, number: int, after: bool) -> None:
    """Before or after each of the changes of making it and removing it."""
    seen: list[str] = []

    def hook(name: str, call: Any, *args: Any) -> Any:
        seen.append(name)
        now = len(seen) == number + 1
        if now and not after:
            signal.raise_signal(signal.SIGTERM)
        result = call(*args)
        if now and after:
            signal.raise_signal(signal.SIGTERM)
        return result

    def end(*_: object) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        raise Ended

    before = signal.signal(signal.SIGTERM, end)
    try:
        with pytest.raises(Ended):
            with trial(Disk("strict", [hook]), tmp_path, root_fd) as tried:
                (tried.path / "file").touch()
            signal.raise_signal(signal.SIGTERM)  # there are not so many changes
    finally:
        signal.signal(signal.SIGTERM, before)
    assert tree(tmp_path) == set()
    assert signal.SIGTERM not in signal.pthread_sigmask(signal.SIG_BLOCK, [])


def test_what_a_killed_one_left_is_removed_when_it_is_old(tmp_path: Path, root_fd: int) -> None:
    own = tmp_path / ".s3gate"
    for name, hours in (("probe-old", 2), ("probe-new", 0), ("other", 2)):
        (own / name).mkdir(parents=True)
        (own / name / "file").touch()
        stamp = (own / name).stat().st_mtime - hours * 3600
        os.utime(own / name, (stamp, stamp))
    with trial(Disk(), tmp_path, root_fd) as tried:
        assert set(os.listdir(own)) == {"probe-new", "other", tried.path.name}


def test_what_cannot_be_cleared_away_does_not_matter(
    tmp_path: Path, root_fd: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object) -> list[str]:
        raise PermissionError

    with monkeypatch.context() as patched:
        patched.setattr(os, "listdir", refused)
        with trial(Disk(), tmp_path, root_fd) as tried:
            assert tried.path.is_dir()
            patched.undo()
    assert tree(tmp_path) == set()
