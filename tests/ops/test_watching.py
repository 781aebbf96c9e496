"""A file is read again when it changes, and only then."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.task import Clock
from twisted.logger import capturedLogs

from s3daemon.ops.watching import INTERVAL, Watcher
from s3daemon.streams.pool import SynchronousPool


class Watched:
    """A watcher over a value."""

    def __init__(self) -> None:
        self.now: object = "first"
        self.looks = 0
        self.changes = 0
        self.answer: Deferred[None] | None = None
        self.clock = Clock()
        self.watcher = Watcher(self._look, "first", self._changed, SynchronousPool(), self.clock)
        self.watcher.startService()

    def _look(self) -> object:
        self.looks += 1
        return self.now

    def _changed(self) -> Deferred[None]:
        self.changes += 1
        return self.answer or succeed(None)


def test_it_looks_again_and_again() -> None:
    watched = Watched()
    assert watched.looks == 0
    watched.clock.pump([INTERVAL] * 3)
    assert (watched.looks, watched.changes) == (3, 0)


def test_each_change_is_told_once() -> None:
    watched = Watched()
    for now in ("second", "second", None, None, "first"):
        watched.now = now
        watched.clock.advance(INTERVAL)
    assert watched.changes == 3


def test_what_changes_while_it_is_read_is_another_change() -> None:
    watched = Watched()
    watched.answer = Deferred()
    watched.now = "second"
    watched.clock.advance(INTERVAL)
    watched.now = "third"
    watched.clock.pump([INTERVAL] * 3)
    assert (watched.looks, watched.changes) == (1, 1), "the next look waits"
    answer, watched.answer = watched.answer, None
    assert answer is not None
    answer.callback(None)
    watched.clock.advance(INTERVAL)
    assert watched.changes == 2


def test_the_end() -> None:
    watched = Watched()
    watched.watcher.stopService()
    watched.now = "second"
    watched.clock.pump([INTERVAL] * 3)
    assert (watched.looks, watched.changes) == (0, 0)
    assert not watched.clock.getDelayedCalls()


def test_the_end_while_somebody_looks() -> None:
    looking: list[Deferred[Any]] = []

    class Pool:
        def run(self, call: Any) -> Deferred[Any]:
            looking.append(Deferred())
            return looking[-1]

    clock = Clock()
    watcher = Watcher(lambda: None, "first", lambda: fail(AssertionError()), Pool(), clock)
    watcher.startService()
    clock.advance(INTERVAL)
    watcher.stopService()
    looking[0].callback("second")
    assert not clock.getDelayedCalls()


def test_a_bug_is_told() -> None:
    watched = Watched()
    watched.answer = fail(ZeroDivisionError())
    watched.now = "second"
    with capturedLogs() as events:
        watched.clock.advance(INTERVAL)
    (event,) = events
    assert event["log_failure"].check(ZeroDivisionError)
    watched.watcher.stopService()
