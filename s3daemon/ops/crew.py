"""A worker as its supervisor sees it: a process, its pipes, its lines."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol

from twisted.internet.error import ProcessExitedAlready
from twisted.internet.protocol import ProcessProtocol
from twisted.logger import Logger, LogLevel
from twisted.python.failure import Failure

import s3daemon
from s3daemon.ops import orders
from s3daemon.ops.notifying import SOCKET

#: Bytes of a line of a worker's that are kept at most.
LONGEST = 1 << 16

STDOUT, STDERR = 1, 2


class ISupervisor(Protocol):
    """Who hears what becomes of workers."""

    def ready(self, worker: Worker) -> None:
        """It accepts."""

    def reloaded(self, worker: Worker) -> None:
        """It has read again what may change."""

    def beats(self, worker: Worker) -> None:
        """Its event loop turns."""

    def ended(self, worker: Worker, how: str) -> None:
        """Its process is gone."""


class Worker(ProcessProtocol):
    """One process.

    :ivar number: its place among the others, from 1.
    :ivar pid: of the process; None before there is one, and when there is none any more.
    :ivar serves: it has been ready.
    :ivar since: when that was, by the supervisor's clock.
    :ivar problem: why it could not start, as it says.
    """

    def __init__(self, supervisor: ISupervisor, number: int) -> None:
        self.number = number
        self.pid: int | None = None
        self.serves = False
        self.since = 0.0
        self.problem = ""
        self._supervisor = supervisor
        self._received: dict[int, bytes] = {}
        self._log = Logger(namespace="s3daemon.worker")

    def order(self, what: bytes) -> None:
        """Tell it; nothing happens when it is gone."""
        transport: Any = self.transport
        if transport is not None and self.pid is not None:
            with suppress(KeyError):  # it has closed its end, and will be gone in a moment
                transport.writeToChild(orders.ORDERS, what + b"\n")

    def abort(self) -> None:
        """End it, and have it write where each of its threads stands, as far as it can."""
        self._signal(signal.SIGABRT)

    def kill(self) -> None:
        """End it now."""
        self._signal(signal.SIGKILL)

    def _signal(self, number: int) -> None:
        transport: Any = self.transport
        try:
            transport.signalProcess(number)
        except ProcessExitedAlready:
            return

    # -- ProcessProtocol -----------------------------------------------------------------------

    def connectionMade(self) -> None:
        """There is a process."""
        transport: Any = self.transport
        self.pid = transport.pid

    def childDataReceived(self, childFD: int, data: bytes) -> None:
        """Reports, errors, and its log where that is not written directly."""
        whole, _, rest = (self._received.get(childFD, b"") + data).rpartition(b"\n")
        self._received[childFD] = rest[-LONGEST:]
        for line in whole.split(b"\n") if whole else ():
            self._line(childFD, line)

    def childConnectionLost(self, childFD: int) -> None:
        """It has closed a pipe; how it ends is heard of elsewhere."""

    def processEnded(self, reason: Failure) -> None:
        """It is gone, and all that it wrote was read."""
        for descriptor, rest in self._received.items():
            if rest:
                self._line(descriptor, rest)
        self.pid = None
        self._supervisor.ended(self, how_it_ended(reason))

    def _line(self, descriptor: int, line: bytes) -> None:
        if descriptor == orders.REPORTS:
            self._report(line)
        elif descriptor == STDOUT:
            _log_again(line.decode("utf-8", "replace"))
        elif line.strip():
            # Of the interpreter, or of a library: whatever could not be logged.
            text = line.decode("utf-8", "replace")
            self._log.error("worker={number} {text}", number=self.number, text=text)

    def _report(self, line: bytes) -> None:
        if line == orders.READY:
            self.serves = True
            self._supervisor.ready(self)
        elif line == orders.RELOADED:
            self._supervisor.reloaded(self)
        elif line == orders.PONG:
            self._supervisor.beats(self)
        elif line.startswith(orders.FAILED):
            self.problem = line.removeprefix(orders.FAILED).decode("utf-8", "replace")


def _log_again(line: str) -> None:
    """Hand a line of a worker's log to whatever log the daemon has."""
    # As ops/logformat.py writes it: time, level, name, text.
    parts = line.split(" ", 3)
    if len(parts) == 4 and parts[1] in _LEVELS:
        Logger(namespace=parts[2]).emit(_LEVELS[parts[1]], "{line}", line=parts[3])
    elif line:
        Logger(namespace="s3daemon.worker").error("{line}", line=line)


_LEVELS: Mapping[str, Any] = {level.name: level for level in LogLevel.iterconstants()}


def how_it_ended(reason: Failure) -> str:
    """For people: ``status 1``, ``signal 9``."""
    value: Any = reason.value
    if getattr(value, "signal", None) is not None:
        return f"signal {value.signal}"
    return f"status {getattr(value, 'exitCode', 0) or 0}"


def spawn(
    worker: Worker, start: orders.Start, sockets: Sequence[int], own_log: bool, reactor: Any
) -> None:
    """Start the process of a worker, in a fresh interpreter with the modules that this one has.

    :param sockets: descriptors that listen; they stay open here.
    :param own_log: it writes its log to our standard output; else it comes through a pipe.
    :raises OSError: there can be no more processes.
    """
    descriptors: dict[int, Any] = {
        orders.ORDERS: "w",
        STDOUT: STDOUT if own_log else "r",
        STDERR: "r",
        orders.REPORTS: "r",
    }
    descriptors.update({orders.SOCKETS + n: fd for n, fd in enumerate(sockets)})
    reactor.spawnProcess(
        worker,
        sys.executable,
        # Not from the current directory, which is anybody's.
        [sys.executable, "-P", "-m", "s3daemon.worker"],
        env=environment(os.environ, sys.path),
        childFDs=descriptors,
    )
    worker.order(start.line())


def environment(environ: Mapping[str, str], path: Sequence[str]) -> dict[str, str]:
    """What a worker finds in its environment: the same modules, and no word for systemd."""
    here = str(Path(s3daemon.__file__).parent.parent)
    modules = [here, *(str(Path(entry).absolute()) for entry in path if entry)]
    found = {name: value for name, value in environ.items() if name != SOCKET}
    return {**found, "PYTHONPATH": os.pathsep.join(dict.fromkeys(modules))}
