"""A file that is read again when it changes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs
from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from s3daemon.streams.pool import IPool

#: Seconds between two looks, each of which is one stat(2).
INTERVAL = 1.0


@attrs.define(eq=False)
class Watcher(Service):
    """Looks again and again; says so when what it sees is not what it saw.

    :ivar look: blocking, and does not raise; what is there.
    :ivar seen: what was there before it was read for the first time.
    :ivar changed: has it read again.  The next look waits for it.
    """

    _look: Callable[[], object]
    _seen: object
    _changed: Callable[[], Deferred[None]]
    _pool: IPool
    _clock: IReactorTime
    _loop: LoopingCall = attrs.field(init=False)
    _log: Logger = attrs.field(factory=lambda: Logger(namespace="s3daemon.reload"))

    def startService(self) -> None:
        """Begin to look."""
        Service.startService(self)
        self._loop = LoopingCall(self._once)
        self._loop.clock = self._clock
        self._loop.start(INTERVAL, now=False).addErrback(
            lambda failure: self._log.failure("looks no more for changes", failure)
        )

    def stopService(self) -> None:
        """Look no more."""
        Service.stopService(self)
        if self._loop.running:
            self._loop.stop()

    def _once(self) -> Deferred[Any]:
        return self._pool.run(self._look).addCallback(self._compare)

    def _compare(self, now: object) -> Deferred[None] | None:
        # Remembered before it is read: what changes meanwhile is a change at the next look.
        before, self._seen = self._seen, now
        return None if now == before or not self.running else self._changed()
