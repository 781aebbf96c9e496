"""The janitor: when it sweeps, and that it stops."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.logger import capturedLogs

from s3daemon.ops.janitor import BATCH, CANDIDACY, JITTER, Janitor
from s3daemon.streams.pool import PoolStopped, SynchronousPool

NOW = 10**18


class Expire:
    """Answers from a list, then 0; remembers what it was asked."""

    def __init__(self, *answers: int | Exception) -> None:
        self.answers = list(answers)
        self.asked: list[tuple[int, int]] = []
        self.leftovers_ns = 0
        self.should_stop: Callable[[], bool] = lambda: False

    def __call__(
        self, before_ns: int, limit: int, should_stop: Callable[[], bool], leftovers_ns: int, /
    ) -> int:
        self.leftovers_ns = leftovers_ns
        self.asked.append((before_ns, limit))
        self.should_stop = should_stop
        answer = self.answers.pop(0) if self.answers else 0
        if isinstance(answer, Exception):
            raise answer
        return answer


def started(expire: Expire, pool: Any = None) -> tuple[Janitor, Clock]:
    clock = Clock()
    janitor = Janitor(expire, pool or SynchronousPool(), clock, lambda: NOW, 60.0, 100.0, 5.0)
    janitor.startService()
    return janitor, clock


def test_it_sweeps_after_a_first_delay_and_then_every_interval() -> None:
    expire = Expire()
    _, clock = started(expire)
    clock.advance(4)
    assert expire.asked == []
    clock.advance(1)
    assert expire.asked == [(NOW - 60 * 10**9, BATCH)]
    clock.advance(99)
    assert len(expire.asked) == 1
    clock.advance(1)
    assert len(expire.asked) == 2


def test_leftovers_have_an_age_of_their_own() -> None:
    expire = Expire()
    _, clock = started(expire)
    clock.advance(5)
    assert expire.leftovers_ns == NOW - 86400 * 10**9


def test_uploads_that_never_expire_keep_nobody_from_sweeping() -> None:
    expire = Expire()
    clock = Clock()
    Janitor(expire, SynchronousPool(), clock, lambda: NOW, 0.0, 100.0, 5.0).startService()
    clock.advance(5)
    assert expire.asked == [(0, BATCH)]
    assert expire.leftovers_ns == NOW - 86400 * 10**9


def test_it_goes_on_while_there_is_more() -> None:
    expire = Expire(BATCH, BATCH, 3)
    _, clock = started(expire)
    with capturedLogs() as events:
        clock.advance(5)
    assert len(expire.asked) == 3
    assert [event["total"] for event in events] == [2 * BATCH + 3]


def test_a_sweep_that_fails_is_tried_again() -> None:
    expire = Expire(ZeroDivisionError("hm"), 1)
    _, clock = started(expire)
    with capturedLogs() as events:
        clock.advance(5)
        clock.advance(100)
    assert len(expire.asked) == 2
    assert "failed" in events[0]["log_format"]
    assert events[1]["total"] == 1


def test_nothing_happens_after_the_stop() -> None:
    expire = Expire()
    janitor, clock = started(expire)
    assert janitor.stopService().called
    assert clock.getDelayedCalls() == []
    clock.advance(1000)
    assert expire.asked == []


class Hand:
    """A pool whose jobs end by hand."""

    def __init__(self) -> None:
        self.job: Deferred[Any] = Deferred()

    def run(self, call: Any, /, *args: Any) -> Deferred[Any]:
        call(*args)
        return self.job


@pytest.mark.parametrize("end", [3, BATCH, PoolStopped("x")])
def test_the_stop_waits_for_the_sweep_under_way(end: int | Exception) -> None:
    expire, pool = Expire(), Hand()
    janitor, clock = started(expire, pool)
    clock.advance(5)
    assert not expire.should_stop()
    stopped = janitor.stopService()
    assert expire.should_stop()
    assert not stopped.called
    if isinstance(end, int):
        pool.job.callback(end)
    else:
        pool.job.errback(end)
    assert stopped.called
    assert clock.getDelayedCalls() == []
    assert len(expire.asked) == 1


def test_it_can_be_started_again() -> None:
    expire = Expire()
    janitor, clock = started(expire)
    janitor.stopService()
    janitor.startService()
    clock.advance(5)
    assert len(expire.asked) == 1


# ---------------------------------------------------------------- one of many


def test_only_who_is_elected_sweeps_and_the_others_stand_again_soon() -> None:
    expire, clock, votes = Expire(), Clock(), [False, False, True, True]
    janitor = Janitor(
        expire, SynchronousPool(), clock, lambda: NOW, 60.0, 3600.0, 5.0, lambda: votes.pop(0)
    )
    janitor.startService()
    clock.advance(5)
    clock.advance(CANDIDACY)
    assert expire.asked == []
    with capturedLogs() as events:
        clock.advance(CANDIDACY)
    assert len(expire.asked) == 1
    assert "this process looks" in events[0]["log_format"]
    clock.advance(3599)
    assert votes == [True], "who is in office takes its time"
    with capturedLogs() as events:
        clock.advance(1)
    assert len(expire.asked) == 2
    assert events == [], "said once"


def test_nodes_do_not_sweep_at_the_same_moment() -> None:
    clock = Clock()
    janitor = Janitor(
        Expire(), SynchronousPool(), clock, lambda: NOW, 60.0, 100.0, 5.0, chance=lambda: 0.5
    )
    janitor.startService()
    assert [call.getTime() for call in clock.getDelayedCalls()] == [5 * (1 + JITTER / 2)]
    clock.advance(5 * (1 + JITTER / 2))
    (call,) = clock.getDelayedCalls()
    assert call.getTime() - clock.seconds() == pytest.approx(100 * (1 + JITTER / 2))
