"""The thread pool and its synchronous twin."""

from __future__ import annotations

import threading

import pytest
from twisted.internet import defer
from twisted.internet.task import Clock
from twisted.python.failure import Failure

from s3daemon.streams.pool import Pool, PoolBusy, PoolStopped, SynchronousPool


class LoopReactor:
    """Collects what threads want to run on the reactor, and runs it when told."""

    def __init__(self) -> None:
        self.calls: list = []
        self.event = threading.Event()
        self.wakes = 0

    def seconds(self) -> float:
        return 0.0

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


class Hanging:
    """A call that hangs until it is let go, and tells when it has begun."""

    def __init__(self) -> None:
        self.begun = threading.Semaphore(0)
        self.go = threading.Event()

    def __call__(self) -> str:
        self.begun.release()
        assert self.go.wait(10)
        return "done"

    def begin(self, pool, times: int) -> list:
        """Have it hang on so many threads."""
        got: list = []
        for _ in range(times):
            pool.ask(self).addBoth(got.append)
        for _ in range(times):
            assert self.begun.acquire(timeout=10)
        return got


@pytest.fixture
def clock():
    return PatientReactor()


class PatientReactor(LoopReactor):
    """A reactor whose time the test moves."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = Clock()
        self.seconds = self.clock.seconds
        self.callLater = self.clock.callLater
        self.advance = self.clock.advance


@pytest.fixture
def patient(clock):
    pool = Pool(clock, 2, "test", patience=30)
    yield pool
    pool.stop()
    assert not clock.clock.getDelayedCalls()


def test_what_no_thread_takes_up_is_refused_in_time(clock, patient):
    hanging = Hanging()
    hung = hanging.begin(patient, 2)
    called: list = []
    early: list = []
    patient.ask(called.append, 1).addBoth(early.append)
    clock.advance(10)
    late: list = []
    patient.ask(called.append, 2).addBoth(late.append)
    clock.advance(20)
    assert [type(one.value) for one in early] == [PoolBusy]
    assert late == []
    assert patient.busy == 3
    hanging.go.set()
    clock.spin(lambda: len(hung) == 2 and late)
    assert hung == ["done", "done"]
    assert called == [2], "what was refused is not called, what waited is"
    assert patient.busy == 0


def test_all_threads_hang(clock, patient):
    """Nobody has to wait any more, until one of them comes back."""
    hanging = Hanging()
    hung = hanging.begin(patient, 2)
    clock.advance(31)
    refused: list = []
    for _ in range(3):
        patient.ask(int, "7").addBoth(refused.append)
    assert [type(one.value) for one in refused] == [PoolBusy] * 3
    kept: list = []
    patient.run(int, "8").addBoth(kept.append)  # what has to be done waits
    hanging.go.set()
    clock.spin(lambda: kept and len(hung) == 2)
    assert kept == [8]
    again: list = []
    patient.ask(int, "9").addBoth(again.append)
    clock.spin(lambda: again)
    assert again == [9]


def test_a_thread_that_is_free_is_enough(clock, patient):
    hanging = Hanging()
    hung = hanging.begin(patient, 1)
    for number in range(5):
        clock.advance(31)
        got: list = []
        patient.ask(int, str(number)).addBoth(got.append)
        clock.spin(lambda got=got: got)
        assert got == [number]
    hanging.go.set()
    clock.spin(lambda: hung)


def test_a_pool_that_was_idle_is_not_taken_for_one_that_hangs(clock, patient):
    clock.advance(1000)
    hanging = Hanging()
    hung = hanging.begin(patient, 2)
    got: list = []
    patient.ask(int, "7").addBoth(got.append)
    hanging.go.set()
    clock.spin(lambda: got and len(hung) == 2)
    assert got == [7]


def test_without_patience_everything_waits(reactor, pool):
    assert result_of(reactor, pool.ask(int, "7")) == 7


def test_a_request_that_is_gone_before_it_is_refused(clock, patient):
    hanging = Hanging()
    hung = hanging.begin(patient, 2)
    asked = patient.ask(int, "7")
    asked.addErrback(lambda failure: failure.trap(defer.CancelledError))
    asked.cancel()
    clock.advance(30)
    hanging.go.set()
    clock.spin(lambda: len(hung) == 2)
    assert patient.busy == 0
