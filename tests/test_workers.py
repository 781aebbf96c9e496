"""Several processes of one daemon, over loopback: what clients notice of one that goes."""

from __future__ import annotations

import http.client
import os
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
TWISTD = "from twisted.scripts.twistd import run; run()"
SIGNED = {"Authorization": "AWS4-HMAC-SHA256 Credential=alice/x"}
SERVES = re.compile(r"worker (\d+) serves, pid (\d+)")


class Daemon:
    """A process, and what it says.

    :ivar port: where it listens.
    :ivar workers: number -> pid, as far as was read.
    """

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.workers: dict[str, int] = {}
        self.seen: list[str] = []
        self.port = 0

    def until(self, text: str) -> str:
        """The next line with this text; the test's own time limit ends a vain wait."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.seen.append(line)
            if found := SERVES.search(line):
                self.workers[found[1]] = int(found[2])
            if text in line:
                return line
        raise AssertionError("".join(self.seen))

    def until_replaced(self) -> None:
        """A rolling restart is over, and the old workers are gone."""
        self.until("all workers have been replaced")
        while sum("has finished" in line for line in self.seen) < 2:
            self.until("")

    def connect(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.port)

    def ask(self, method: str, path: str, body: bytes = b"") -> tuple[int, bytes]:
        """One request on a connection of its own."""
        client = self.connect()
        client.request(method, path, body, SIGNED)
        answer = client.getresponse()
        found = answer.status, answer.read()
        client.close()
        return found


def _hear_interrupts() -> None:
    """A shell without job control starts what is in the background with SIGINT ignored."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@contextmanager
def daemon(root: Path, *arguments: str, twistd: Sequence[str] = ()) -> Iterator[Daemon]:
    root.mkdir()
    command = [
        sys.executable, "-c", TWISTD, "--nodaemon", "--pidfile=", *twistd, "s3gate",
        f"--root={root}", "--auth=simple", "--listen=tcp:0:interface=127.0.0.1", "--workers=2",
        *arguments,
    ]  # fmt: skip
    with subprocess.Popen(
        command,
        cwd=ROOT,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        preexec_fn=_hear_interrupts,
    ) as process:
        running = Daemon(process)
        try:
            running.port = int(running.until("listening on 127.0.0.1:").rpartition(":")[2])
            yield running
        finally:
            process.kill()


@pytest.mark.timeout(300)
def test_a_worker_that_is_killed_is_replaced_and_the_other_goes_on(tmp_path: Path) -> None:
    users, path = tmp_path / "users.toml", tmp_path / "socket"
    users.touch(mode=0o600)
    users.write_text('[[user]]\nname = "alice"\n')
    unix = f"--listen=unix:{path}:mode=600"
    settings = tmp_path / "s3gate.toml"
    settings.write_text('[server]\ndrain = "2s"\n')
    with daemon(
        tmp_path / "root", f"--config={settings}", f"--credentials={users}", unix
    ) as running:
        assert running.ask("PUT", "/buck") == (200, b"")
        line = running.until("operation=CreateBucket")
        assert re.search(r"Z info s3daemon.access worker=[12] request_id=[0-9A-F]{16} ", line)
        # A request under way, in one of the two.
        upload = socket.create_connection(("127.0.0.1", running.port))
        head = "PUT /buck/slow HTTP/1.1\r\nHost: x\r\nContent-Length: 8\r\nExpect: 100-continue\r\n"
        fields = "".join(f"{name}: {value}\r\n" for name, value in SIGNED.items())
        upload.sendall((head + fields + "\r\n").encode())
        assert upload.recv(100).startswith(b"HTTP/1.1 100")
        upload.sendall(b"half")
        mine = _who_has(upload, running.workers)
        (other,) = set(running.workers) - {mine}

        dead = running.workers[other]
        os.kill(dead, signal.SIGKILL)
        running.until(f"worker {other} is gone: it ended with signal 9")
        running.until(f"worker {other} serves")
        assert running.workers[other] != dead

        upload.sendall(b"half")
        assert upload.recv(1000).startswith(b"HTTP/1.1 200")
        assert running.ask("GET", "/buck/slow") == (200, b"halfhalf")
        upload.close()

        running.process.send_signal(signal.SIGHUP)
        lines = [running.until("SIGHUP: credentials read again") for _ in range(2)]
        assert {"worker=1", "worker=2"} == {line.split()[3] for line in lines}

        # The path of a UNIX socket stays as it is while workers come and go.
        os.kill(running.workers[mine], signal.SIGTERM)
        running.until(f"worker {mine} serves")
        assert path.stat().st_mode & 0o777 == 0o600
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(path))
            client.sendall(b"GET /healthz HTTP/1.0\r\n\r\n")
            assert client.recv(100).startswith(b"HTTP/1.1 200")

        # As a terminal does it: workers do not take it as their own.
        for pid in (*running.workers.values(), running.process.pid):
            os.kill(pid, signal.SIGINT)
        running.until("Server Shut Down")
        assert running.process.wait() == -signal.SIGINT
        assert not any("the supervisor is gone" in line for line in running.seen)
        assert not any(map(_runs, running.workers.values()))
        assert not path.exists()


