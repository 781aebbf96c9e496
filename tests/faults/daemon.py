"""A real daemon over a root, on loopback, and what it answers."""

from __future__ import annotations

import http.client
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import attrs

from tests.faults.scenarios import AUTHORIZATION
from tests.faults.stage import codes
from tests.support.inmemory import Response

REPOSITORY = Path(__file__).parents[2]
_SETTINGS = """
[server]
listen = ["tcp:{port}:interface=127.0.0.1"]
workers = 1
queue_timeout = "1s"
[store]
root = "{root}"
min_free = "64KiB"
[auth]
mode = "simple"
[limits]
min_part_size = "0B"
pool_threads = 2
heavy_threads = 2
strict_bucket_names = false
"""


@attrs.frozen
class Daemon:
    """A process.

    :ivar log: what it has written.
    """

    process: subprocess.Popen[bytes]
    port: int
    root: Path
    log: Path

    def ask(
        self,
        method: str,
        path: str,
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
        timeout: float = 30,
    ) -> Response:
        """One request on a connection of its own.  :raises TimeoutError:"""
        client = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        try:
            client.request(method, path, body, {"Authorization": AUTHORIZATION, **(headers or {})})
            answer = client.getresponse()
            fields = {name.lower(): value for name, value in answer.getheaders()}
            return Response(answer.status, fields, answer.read())
        finally:
            client.close()

    def said(self, method: str, path: str, body: bytes = b"", **more: object) -> tuple[int, str]:
        """Status and code of an answer; "" where it is no error."""
        response = self.ask(method, path, body, **more)  # type: ignore[arg-type]
        return response.status, ",".join(codes(response))

    def ready(self) -> tuple[int, str]:
        """What /readyz says."""
        client = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            client.request("GET", "/readyz")
            answer = client.getresponse()
            return answer.status, answer.read().decode()
        finally:
            client.close()

    def holds(self) -> list[str]:
        """What it has open below the root: nothing, but while requests are under way."""
        found = []
        for name in os.listdir(f"/proc/{self.process.pid}/fd"):
            with suppress(FileNotFoundError):
                found.append(os.readlink(f"/proc/{self.process.pid}/fd/{name}"))
        janitor = f"{self.root}/.s3gate/janitor"
        return [name for name in found if name.startswith(f"{self.root}/") and name != janitor]


def wait_until(true: Callable[[], bool], seconds: float = 10) -> float:
    """Look again and again; the seconds that it took."""
    begin = time.monotonic()
    while not true():
        assert time.monotonic() - begin < seconds, "it does not come about"
        time.sleep(0.02)
    return time.monotonic() - begin


@contextmanager
def daemon(folder: Path, root: Path, before: Sequence[str] = ()) -> Iterator[Daemon]:
    """A daemon that answers, until the end of the statement.

    :param before: a command that runs it, such as strace(1).
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    folder.mkdir()
    (folder / "s3gate.toml").write_text(_SETTINGS.format(port=port, root=root))
    process = subprocess.Popen(
        [
            *before,
            *(sys.executable, "-c", "from twisted.scripts.twistd import run; run()"),
            *("--nodaemon", "--pidfile=", "--logfile", "log", "s3gate", "--config", "s3gate.toml"),
        ],
        cwd=folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        start_new_session=True,
    )

    def listens() -> bool:
        assert process.poll() is None, (folder / "log").read_text()
        with suppress(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port)).close()
            return True
        return False

    try:
        wait_until(listens, 60)
        yield Daemon(process, port, root, folder / "log")
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
