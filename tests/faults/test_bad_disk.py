"""Storage that hangs, is slow, fails now and then, or forgets bits: FUSE, under a real daemon."""

from __future__ import annotations

import base64
import errno
import http.client
import random
import subprocess
import sys
import threading
import time
import zlib
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from tests.faults.conftest import Figure
from tests.faults.daemon import REPOSITORY, Daemon, daemon, wait_until
from tests.faults.mounts import Faulty, faulty
from tests.faults.stage import FULL
from tests.support.inmemory import Response

pytestmark = [pytest.mark.faults, pytest.mark.timeout(600)]

_S3GATE = "from s3daemon.ops.admin import main; raise SystemExit(main())"

#: Seconds that an answer takes at most which needs no storage, on a machine with other work.
SOON = 1.0


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Faulty]:
    """A mount that does as it is told."""
    with faulty(tmp_path / "disk") as mount:
        yield mount


@pytest.fixture
def one(disk: Faulty, tmp_path: Path) -> Iterator[Daemon]:
    """A daemon over it, with two threads of each kind, a bucket and an object."""
    with daemon(tmp_path / "daemon", disk.path) as running:
        assert running.said("PUT", "/b") == (200, "")
        assert running.said("PUT", "/b/kept", b"kept" * 50_000) == (200, "")
        try:
            yield running
        finally:
            disk.set()  # a process that hangs in a call cannot be killed


class Asked(threading.Thread):
    """A request whose answer is waited for elsewhere.

    :ivar answer: the answer, when it has come.
    """

    def __init__(self, one: Daemon, method: str, path: str, body: bytes = b"") -> None:
        super().__init__(daemon=True)
        self._request = (one, method, path, body)
        self.answer: Response | None = None
        self.start()

    def run(self) -> None:
        one, method, path, body = self._request
        self.answer = one.ask(method, path, body, timeout=120)


def _slowest(one: Daemon, times: int = 100) -> float:
    """Seconds that the slowest of some answers takes which need no storage."""
    slowest = 0.0
    client = http.client.HTTPConnection("127.0.0.1", one.port, timeout=30)
    for _ in range(times):
        begin = time.monotonic()
        client.request("GET", "/healthz")
        assert client.getresponse().read() == b"ok\n"
        slowest = max(slowest, time.monotonic() - begin)
        time.sleep(0.005)
    client.close()
    return slowest


def _crc32(data: bytes) -> str:
    return base64.b64encode(zlib.crc32(data).to_bytes(4, "big")).decode()


def _timed(call: Any, *args: Any) -> tuple[Any, float]:
    begin = time.monotonic()
    return call(*args), time.monotonic() - begin


@pytest.mark.parametrize("operation", ["*", "read", "fsync", "flush", "getattr"])
def test_it_hangs(disk: Faulty, one: Daemon, operation: str, figure: Figure) -> None:
    """Who waits for storage waits; the loop turns; and what no thread takes up is refused."""
    assert one.said("GET", "/b/kept") == (200, "")
    disk.set(**{operation: {"hang": True}})
    # Two for each of the two pools; whoever does not need what hangs is answered.
    hung = [Asked(one, "PUT", f"/b/small{n}", b"small") for n in range(2)]
    hung += [Asked(one, "PUT", f"/b/large{n}", b"large" * 100_000) for n in range(2)]
    hung += [Asked(one, "GET", "/b/kept") for _ in range(3)]
    slowest = _slowest(one)
    figure(f"{operation} hangs: the slowest of 100 /healthz took {slowest * 1000:.0f} ms")
    assert slowest < SOON
    if operation == "*":
        said, waited = _timed(one.said, "GET", "/b/kept")
        assert said == (503, "SlowDown")
        said, refused = _timed(one.said, "GET", "/b/kept")
        assert said == (503, "SlowDown")
        figure(f"refused after {waited:.2f} s, then after {refused * 1000:.0f} ms")
        assert waited < 1 + SOON
        assert refused < SOON
        (status, reason), took = _timed(one.ready)
        assert (status, "has not answered" in reason) == (503, True)
        assert took < 5 + SOON
        (status, reason), took = _timed(one.ready)
        assert (status, took < SOON) == (503, True)
    disk.set()
    for asked in hung:
        asked.join(60)
        assert asked.answer is not None
        assert asked.answer.status in (200, 503)
    wait_until(lambda: one.ready()[0] == 200)
    for n, asked in enumerate(hung[:2]):
        if asked.answer is not None and asked.answer.status == 200:
            assert one.ask("GET", f"/b/small{n}").body == b"small"
    assert one.said("PUT", "/b/again", b"again") == (200, "")
    wait_until(lambda: not one.holds())


def test_closing_hangs(disk: Faulty, one: Daemon) -> None:
    """A server is asked before a file is closed (NFS, FUSE); the answer has left by then."""
    kept = one.ask("GET", "/b/kept").body
    disk.set(flush={"hang": True})
    asked = [Asked(one, "GET", "/b/kept") for _ in range(2)]
    for one_asked in asked:
        one_asked.join(20)
        assert one_asked.answer is not None
        assert one_asked.answer.body == kept
    assert _slowest(one) < SOON
    disk.set()
    wait_until(lambda: not one.holds())


