"""Uploads that nobody goes on with are forgotten after a while."""

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


class Expire(Protocol):
    """:meth:`s3daemon.store.interfaces.IUploads.expire`."""

    def __call__(self, before_ns: int, limit: int, should_stop: Callable[[], bool], /) -> int:
        """Forget what nobody has touched since; how many there were."""


@attrs.define(eq=False)
class Janitor(Service):
    """Calls ``expire`` in the pool, first after ``first`` seconds, then every ``interval``.

    Many gateways sweep one store: expiring what another has expired is no error there.

    :ivar expiry: seconds after which an upload is forgotten.
    """

    _expire: Expire
    _pool: IPool
    _clock: IReactorTime
    _now_ns: Callable[[], int]
    expiry: float
    interval: float
    first: float
    _timer: IDelayedCall | None = None
    _sweeping: Deferred[None] | None = None
    _stopping: bool = False
    _log: Logger = attrs.field(factory=lambda: Logger(namespace="s3daemon.janitor"))

    def startService(self) -> None:
        """Begin to wait for the first sweep."""
        Service.startService(self)
        self._stopping = False
        self._timer = self._clock.callLater(self.first, self._begin)

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
            self._timer = self._clock.callLater(self.interval, self._begin)

    async def _sweep(self) -> None:
        before_ns = self._now_ns() - int(self.expiry * 1e9)
        total = 0
        try:
            while not self._stopping:
                done = await self._pool.run(self._expire, before_ns, BATCH, lambda: self._stopping)
                total += done
                if done < BATCH:
                    break
        except PoolStopped:
            return
        except Exception:  # noqa: BLE001 - a sweep that fails is logged, and the next one tries again
            self._log.failure("the sweep for forgotten uploads failed")
        if total:
            self._log.info("forgot {total} uploads that nobody went on with", total=total)
