"""What a daemon of one process does in the place of a supervisor."""

from __future__ import annotations

import signal
from typing import Any

import attrs
from twisted.application.service import Service
from twisted.logger import Logger

from s3daemon.ops.notifying import SERVING, Notify
from s3daemon.ops.signals import Signals


@attrs.define(eq=False)
class Alone(Service):
    """Tells systemd that the daemon serves, and that it ends.

    The last child of the tree: by the time it starts the ports are open, and it is the first to
    hear of the end.
    """

    _notify: Notify
    _reactor: Any  # IReactorCore
    _signals: Signals

    def startService(self) -> None:
        """Call from the main thread."""
        Service.startService(self)
        # Without a handler the signal would end the process.
        self._signals.take({signal.SIGUSR2: self._roll})
        self._reactor.callWhenRunning(self._notify.ready, SERVING)

    def stopService(self) -> None:
        """The end begins."""
        Service.stopService(self)
        self._signals.give_back()
        self._notify.stopping()

    def _roll(self) -> None:
        Logger(namespace="s3daemon.service").warn(
            "SIGUSR2: there are no workers that could take over from each other; set"
            " server.workers to 2 or more, or restart"
        )
