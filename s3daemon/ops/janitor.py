"""Uploads that nobody goes on with are forgotten after a while.

Any number of processes may serve a root; one of them is elected to sweep it, through the file
system.  Another one is elected when that one is gone.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import attrs
from twisted.application.service import Service
from twisted.internet.defer import Deferred, ensureDeferred, succeed
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from s3daemon.streams.pool import IPool, PoolStopped

#: Removals in one job; then the thread looks whether it is to stop.
BATCH = 1000

#: Seconds after which what lies about is taken for what a crash has left: no request takes as long.
LEFTOVERS = 86400.0

#: Seconds after which somebody who was not elected stands again, at most.
CANDIDACY = 60.0

#: How much longer than asked for a wait may be, so that many nodes do not sweep at the same moment.
JITTER = 0.1


class Expire(Protocol):
    """:meth:`s3daemon.store.interfaces.IUploads.expire`."""

    def __call__(
        self, before_ns: int, limit: int, should_stop: Callable[[], bool], leftovers_ns: int, /
    ) -> int:
        """Forget uploads that nobody has touched since; how many there were.  And leftovers."""


@attrs.define(eq=False)
class Janitor(Service):
    """Calls ``expire`` in the pool, first after ``first`` seconds, then every ``interval``.

    Where there are several janitors all the same, because the file system carries no locks between
    nodes, expiring what another has expired is no error.

    :ivar expiry: seconds after which an upload is forgotten; 0: never.
    :ivar elected: blocking; whether it is this process that is to sweep.  None: nobody else does.
    :ivar chance: a number from 0 to 1, another one each time.
    """

    _expire: Expire
    _pool: IPool
    _clock: IReactorTime
    _now_ns: Callable[[], int]
    expiry: float
    interval: float
    first: float
    elected: Callable[[], bool] | None = None
    chance: Callable[[], float] = lambda: 0.0
    _in_office: bool = False
    _timer: IDelayedCall | None = None
    _sweeping: Deferred[None] | None = None
    _stopping: bool = False
    _log: Logger = attrs.field(factory=lambda: Logger(namespace="s3daemon.janitor"))

    def startService(self) -> None:
        """Begin to wait for the first sweep."""
        Service.startService(self)
        self._stopping = False
        self._wait(self.first)

    def stopService(self) -> Deferred[None]:
        """Sweep no more; fires when the sweep under way has stopped."""
        Service.stopService(self)
        self._stopping = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._sweeping is None:
            return succeed(None)
        stopped: Deferred[None] = Deferred()
        self._sweeping.addCallback(stopped.callback)
        return stopped

    def _begin(self) -> None:
        self._timer = None
        sweeping = self._sweeping = ensureDeferred(self._sweep())
        sweeping.addCallback(self._done)

    def _done(self, _: None) -> None:
        self._sweeping = None
        if not self._stopping:
            sweeps = self.elected is None or self._in_office
            self._wait(self.interval if sweeps else min(self.interval, CANDIDACY))

    def _wait(self, seconds: float) -> None:
        self._timer = self._clock.callLater(seconds * (1 + JITTER * self.chance()), self._begin)

    async def _sweep(self) -> None:
        now_ns = self._now_ns()
        before_ns = now_ns - int(self.expiry * 1e9) if self.expiry else 0
        leftovers_ns = now_ns - int(LEFTOVERS * 1e9)
        total = 0
        try:
            if self.elected is not None and not await self._stand(self.elected):
                return
            while not self._stopping:
                done = await self._pool.run(
                    self._expire, before_ns, BATCH, lambda: self._stopping, leftovers_ns
                )
                total += done
                if done < BATCH:
                    break
        except PoolStopped:
            return
        except Exception:  # noqa: BLE001 - a sweep that fails is logged, and the next one tries again
            self._log.failure("the sweep for forgotten uploads failed")
        if total:
            self._log.info("forgot {total} uploads that nobody went on with", total=total)

    async def _stand(self, elected: Callable[[], bool]) -> bool:
        before, self._in_office = self._in_office, await self._pool.run(elected)
        if self._in_office and not before:
            self._log.info("this process looks for forgotten uploads")
        return self._in_office
