"""kill -9 of the real daemon, exactly at a system call: strace(1) injects the signal there.

What the tests in the process take for a change is the kernel's here: a rename, a link, a sync, an
attribute, a directory, a removal.
"""

from __future__ import annotations

import http.client
import itertools
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from s3daemon.store.posix.store import PosixStore
from tests.crash.oracle import Debris, SeenObject, debris, look, sweep
from tests.crash.scenes import content
from tests.crash.simulated import Tried
from tests.support.process import process, read_until
from tests.support.signing import Signer

OLD, NEW = content("old"), content("new")

#: Requests of a key, and what may be there when they are not answered.
REQUESTS: list[tuple[str, str, tuple[bytes | None, ...]]] = [
    ("PUT", "over", (OLD, NEW)),
    ("PUT", "a/b/new", (None, NEW)),
    ("DELETE", "a/old", (OLD, None)),
]
CALLS = ["renameat", "linkat", "fsync", "fsetxattr", "mkdirat", "unlinkat", "pwrite64,write,writev"]


class _Daemon:
    """The daemon, and a client."""

    def __init__(self, running: subprocess.Popen[str]) -> None:
        self.process = running
        self._port = int(read_until(running, "listening on 127.0.0.1:").rpartition(":")[2])
        self._signer = Signer("AK1", "sesame-8", now=time.time())

    def ask(self, method: str, path: str, body: bytes = b"") -> int | None:
        """The status of the answer; None where there is none."""
        client = http.client.HTTPConnection("127.0.0.1", self._port)
        headers = self._signer.headers(method, path, body=body, host=f"127.0.0.1:{self._port}")
        try:
            client.request(method, path, body, headers)
            answer = client.getresponse()
            answer.read()
            return answer.status
        except (OSError, http.client.HTTPException):
            return None
        finally:
            client.close()


@contextmanager
def _daemon(path: Path) -> Iterator[_Daemon]:
    root, users = path / "root", path / "users.toml"
    root.mkdir(exist_ok=True)
    users.touch(mode=0o600)
    users.write_text(
        '[[user]]\nname = "alice"\nid = "a"\n'
        'keys = [{access_key = "AK1", secret_key = "sesame-8"}]\n'
    )
    with process(
        f"--root={root}", f"--credentials={users}", "--listen=tcp:0:interface=127.0.0.1"
    ) as running:
        yield _Daemon(running)


@contextmanager
def _killed_at(calls: str, number: int, pid: int) -> Iterator[None]:
    """From now on the n-th of these calls that a thread makes kills the process."""
    command = ["strace", "-f", "-o", "/dev/null", "-p", str(pid), "-e", f"trace={calls}"]
    command += ["-e", f"inject={calls}:signal=KILL:when={number}"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as tracer:
        assert tracer.stderr is not None
        line = tracer.stderr.readline()
        if "attached" not in line:
            tracer.kill()
            pytest.skip(f"strace cannot trace processes here: {line}")
        try:
            yield
        finally:
            tracer.terminate()


def _once(
    path: Path, method: str, key: str, may_be: tuple[bytes | None, ...], calls: str, number: int
) -> bool:
    """Ask, and look at what is there then; whether the daemon was killed."""
    body = NEW if method == "PUT" else b""
    with _daemon(path) as daemon:
        assert daemon.ask("PUT", "/bucket") == 200
        for old in ("over", "a/old"):
            assert daemon.ask("PUT", f"/bucket/{old}", OLD) == 200
        with _killed_at(calls, number, daemon.process.pid):
            status = daemon.ask(method, f"/bucket/{key}", body)
            if status is None:
                assert daemon.process.wait() == -signal.SIGKILL
    store = PosixStore(path / "root")
    try:
        view = look(store)
        assert view.faults == ()
        found = view.items.get(("object", "bucket", key))
        data = found.data if isinstance(found, SeenObject) else None
        assert data in (may_be if status is None else may_be[-1:])
        sweep(store)
        assert debris(path / "root").files == Debris().files
        assert look(store) == view
    finally:
        store.close()
    return status is None


@pytest.mark.crash
@pytest.mark.timeout(600)
@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")
@pytest.mark.parametrize("calls", CALLS)
@pytest.mark.parametrize(("method", "key", "may_be"), REQUESTS, ids=["over", "new", "delete"])
def test_kills_of_the_daemon(
    tmp_path: Path, method: str, key: str, may_be: tuple[bytes | None, ...], calls: str
) -> None:
    tried = Tried()
    for number in itertools.count(1):
        path = tmp_path / str(number)
        path.mkdir()
        if not _once(path, method, key, may_be, calls, number):
            break
        tried.crashes += 1
        tried.states += 1
        assert number < 20
    tried.say("kills of the daemon")
