"""SIGHUP: read again what may change while the daemon runs.

Without a handler the signal ends the process, which a supervisor may take for a wanted stop.
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import attrs
from twisted.application.service import Service
from twisted.internet.defer import Deferred, DeferredLock, gatherResults
from twisted.internet.interfaces import IReactorFromThreads
from twisted.logger import Logger
from twisted.python.failure import Failure

from s3daemon.ops.notifying import SERVING, Notify
from s3daemon.streams.pool import IPool
from s3daemon.toml_file import SettingError


@attrs.frozen
class Reloadable:
    """Something that may change while the daemon runs.

    :ivar what: its name in the log, a plural.
    :ivar load: blocking; what is there now.  Raises SettingError when it cannot be used.
    :ivar use: takes what was loaded, on the reactor's thread, and tells what has changed.
    """

    what: str
    load: Callable[[], Any]
    use: Callable[[Any], Sequence[str]]


@attrs.define(eq=False)
class HangUp(Service):
    """Reads everything again when the signal comes; each for itself, and what is wrong in one
    changes nothing of it.

    :ivar notify: who is told when it begins and when it has ended.
    """

    _reloads: Sequence[Reloadable]
    _pool: IPool
    _reactor: IReactorFromThreads
    _install: Callable[[int, Any], Any] = signal.signal
    _before: Any = None
    notify: Notify | None = None
    _locks: dict[Reloadable, DeferredLock] = attrs.field(factory=dict)
    _log: Logger = attrs.field(factory=lambda: Logger(namespace="s3daemon.reload"))

    def startService(self) -> None:
        """Take the signal.  Call from the main thread."""
        Service.startService(self)
        self._before = self._install(signal.SIGHUP, self._signalled)

    def stopService(self) -> None:
        """Give the signal back."""
        Service.stopService(self)
        self._install(signal.SIGHUP, self._before)

    def _signalled(self, number: int, frame: object) -> None:
        # A handler may run between any two instructions: the work is for the reactor.
        self._reactor.callFromThread(self.reload)

    def reload(self) -> list[Deferred[None]]:
        """Read everything now; one Deferred for each thing that is read."""
        if not self._reloads:
            self._log.info("SIGHUP: there is nothing to read again, no credentials and no keys")
        if self.notify is not None:
            self.notify.reloading()
        reading = [self.read(one, "SIGHUP") for one in self._reloads]
        if self.notify is not None:
            ready = partial(self.notify.ready, SERVING)
            gatherResults(reading).addCallback(lambda _: ready())
        return reading

    def read(self, one: Reloadable, why: str) -> Deferred[None]:
        """Read one of them now, or after it was read: else the older of two readings might count.

        :param why: for the log.
        """
        lock = self._locks.setdefault(one, DeferredLock())
        return lock.run(self._read, one, why)

    def _read(self, one: Reloadable, why: str) -> Deferred[None]:
        loaded = self._pool.run(one.load)
        return loaded.addCallback(self._use, one, why).addErrback(self._keep, one, why)

    def _use(self, found: Any, one: Reloadable, why: str) -> None:
        changes = one.use(found)
        self._log.info(
            "{why}: {what} read again, {changes}",
            why=why,
            what=one.what,
            changes="; ".join(changes) or "nothing has changed",
        )

    def _keep(self, failure: Failure, one: Reloadable, why: str) -> None:
        if isinstance(failure.value, SettingError):
            self._log.error(
                "{why}: the {what} stay as they were: {problem}",
                why=why,
                what=one.what,
                problem=failure.value,
            )
        else:
            self._log.failure(
                "{why}: the {what} stay as they were", failure, why=why, what=one.what
            )
