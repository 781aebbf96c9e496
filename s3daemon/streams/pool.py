"""The one place where threads live: blocking calls become Deferreds here and nowhere else.

Twisted's own ``deferToThread`` costs a request 85 us, most of it in a team of workers and in waking
the reactor once per result.  :class:`Pool` has a plain queue, and results that are ready together
wake the reactor once.

A job must never wait for a client or for another job of the same pool: then a pool of any size
makes progress, unless the file system hangs.  A call into one that does cannot be taken back, but
what waits for a thread meanwhile can be told so: see :meth:`Pool.ask`.
"""

from __future__ import annotations

import queue
import threading
from collections import deque
from collections.abc import Callable
from typing import Any, ParamSpec, Protocol, TypeVar

from twisted.internet.defer import Deferred, execute, fail
from twisted.internet.interfaces import IDelayedCall, IReactorFromThreads, IReactorTime
from twisted.python.failure import Failure

P = ParamSpec("P")
T = TypeVar("T")

_Call = tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any]]
#: A call is made, or withdrawn, by whoever takes it out of here: list.pop lets only one.
_Ticket = list[_Call]
_Job = tuple[_Ticket, "Deferred[Any]"]


class IPool(Protocol):
    """Something that runs blocking calls away from the reactor."""

    def run(self, call: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Deferred[T]:
        """Run it on a thread; the Deferred fires on the reactor's."""


class IAskedPool(IPool, Protocol):
    """One that can say that it has no time."""

    def ask(self, call: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Deferred[T]:
        """As :meth:`run`; fails with :class:`PoolBusy` if no thread comes to it in time, and then
        it has not been called."""


class PoolStopped(Exception):
    """The pool takes no more work: the daemon is stopping."""


class PoolBusy(Exception):
    """All threads have been busy for too long; the call was not made."""


class IPoolReactor(IReactorFromThreads, IReactorTime):
    """What a pool needs of a reactor."""


class Pool:
    """At most ``size`` threads, started when first needed.

    Jobs that no thread has taken yet are bounded by the number of requests under way, since a
    request has one job at a time.

    :param patience: seconds for which :meth:`ask` lets a job wait for a thread; 0 for ever.
    """

    def __init__(self, reactor: IPoolReactor, size: int, name: str, patience: float = 0) -> None:
        self._reactor = reactor
        self._size = size
        self._name = name
        self._patience = patience
        self._asked: deque[tuple[float, _Ticket, Deferred[Any]]] = deque()
        self._timer: IDelayedCall | None = None
        self._taken_at = 0.0
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._results: deque[tuple[Deferred[Any], Any]] = deque()
        self._wake_sent = False
        self._threads: list[threading.Thread] = []
        self._busy = 0
        self._stopped = False

    @property
    def busy(self) -> int:
        """Jobs that were taken in and whose result has not been delivered."""
        return self._busy

    def run(self, call: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Deferred[T]:
        """Run it on a thread; the Deferred fires on the reactor's.

        Call from the reactor's thread only.  Cancelling the Deferred does not stop the job: its
        result is dropped.
        """
        done, _ = self._put(call, args, kwargs)
        return done

    def ask(self, call: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Deferred[T]:
        """See :meth:`IAskedPool.ask`.

        While every thread has been in one and the same call for longer than the patience, nobody is
        left to wait: a file system that hangs is known to hang.
        """
        if not self._patience:
            return self.run(call, *args, **kwargs)
        now = self._reactor.seconds()
        if self._busy >= self._size and now - self._taken_at > self._patience:
            return fail(PoolBusy(self._name))
        done, ticket = self._put(call, args, kwargs)
        asked = self._asked
        while asked and not asked[0][1]:
            asked.popleft()
        asked.append((now + self._patience, ticket, done))
        if self._timer is None:
            self._timer = self._reactor.callLater(self._patience, self._withdraw)
        return done

    def _withdraw(self) -> None:
        """Give up what has waited for too long."""
        self._timer = None
        now = self._reactor.seconds()
        while self._asked:
            deadline, ticket, done = self._asked[0]
            if ticket and deadline > now:
                self._timer = self._reactor.callLater(deadline - now, self._withdraw)
                return
            self._asked.popleft()
            if _take(ticket) is not None:
                self._busy -= 1
                if not done.called:
                    done.errback(PoolBusy(self._name))

    def _put(
        self, call: Callable[..., T], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[Deferred[T], _Ticket]:
        if self._stopped:
            raise PoolStopped(self._name)
        done: Deferred[T] = Deferred()
        ticket: _Ticket = [(call, args, kwargs)]
        if not self._busy:
            self._taken_at = self._reactor.seconds()
        self._busy += 1
        self._jobs.put((ticket, done))
        if self._busy > len(self._threads) < self._size:
            thread = threading.Thread(
                target=self._work, name=f"{self._name}-{len(self._threads)}", daemon=True
            )
            self._threads.append(thread)
            thread.start()
        return done, ticket

    def stop(self) -> None:
        """Take no more work and end the threads when the work taken is done.

        Threads are daemonic: a call that hangs in a dead file system does not keep the process.
        """
        self._stopped = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        for _ in self._threads:
            self._jobs.put(None)

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            ticket, done = job
            taken = _take(ticket)
            if taken is None:
                continue  # it was withdrawn
            call, args, kwargs = taken
            self._taken_at = self._reactor.seconds()
            result: Any
            try:
                result = call(*args, **kwargs)
            except BaseException:  # noqa: BLE001 - whatever it was, the caller must hear of it
                result = Failure()  # type: ignore[no-untyped-call]
            self._results.append((done, result))
            # Appended first, looked at second; _deliver does it the other way round, so no result
            # is left behind.
            if not self._wake_sent:
                self._wake_sent = True
                self._reactor.callFromThread(self._deliver)
            del job, ticket, taken, call, args, kwargs, done, result

    def _deliver(self) -> None:
        self._wake_sent = False
        while self._results:
            done, result = self._results.popleft()
            self._busy -= 1
            if not done.called:
                done.callback(result)


def _take(ticket: _Ticket) -> _Call | None:
    """The call, which is the caller's from now on; None where somebody has it."""
    try:
        return ticket.pop()
    except IndexError:
        return None


class SynchronousPool:
    """The pool of tests and of anything that wants determinism: runs the job at once."""

    def run(self, call: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Deferred[T]:
        """Run it here and now."""
        return execute(call, *args, **kwargs)

    ask = run
