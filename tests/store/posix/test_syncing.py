"""Syncs that are shared: by whom, and what becomes of those who wait when one fails."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from threading import Event, Semaphore
from typing import Any

import pytest

from s3daemon.store.posix import syncing
from s3daemon.store.posix.syncing import Syncs

#: Seconds after which a test that hangs has failed.
PATIENCE = 30


class Scene:
    """Threads that want a directory synced, and a disk that takes its time.

    :ivar synced: the descriptors that were synced, in order.
    """

    def __init__(self, pool: ThreadPoolExecutor) -> None:
        self._pool = pool
        self._waiting = Semaphore(0)
        self._begun = Semaphore(0)
        self._go: list[BaseException | None] = []
        self._may = Semaphore(0)
        self.synced: list[int] = []
        scene = self

        class Seen(Event):
            def wait(self, timeout: float | None = None) -> bool:
                scene._waiting.release()
                return super().wait(PATIENCE)

        self.syncs = Syncs(Seen)

    def _sync(self, fd: int) -> None:
        self.synced.append(fd)
        self._begun.release()
        assert self._may.acquire(timeout=PATIENCE)
        error = self._go.pop(0)
        if error is not None:
            raise error

    def begins(self, fd: int) -> Future[None]:
        """A thread comes, and its sync begins."""
        future = self._pool.submit(self.syncs.together, self._sync, fd)
        self.has_begun()
        return future

    def has_begun(self) -> None:
        """Wait for the next sync to begin."""
        assert self._begun.acquire(timeout=PATIENCE)

    def waits(self, fd: int) -> Future[None]:
        """A thread comes, and has to wait for another."""
        future = self._pool.submit(self.syncs.together, self._sync, fd)
        assert self._waiting.acquire(timeout=PATIENCE)
        return future

    def ends(self, error: BaseException | None = None) -> None:
        """Let a sync that has begun end."""
        self._go.append(error)
        self._may.release()


@pytest.fixture
def scene(monkeypatch: pytest.MonkeyPatch) -> Iterator[Scene]:
    """A pool of its own, and one sync of a directory at a time."""
    monkeypatch.setattr(syncing, "_AT_ONCE", 1)
    with ThreadPoolExecutor(16) as pool:
        yield Scene(pool)


@pytest.fixture
def fds(tmp_path: Path) -> Iterator[list[int]]:
    """Several descriptors of one directory."""
    opened = [os.open(tmp_path, os.O_RDONLY) for _ in range(4)]
    yield opened
    for fd in opened:
        os.close(fd)


def done(*futures: Future[None]) -> list[Any]:
    """Errors of threads that have ended, or None."""
    return [future.exception(PATIENCE) for future in futures]


def test_one_alone(scene: Scene, fds: list[int]) -> None:
    for _ in range(2):
        first = scene.begins(fds[0])
        scene.ends()
        assert done(first) == [None]
    assert scene.synced == [fds[0], fds[0]]
    assert not scene.syncs._directories


def test_who_comes_meanwhile_waits_for_the_next_one(scene: Scene, fds: list[int]) -> None:
    """A sync that has begun may have passed by what they changed."""
    first = scene.begins(fds[0])
    others = [scene.waits(fd) for fd in fds[1:]]
    scene.ends()
    assert done(first) == [None]
    scene.has_begun()
    assert not any(other.done() for other in others)
    third = scene.waits(fds[0])
    scene.ends()
    assert done(*others) == [None, None, None]
    scene.has_begun()
    assert not third.done()
    scene.ends()
    assert done(third) == [None]
    assert scene.synced == [fds[0], fds[1], fds[0]]
    assert scene.syncs.failed == 0
    assert not scene.syncs._directories


def test_some_run_at_once(scene: Scene, fds: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(syncing, "_AT_ONCE", 2)
    first, second = scene.begins(fds[0]), scene.begins(fds[1])
    third, fourth = scene.waits(fds[2]), scene.waits(fds[3])
    scene.ends()
    scene.has_begun()
    scene.ends()
    scene.ends()
    assert done(first, second, third, fourth) == [None] * 4
    assert scene.synced == fds[:3]
    assert not scene.syncs._directories


def test_one_of_those_that_run_fails(
    scene: Scene, fds: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those that run are told by the kernel, those that wait are not."""
    monkeypatch.setattr(syncing, "_AT_ONCE", 2)
    first, second = scene.begins(fds[0]), scene.begins(fds[1])
    third, fourth = scene.waits(fds[2]), scene.waits(fds[3])
    scene.ends(OSError(errno.EIO, "broken"))
    errors = done(third, fourth)
    assert [error.errno for error in errors] == [errno.EIO] * 2
    scene.ends()
    assert sorted(map(str, done(first, second))) == ["None", "[Errno 5] broken"]
    assert scene.synced == fds[:2]
    assert not scene.syncs._directories