def _who_has(connection: socket.socket, workers: dict[str, int]) -> str:
    """The number of the worker that accepted a connection."""
    ours = f":{connection.getsockname()[1]:04X}"
    table = Path("/proc/net/tcp").read_text().splitlines()[1:]
    (inode,) = [row.split()[9] for row in table if row.split()[2].endswith(ours)]
    for number, pid in workers.items():
        for fd in Path(f"/proc/{pid}/fd").iterdir():
            with suppress(FileNotFoundError):  # closed meanwhile
                if os.readlink(fd) == f"socket:[{inode}]":
                    return number
    raise AssertionError(workers)


def test_a_rolling_restart_refuses_nobody_and_cuts_nothing_off(tmp_path: Path) -> None:
    file = tmp_path / "s3gate.toml"
    file.write_text('[server]\nregion = "one"\n')
    with daemon(tmp_path / "root", f"--config={file}") as running:
        running.ask("PUT", "/buck")
        running.ask("PUT", "/buck/key", b"content")
        file.write_text('[server]\nregion = "No!"\n')
        running.process.send_signal(signal.SIGUSR2)
        assert "server.region" in running.until("all stays as it is")
        file.write_text('[server]\nregion = "two"\n')

        before = set(running.workers.values())
        stop, problems, done = threading.Event(), list[str](), [0, 0]

        def new_connections() -> None:
            while not stop.is_set():
                done[0] += 1
                if (got := running.ask("GET", "/buck/key")) != (200, b"content"):
                    problems.append(repr(got))

        def one_connection() -> None:
            """As long as it lasts: whoever is told that it ends connects again."""
            with closing(running.connect()) as client:
                while not stop.is_set():
                    done[1] += 1
                    client.request("GET", "/buck/key", headers=SIGNED)
                    answer = client.getresponse()
                    if (answer.status, answer.read()) != (200, b"content"):
                        problems.append(str(answer.status))

        def run(client: Callable[[], None]) -> None:
            try:
                client()
            except (OSError, http.client.HTTPException) as error:
                problems.append(repr(error))

        clients = [
            threading.Thread(target=run, args=(client,))
            for client in (new_connections, one_connection, one_connection)
        ]
        for client in clients:
            client.start()
        running.process.send_signal(signal.SIGUSR2)
        running.until_replaced()
        stop.set()
        for client in clients:
            client.join()
        assert problems == []
        assert min(done) > 0
        assert before.isdisjoint(running.workers.values())
        with closing(running.connect()) as asking:
            asking.request("HEAD", "/buck", headers=SIGNED)
            assert asking.getresponse().headers["x-amz-bucket-region"] == "two"

        # The main process has stayed.  Without it the workers end, and with them the pipe.
        running.process.kill()
        running.process.wait()
        assert running.process.stdout is not None
        running.seen += list(running.process.stdout)
        assert sum("the supervisor is gone" in line for line in running.seen) == 2


def _runs(pid: int) -> bool:
    """A worker of that number runs, and is not only waited for."""
    try:
        return b"s3daemon.worker" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False


def test_the_log_that_twistd_was_told_to_keep(tmp_path: Path) -> None:
    with daemon(tmp_path / "root", twistd=["--logfile=-"]) as running:
        running.ask("PUT", "/buck")
        line = running.until("operation=CreateBucket")
        assert re.search(r"\[s3daemon.access#info\] worker=[12] request_id=[0-9A-F]{16} ", line)
