"""The thread pool and its synchronous twin."""

from __future__ import annotations

import threading

import pytest
from twisted.internet import defer
from twisted.python.failure import Failure

from s3daemon.streams.pool import Pool, PoolStopped, SynchronousPool


class LoopReactor:
    """Collects what threads want to run on the reactor, and runs it when told."""

    def __init__(self) -> None:
        self.calls: list = []
        self.event = threading.Event()
        self.wakes = 0

    def callFromThread(self, call, *args):
        self.wakes += 1
        self.calls.append((call, args))
        self.event.set()

    def spin(self, until) -> None:
        while not until():
            assert self.event.wait(10), "no thread reported within ten seconds"
            self.event.clear()
            while self.calls:
                call, args = self.calls.pop(0)
                call(*args)


@pytest.fixture
def reactor():
    return LoopReactor()


@pytest.fixture
def pool(reactor):
    pool = Pool(reactor, 2, "test")
    yield pool
    pool.stop()


def result_of(reactor, deferred: defer.Deferred):
    got: list = []
    deferred.addBoth(got.append)
    reactor.spin(lambda: got)
    return got[0]


def test_result_and_arguments(reactor, pool):
    assert result_of(reactor, pool.run(divmod, 7, 2)) == (3, 1)
    assert result_of(reactor, pool.run(int, "ff", base=16)) == 255


def test_failure_reaches_the_caller(reactor, pool):
    got = result_of(reactor, pool.run(int, "x"))
    assert isinstance(got, Failure)
    assert got.check(ValueError)


def test_runs_on_other_threads_and_never_more_than_size(reactor, pool):
    barrier = threading.Barrier(2, timeout=10)

    def meet() -> int:
        barrier.wait()
        return threading.get_ident()

    idents: list = []
    for _ in range(4):
        pool.run(meet).addCallback(idents.append)
    reactor.spin(lambda: len(idents) == 4)
    assert threading.get_ident() not in idents
    assert len(set(idents)) == 2


def test_results_that_are_ready_together_wake_the_reactor_once(reactor, pool):
    gate = threading.Event()
    got: list = []
    pool.run(gate.wait).addCallback(got.append)
    for n in range(50):
        pool.run(abs, -n).addCallback(got.append)
    # the second thread has done its fifty before the reactor looks
    last = threading.Event()
    pool.run(last.set).addCallback(got.append)
    assert last.wait(10)
    gate.set()
    reactor.spin(lambda: len(got) == 52)
    assert reactor.wakes <= 4
    assert pool.busy == 0


def test_cancelled_result_is_dropped(reactor, pool):
    gate = threading.Event()
    first = pool.run(gate.wait, 10)
    first.addErrback(lambda _: None)
    first.cancel()
    gate.set()
    assert result_of(reactor, pool.run(abs, -1)) == 1
    reactor.spin(lambda: pool.busy == 0)


def test_stopped_pool_refuses(reactor):
    pool = Pool(reactor, 1, "test")
    pool.stop()
    with pytest.raises(PoolStopped):
        pool.run(abs, 1)


def test_synchronous_twin():
    got: list = []
    SynchronousPool().run(divmod, 7, 2).addCallback(got.append)
    assert got == [(3, 1)]
    SynchronousPool().run(int, "x").addErrback(lambda f: got.append(f.type))
    assert got[1] is ValueError