def test_it_is_slow(disk: Faulty, one: Daemon, figure: Figure) -> None:
    disk.set(**{"*": {"delay": 0.05}})
    busy = [Asked(one, "PUT", f"/b/k{n}", b"k" * 300_000) for n in range(2)]
    busy += [Asked(one, "GET", "/b/kept") for _ in range(2)]
    slowest = _slowest(one)
    figure(f"each call takes 50 ms: the slowest of 100 /healthz took {slowest * 1000:.0f} ms")
    assert slowest < SOON
    disk.set()
    for asked in busy:
        asked.join(60)
        assert asked.answer is not None


def test_it_fails_now_and_then(disk: Faulty, one: Daemon, figure: Figure) -> None:
    """Each answer is an error or the truth, and what was acknowledged is there."""
    chance = random.Random(7)
    known: dict[str, set[bytes]] = {}
    failed = done = 0
    disk.set(**{"*": {"errno": 5, "chance": 0.02}})
    for number in range(400):
        key = f"/b/{chance.randrange(8)}/{chance.randrange(3)}"
        possible = known.setdefault(key, {b""})
        method = chance.choice(["PUT", "PUT", "GET", "GET", "DELETE"])
        body = b"%d" % number * chance.choice([1, 50_000]) if method == "PUT" else b""
        try:
            answer = one.ask(method, key, body)
        except (http.client.HTTPException, ConnectionError):
            assert method == "GET"  # it was cut off in the middle
            failed += 1
            continue
        if answer.status == 503:
            failed += 1
            if method != "GET":
                possible.add(body)
            continue
        done += 1
        if method == "GET":
            assert (answer.body if answer.status == 200 else b"") in possible, key
        else:
            assert answer.status in (200, 204)
            known[key] = {body}
    disk.set()
    figure(f"{done} requests were done, {failed} failed")
    assert done > 100
    assert failed > 20
    for key, possible in known.items():
        answer = one.ask("GET", key)
        assert answer.status in (200, 404)
        assert (answer.body if answer.status == 200 else b"") in possible
    wait_until(lambda: one.ready()[0] == 200)
    assert b"Traceback" not in one.log.read_bytes()


def test_it_forgets_bits(disk: Faulty, one: Daemon) -> None:
    """A GET does not hash what it sends; clients that check a checksum notice, and scrub does."""
    body = bytes(range(256)) * 1000
    put = one.ask("PUT", "/b/sum", body, {"x-amz-checksum-crc32": _crc32(body)})
    assert put.status == 200
    disk.set(read_bytes={"flip": True})
    got = one.ask("GET", "/b/sum", headers={"x-amz-checksum-mode": "ENABLED"})
    assert got.status == 200
    assert got.body != body
    assert got.headers["etag"] == put.headers["etag"]
    assert got.headers["x-amz-checksum-crc32"] == _crc32(body) != _crc32(got.body)
    scrubbed = subprocess.run(
        [sys.executable, "-c", _S3GATE, "scrub", disk.path, "--json"],
        check=False,
        capture_output=True,
        text=True,
        cwd=REPOSITORY,
    )
    assert scrubbed.returncode == 3, scrubbed.stderr
    assert "content-mismatch" in scrubbed.stdout
    disk.set()
    assert one.ask("GET", "/b/sum").body == body


@pytest.mark.parametrize("operation", ["fsync", "fsyncdir"])
def test_a_sync_that_fails_once(disk: Faulty, one: Daemon, operation: str) -> None:
    """The next one "succeeds", as on ext4; nothing was acknowledged on its strength."""
    disk.set(**{operation: {"errno": 5}})
    assert one.said("PUT", "/b/kept", b"new") == (503, "ServiceUnavailable")
    assert one.ready()[0] == 503
    disk.set()
    assert one.ask("GET", "/b/kept").body in (b"kept" * 50_000, b"new")
    if operation == "fsync":
        assert one.ask("GET", "/b/kept").body == b"kept" * 50_000
    assert one.ready()[0] == 200
    with suppress(FileNotFoundError):
        assert not list((disk.below / "b/.s3gate/staging").iterdir())


@pytest.mark.parametrize("has_fsync", [True, False])
def test_bytes_that_are_refused_when_a_file_is_closed(
    disk: Faulty, one: Daemon, has_fsync: bool
) -> None:
    """Where FUSE has no fsync the kernel says that all is well: only closing tells."""
    refuses = {"flush": {"errno": errno.EDQUOT}}
    disk.set(**refuses if has_fsync else {**refuses, "fsync": {"errno": errno.ENOSYS}})
    for path, body in (("/b/kept", b"new" * 50_000), ("/b/new", b"new")):
        assert one.said("PUT", path, body) == FULL
    disk.set()
    assert one.ask("GET", "/b/kept").body == b"kept" * 50_000
    assert one.said("GET", "/b/new") == (404, "NoSuchKey")
    assert one.said("PUT", "/b/kept", b"new") == (200, "")
    assert one.ask("GET", "/b/kept").body == b"new"
