"""The one place where threads live: blocking calls become Deferreds here and nowhere else.

Twisted's own ``deferToThread`` costs a request 85 us, most of it in a team of workers and in waking
the reactor once per result.  :class:`Pool` has a plain queue, and results that are ready together
wake the reactor once.

A job must never wait for a client or for another job of the same pool: then a pool of any size
makes progress.
"""

from __future__ import annotations

import queue
import threading
from collections import deque
from collections.abc import Callable
from typing import Any, ParamSpec, Protocol, TypeVar

from twisted.internet.defer import Deferred, execute
from twisted.internet.interfaces import IReactorFromThreads
from twisted.python.failure import Failure

P = ParamSpec("P")
T = TypeVar("T")

_Job = tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any], "Deferred[Any]"]


class IPool(Protocol):
    """Something that runs blocking calls away from the reactor."""

    def run(self, call: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Deferred[T]:
        """Run it on a thread; the Deferred fires on the reactor's."""


class PoolStopped(Exception):
    """The pool takes no more work: the daemon is stopping."""


class Pool:
    """At most ``size`` threads, started when first needed.

    Jobs that no thread has taken yet are bounded by the number of requests under way, since a
    request has one job at a time.
    """

    def __init__(self, reactor: IReactorFromThreads, size: int, name: str) -> None:
        self._reactor = reactor
        self._size = size
        self._name = name
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
        if self._stopped:
            raise PoolStopped(self._name)
        done: Deferred[T] = Deferred()
        self._busy += 1
        self._jobs.put((call, args, kwargs, done))
        if self._busy > len(self._threads) < self._size:
            thread = threading.Thread(
                target=self._work, name=f"{self._name}-{len(self._threads)}", daemon=True
            )
            self._threads.append(thread)
            thread.start()
        return done

    def stop(self) -> None:
        """Take no more work and end the threads when the work taken is done.

        Threads are daemonic: a call that hangs in a dead file system does not keep the process.
        """
        self._stopped = True
        for _ in self._threads:
            self._jobs.put(None)

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            call, args, kwargs, done = job
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
            del job, call, args, kwargs, done, result

    def _deliver(self) -> None:
        self._wake_sent = False
        while self._results:
            done, result = self._results.popleft()
            self._busy -= 1
            if not done.called:
                done.callback(result)


class SynchronousPool:
    """The pool of tests and of anything that wants determinism: runs the job at once."""

    def run(self, call: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Deferred[T]:
        """Run it here and now."""
        return execute(call, *args, **kwargs)