def test_a_failure_between_a_turn_and_the_sync(
    scene: Scene, fds: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """One sync ends well and lets the waiting round begin; another fails before it has."""
    monkeypatch.setattr(syncing, "_AT_ONCE", 2)
    first, second = scene.begins(fds[0]), scene.begins(fds[1])
    begin, ended = scene.syncs._begin, Event()

    def late(*args: Any) -> None:
        scene.ends(OSError(errno.EIO, "broken"))
        assert ended.wait(PATIENCE)
        begin(*args)

    monkeypatch.setattr(scene.syncs, "_begin", late)
    second.add_done_callback(lambda _: first.done() and ended.set())
    first.add_done_callback(lambda _: second.done() and ended.set())
    third = scene.waits(fds[2])
    scene.ends()
    [error] = done(third)
    assert error.errno == errno.EIO
    assert sorted(map(str, done(first, second))) == ["None", "[Errno 5] broken"]
    assert scene.synced == fds[:2]
    assert not scene.syncs._directories


def test_directories_do_not_wait_for_each_other(
    scene: Scene, fds: list[int], tmp_path: Path
) -> None:
    (tmp_path / "below").mkdir()
    other = os.open(tmp_path / "below", os.O_RDONLY)
    first, second = scene.begins(fds[0]), scene.begins(other)
    scene.ends()
    scene.ends()
    assert done(first, second) == [None, None]
    os.close(other)


def test_a_failure_is_everybodys_who_had_changed_something(scene: Scene, fds: list[int]) -> None:
    first = scene.begins(fds[0])
    others = [scene.waits(fd) for fd in fds[1:]]
    scene.ends(OSError(errno.EIO, "broken"))
    errors = done(first, *others)
    assert [error.errno for error in errors] == [errno.EIO] * 4
    assert len({id(error) for error in errors}) == 4
    # It was one sync, and it was not tried again.
    assert scene.synced == [fds[0]]
    assert scene.syncs.failed == 1
    assert not scene.syncs._directories


def test_nothing_is_shared_after_a_failure(scene: Scene, fds: list[int]) -> None:
    """The kernel tells each open file of an error once: so each asks by its own."""
    first = scene.begins(fds[0])
    scene.ends(OSError(errno.EIO, "broken"))
    done(first)
    second, third = scene.begins(fds[1]), scene.begins(fds[2])
    scene.ends(OSError(errno.EIO, "broken"))
    scene.ends()
    assert sorted(map(str, done(second, third))) == ["None", "[Errno 5] broken"]
    assert scene.syncs.failed == 2


def test_the_second_round_may_fail_too(scene: Scene, fds: list[int]) -> None:
    first = scene.begins(fds[0])
    second, third = scene.waits(fds[1]), scene.waits(fds[2])
    scene.ends()
    scene.has_begun()
    scene.ends(OSError(errno.ENOSPC, "full"))
    errors = done(first, second, third)
    assert errors[0] is None
    assert [error.errno for error in errors[1:]] == [errno.ENOSPC] * 2


def test_a_leader_that_is_broken_off_tells_nobody_that_all_is_well(
    scene: Scene, fds: list[int]
) -> None:
    first = scene.begins(fds[0])
    second = scene.waits(fds[1])
    scene.ends(ValueError("a bug"))
    errors = done(first, second)
    assert str(errors[0]) == "a bug"
    assert errors[1].errno == errno.EIO


def test_many_failures(
    scene: Scene, fds: list[int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What cannot be remembered is not shared either."""
    monkeypatch.setattr(syncing, "_MOST_FAILED", 0)
    (tmp_path / "below").mkdir()
    other = os.open(tmp_path / "below", os.O_RDONLY)
    first = scene.begins(other)
    scene.ends(OSError(errno.EIO, "broken"))
    done(first)
    second, third = scene.begins(fds[0]), scene.begins(fds[1])
    scene.ends()
    scene.ends()
    assert done(second, third) == [None, None]
    os.close(other)


def test_threads_and_a_real_directory(tmp_path: Path) -> None:
    """Every change is followed by the beginning of a sync that has succeeded before it returns."""
    syncs = Syncs()
    fd = os.open(tmp_path, os.O_RDONLY)
    counts = [0, 0]

    def sync(fd: int) -> None:
        counts[0] += 1
        os.fsync(fd)

    def change(number: int) -> bool:
        (tmp_path / str(number)).touch()
        before = counts[0]
        syncs.together(sync, fd)
        return counts[0] > before

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(change, range(400)))
    assert counts[0] <= 400
    assert not syncs._directories
    os.close(fd)
