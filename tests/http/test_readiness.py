"""One look at a time, and an answer in time."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from s3daemon.http.readiness import WITHIN, Readiness
from s3daemon.store.health import Health
from s3daemon.streams.pool import PoolStopped, SynchronousPool

BAD = Health("it is gone")


class Held:
    """A pool whose jobs end when told."""

    def __init__(self) -> None:
        self.jobs: list[Deferred[Any]] = []

    def run(self, call: Any, *args: Any, **kwargs: Any) -> Deferred[Any]:
        self.jobs.append(Deferred())
        return self.jobs[-1]


def got(asked: Deferred[Health]) -> list[Health]:
    found: list[Health] = []
    asked.addCallback(found.append)
    return found


def test_an_answer_at_once() -> None:
    clock = Clock()
    readiness = Readiness(lambda: BAD, SynchronousPool(), clock)
    for _ in range(2):
        assert got(readiness.ask()) == [BAD]
    assert clock.getDelayedCalls() == []


def test_who_asks_meanwhile_waits_for_the_same_look() -> None:
    pool, clock = Held(), Clock()
    readiness = Readiness(lambda: BAD, pool, clock)
    first, second = got(readiness.ask()), got(readiness.ask())
    assert len(pool.jobs) == 1
    assert first == second == []
    pool.jobs[0].callback(BAD)
    assert first == second == [BAD]
    assert clock.getDelayedCalls() == []
    readiness.ask()
    assert len(pool.jobs) == 2


def test_a_look_that_hangs_takes_one_thread() -> None:
    pool, clock = Held(), Clock()
    readiness = Readiness(lambda: BAD, pool, clock)
    first = got(readiness.ask())
    clock.advance(WITHIN - 1)
    late = got(readiness.ask())
    clock.advance(1)
    for answers in (first, late):
        assert [health.ready for health in answers] == [False]
        assert "not answered" in answers[0].reason
    for _ in range(100):
        assert got(readiness.ask()) == first
    assert len(pool.jobs) == 1
    assert clock.getDelayedCalls() == []
    # It comes back in the end; and then there is another look.
    pool.jobs[0].callback(Health())
    asked = got(readiness.ask())
    assert len(pool.jobs) == 2
    pool.jobs[1].callback(Health())
    assert asked == [Health()]


def test_a_bug_is_not_an_answer() -> None:
    def bug() -> Health:
        raise ZeroDivisionError

    readiness = Readiness(bug, SynchronousPool(), Clock())
    failures: list[Any] = []
    readiness.ask().addErrback(failures.append)
    assert failures[0].check(ZeroDivisionError)
    readiness.ask().addErrback(failures.append)
    assert len(failures) == 2


def test_a_daemon_that_stops() -> None:
    class Stopped:
        def run(self, call: Any, *args: Any) -> Deferred[Any]:
            raise PoolStopped("small")

    readiness = Readiness(Health, Stopped(), Clock())
    for _ in range(2):
        (health,) = got(readiness.ask())
        assert health.reason == "the daemon is stopping"
