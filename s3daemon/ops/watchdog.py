"""Signs of life for systemd, which restarts a service that gives none.

Source: sd_watchdog_enabled(3): ``WATCHDOG_USEC`` is how long the service may be silent, and
``WATCHDOG_PID`` who is meant.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

import attrs
from twisted.application.service import Service
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall

from s3daemon.ops.notifying import Notify


def silence(environ: Mapping[str, str], pid: int) -> float | None:
    """Seconds that systemd waits for a sign of life of this process; None when it does not."""
    usec = environ.get("WATCHDOG_USEC", "")
    if not usec.isascii() or not usec.isdecimal() or not int(usec):
        return None
    if environ.get("WATCHDOG_PID", str(pid)) != str(pid):
        return None
    return int(usec) / 1_000_000


@attrs.define(eq=False)
class Watchdog(Service):
    """Says twice in that time that the event loop turns.

    It says nothing about the file system.  A restart does not bring back one that hangs, and costs
    those requests that do not need it; a load balancer learns of it from ``/readyz``.
    """

    _notify: Notify
    _reactor: IReactorTime
    _silence: float
    _loop: LoopingCall | None = None

    @classmethod
    def of(
        cls, notify: Notify, reactor: IReactorTime, environ: Mapping[str, str] = os.environ
    ) -> Watchdog | None:
        """As the environment asks for; None when nobody watches."""
        seconds = silence(environ, os.getpid())
        return None if seconds is None else cls(notify, reactor, seconds)

    def startService(self) -> None:
        """Begin."""
        Service.startService(self)
        self._loop = LoopingCall(self._notify.alive)
        self._loop.clock = self._reactor
        self._loop.start(self._silence / 2, now=False)

    def stopService(self) -> None:
        """The service stops, which systemd gives a time of its own."""
        Service.stopService(self)
        if self._loop is not None:
            self._loop.stop()
            self._loop = None
