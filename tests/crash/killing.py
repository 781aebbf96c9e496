"""Processes that are killed in the middle of a request."""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import attrs

from tests.crash.forker import Job
from tests.crash.scenes import Told

ROOT = Path(__file__).parent.parent.parent


class Broken(Exception):
    """A child has failed in a way that no scene knows of."""


@attrs.define
class Child:
    """A process that plays a scene.

    :ivar told: what it has been told, as far as it has said so.
    :ivar done: how the request ended, once it has; None: nobody knows.
    :ivar changes: how many changes it took.
    """

    _talk: socket.socket
    _pidfd: int
    told: Told = attrs.field(factory=dict)
    done: str | None = None
    changes: int = 0
    _lines: list[bytes] = attrs.field(factory=list)
    _rest: bytes = b""

    def wait(self) -> None:
        """Until it is gone.  :raises Broken:"""
        while self._hear() is not None:
            pass
        if self._pidfd >= 0:
            gone = select.poll()  # select(2) knows small descriptors only
            gone.register(self._pidfd, select.POLLIN)
            gone.poll()  # all it held is let go of

    def wait_until_it_stands(self) -> bool:
        """Until it waits before a change; False if it is gone instead.  :raises Broken:"""
        while (said := self._hear()) is not None:
            if "at" in said:
                return True
        return False

    def wait_until_it_waits(self) -> None:
        """Until it waits for somebody, or is gone.  :raises Broken:"""
        while (said := self._hear()) is not None:
            if "waits" in said:
                return

    def go_on(self) -> None:
        """It has waited long enough."""
        self._talk.sendall(b"x")

    def kill(self) -> None:
        """Now."""
        if self._pidfd >= 0:
            with suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._pidfd, signal.SIGKILL)
        self.wait()

    def close(self) -> None:
        """Let go; it must be gone."""
        self._talk.close()
        if self._pidfd >= 0:
            os.close(self._pidfd)

    def _hear(self) -> dict[str, Any] | None:
        while b"\n" not in self._rest:
            data = self._talk.recv(65536)
            if not data:
                return None
            self._rest += data
        line, _, self._rest = self._rest.partition(b"\n")
        said: dict[str, Any] = json.loads(line)
        if "broken" in said:
            raise Broken(said["broken"])
        self.told = said.get("told", self.told)
        self.done = said.get("done", self.done)
        self.changes = said.get("changes", self.changes)
        return said


class Forker:
    """Where children come from: see :mod:`tests.crash.forker`."""

    def __init__(self) -> None:
        self._ask, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            number = theirs.fileno()
            command = [sys.executable, "-m", "tests.crash.forker", str(number)]
            self._process = subprocess.Popen(command, cwd=ROOT, pass_fds=[number])

    @contextmanager
    def child(self, job: Job) -> Iterator[Child]:
        """A child that does this; killed at the end, if it is still there."""
        mine, theirs = socket.socketpair()
        with theirs:
            socket.send_fds(self._ask, [job.dump()], [theirs.fileno()])
        pid = int(self._ask.recv(100))
        try:
            pidfd = os.pidfd_open(pid)
        except ProcessLookupError:
            pidfd = -1  # done already
        child = Child(mine, pidfd)
        try:
            yield child
        finally:
            try:
                child.kill()
            finally:
                child.close()

    def play(self, job: Job) -> Child:
        """A child that has done this, and is gone."""
        with self.child(job) as child:
            child.wait()
        return child

    def close(self) -> None:
        """No more children."""
        self._ask.close()
        self._process.wait()
