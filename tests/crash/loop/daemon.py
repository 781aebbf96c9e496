"""The real daemon, which is killed and started again on the same port."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_REPOSITORY = Path(__file__).parents[3]
_SETTINGS = """
[server]
listen = ["tcp:{port}:interface=127.0.0.1"]
workers = {workers}
[store]
root = "{root}"
durability = "{durability}"
[auth]
mode = "simple"
[limits]
min_part_size = "0B"
"""
_TWISTD = "from twisted.scripts.twistd import run; run()"
#: Seconds that a start may take on a machine with other things to do.
_PATIENCE = 120
_SERVES = re.compile(r"worker \d+ serves, pid \d+")


class Daemon:
    """A daemon over a root.

    :param folder: for its settings and its log.
    :param workers: how many processes serve; with more than one there is a supervisor.
    """

    def __init__(self, folder: Path, root: Path, workers: int, durability: str = "strict") -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self._folder = folder
        self._settings = folder / "s3gate.toml"
        self._settings.write_text(
            _SETTINGS.format(port=self.port, workers=workers, root=root, durability=durability)
        )
        self._workers = workers
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> float:
        """Start it, with all of its workers; seconds until one had answered the first request."""
        began, before = time.monotonic(), self._serving()
        with (self._folder / "daemon.log").open("ab") as log:
            self._process = subprocess.Popen(
                [
                    *(sys.executable, "-c", _TWISTD, "--nodaemon", "--pidfile="),
                    *("s3gate", "--config", str(self._settings)),
                ],
                cwd=_REPOSITORY,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        while not self._answers():
            assert self._process.poll() is None, f"it ended: {self.said()}"
            assert time.monotonic() < began + _PATIENCE, f"it does not answer: {self.said()}"
            time.sleep(0.01)
        ready = time.monotonic() - began
        while self._workers > 1 and self._serving() < before + self._workers:
            # If one ends before that, the supervisor takes it that none can start.
            assert self._process.poll() is None, f"it ended: {self.said()}"
            assert time.monotonic() < began + _PATIENCE, f"not all serve: {self.said()}"
            time.sleep(0.01)
        return ready

    def _serving(self) -> int:
        """How many workers have begun to serve, in all of its lives."""
        log = self._folder / "daemon.log"
        return len(_SERVES.findall(log.read_text())) if log.exists() else 0

    def _answers(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=_PATIENCE) as client:
                client.sendall(b"GET /healthz HTTP/1.0\r\n\r\n")
                return client.recv(1) != b""
        except OSError:
            return False

    def said(self) -> str:
        """The end of its log."""
        return (self._folder / "daemon.log").read_text()[-3000:]

    @property
    def workers(self) -> list[int]:
        """The processes below it."""
        assert self._process is not None
        pid = self._process.pid
        return [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]

    def kill(self) -> None:
        """All of its processes at once, as far as that goes: SIGKILL."""
        assert self._process is not None
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._process = None

    def kill_worker(self, index: int) -> None:
        """One of those that serve; the others go on."""
        workers = self.workers
        if workers:
            with suppress(ProcessLookupError):
                os.kill(workers[index % len(workers)], signal.SIGKILL)

    def stop(self) -> None:
        """Tell it to stop, and wait for it."""
        assert self._process is not None
        self._process.terminate()
        self._process.wait()
        self._process = None


@contextmanager
def running(daemon: Daemon) -> Iterator[Daemon]:
    """Started; and killed in the end, if it is still there."""
    daemon.start()
    try:
        yield daemon
    finally:
        if daemon._process is not None:
            daemon.kill()
