"""SIGHUP: read again what may change while the daemon runs.

Without a handler the signal ends the process, which a supervisor may take for a wanted stop.
"""

from __future__ import annotations

import signal
from collections.abc import Callable
from typing import Any

import attrs
from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorFromThreads
from twisted.logger import Logger
from twisted.python.failure import Failure

from s3daemon.auth.users import Directory, User
from s3daemon.streams.pool import IPool
from s3daemon.toml_file import SettingError


@attrs.define(eq=False)
class HangUp(Service):
    """Reads the credentials again when the signal comes; what is wrong in them changes nothing.

    :ivar load: blocking; the users as they are now; None where there is no file.
    """

    _load: Callable[[], tuple[User, ...]] | None
    _directory: Directory
    _pool: IPool
    _reactor: IReactorFromThreads
    _install: Callable[[int, Any], Any] = signal.signal
    _before: Any = None
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

    def reload(self) -> Deferred[None] | None:
        """Read the credentials now."""
        if self._load is None:
            self._log.info("SIGHUP: there is no credentials file to read again")
            return None
        return self._pool.run(self._load).addCallbacks(self._use, self._keep)

    def _use(self, users: tuple[User, ...]) -> None:
        changes = self._directory.replace(users)
        self._log.info(
            "SIGHUP: credentials read again, {changes}",
            changes="; ".join(changes) or "nothing has changed",
        )

    def _keep(self, failure: Failure) -> None:
        if isinstance(failure.value, SettingError):
            self._log.error(
                "SIGHUP: the credentials stay as they were: {problem}", problem=failure.value
            )
        else:
            self._log.failure("SIGHUP: the credentials stay as they were", failure)
