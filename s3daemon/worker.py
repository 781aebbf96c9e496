"""One of several processes that serve: ``python -m s3daemon.worker``, which a supervisor starts.

It is given everything on descriptors: orders on 0 (:mod:`s3daemon.ops.orders`), its log on 1, and
sockets that listen already from 4 on; it reports on 3.
"""

from __future__ import annotations

import faulthandler
import os
import signal
import socket
import sys
from pathlib import Path
from typing import Any

from twisted.internet.defer import gatherResults
from twisted.internet.error import ReactorNotRunning
from twisted.internet.interfaces import ITransport
from twisted.internet.protocol import connectionDone
from twisted.internet.stdio import StandardIO
from twisted.logger import Logger, globalLogBeginner
from twisted.protocols.basic import LineOnlyReceiver
from twisted.python.failure import Failure

from s3daemon import config
from s3daemon.ops import logformat, orders
from s3daemon.ops.hangup import HangUp
from s3daemon.ops.listening import CannotStart, Listeners
from s3daemon.ops.root import Root
from s3daemon.store.posix.probe import ProbeError
from s3daemon.toml_file import SettingError, decode


class Link(LineOnlyReceiver):
    """The worker's end of the pipes."""

    delimiter = b"\n"

    def __init__(self, root: Root, reactor: Any) -> None:
        self._root = root
        self._reactor = reactor
        self._stopping = False
        self._log = Logger(namespace="s3daemon.worker", source=self)

    def begin(self, rest: bytes) -> None:
        """Hear and report from now on; the worker serves.

        :param rest: what has been received already.
        """
        # Known to type checkers as Windows has it.
        on_pipes: Any = StandardIO
        on_pipes(self, orders.ORDERS, orders.REPORTS, self._reactor)
        self.report(orders.READY)
        if rest:
            self.dataReceived(rest)

    def lineReceived(self, line: bytes) -> None:
        """An order."""
        if line == orders.PING:
            self.report(orders.PONG)
        elif line == orders.RELOAD:
            hang_up = self._root.getServiceNamed("hang-up")
            assert isinstance(hang_up, HangUp)
            gatherResults(hang_up.reload()).addCallback(lambda _: self.report(orders.RELOADED))
        elif line == orders.RETIRE:
            listeners = self._root.getServiceNamed("listeners")
            assert isinstance(listeners, Listeners)
            listeners.linger = orders.LINGER
            self._stop()
        elif line == orders.STOP:
            self._stop()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """The supervisor is gone, and nobody would replace this worker."""
        if not self._stopping:
            self._log.warn("the supervisor is gone: finishing the requests under way")
            self._stop()

    def ends(self) -> None:
        """The worker stops, whoever wants it; the pipes will be closed."""
        self._stopping = True

    def report(self, what: bytes) -> None:
        """Tell the supervisor."""
        transport: ITransport = self.transport  # type: ignore[assignment]
        transport.write(what + b"\n")

    def _stop(self) -> None:
        self.ends()
        try:
            self._reactor.stop()
        except ReactorNotRunning:
            return  # a signal was quicker


def serve(start: orders.Start, rest: bytes, reactor: Any) -> None:
    """Serve until told otherwise.

    :param rest: orders that came with the first one.
    :raises CannotStart, ProbeError, SettingError: it cannot.
    """
    # A worker that hangs is aborted, and says where.
    faulthandler.enable()
    # Paths in what the supervisor sends are absolute.
    given = config.from_document(decode(start.settings.encode(), "settings"), Path("/"))
    settings = config.freeze(given)
    observer = logformat.of_worker(start.number, settings.server.log_level, 1)
    globalLogBeginner.beginLoggingTo([observer], redirectStandardIO=False)
    _check_root(settings.store.root, start.root)
    # Only now: it is slow to import, and what is wrong above needs none of it.
    from s3daemon.service import build

    sockets = [socket.socket(fileno=orders.SOCKETS + n) for n in range(start.sockets)]
    root = build(settings, reactor, inherited=sockets)
    link = Link(root, reactor)
    root.privilegedStartService()
    root.startService()
    reactor.addSystemEventTrigger("before", "shutdown", link.ends)
    reactor.addSystemEventTrigger("before", "shutdown", root.stopService)
    reactor.callWhenRunning(link.begin, rest)
    reactor.run()


def _check_root(root: Path, expected: tuple[int, int]) -> None:
    """A mount point whose file system is gone is an empty directory, that would take objects.

    :raises CannotStart: another directory is in the place of the root.
    """
    try:
        found = os.stat(root)
    except OSError as error:
        raise CannotStart(f"{root}: {error.strerror}") from error
    if (found.st_dev, found.st_ino) != expected:
        raise CannotStart(
            f"{root} is not the directory it was when the daemon started: is it still mounted?"
        )


def _first_order() -> tuple[orders.Start, bytes]:
    received = b""
    while b"\n" not in received:
        more = os.read(orders.ORDERS, 1 << 16)
        if not more:
            raise EOFError
        received += more
    line, _, rest = received.partition(b"\n")
    return orders.Start.read(line), rest


def main() -> int:
    """Do what the supervisor says; the exit status."""
    # Until there are handlers.  A terminal sends these to all processes of its group.
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    signal.signal(signal.SIGUSR2, signal.SIG_IGN)
    # The supervisor gets this one too, and has all of them stop.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        start, rest = _first_order()
    except (EOFError, ValueError, TypeError, KeyError):
        print("this is started by the daemon: twistd s3gate", file=sys.stderr)
        return 2
    from twisted.internet import reactor

    try:
        serve(start, rest, reactor)
    except (CannotStart, ProbeError, SettingError) as error:
        os.write(orders.REPORTS, orders.failed(error) + b"\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
