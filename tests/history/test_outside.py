"""Readers of a gateway that is a process, while other programs do what they like to the files.

What is served under an ETag that tells the content has that content, and the metadata of that
version; or the connection ends before all bytes have come.  A file that another program has written
into has a token for an ETag, which promises nothing but the length.

``make test-history`` runs these; S3GATE_TEST_SECONDS says for how long each.
"""

from __future__ import annotations

import http.client
import os
import random
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.history.clients import If, NotDone, Unknown
from tests.history.contents import Content, make
from tests.history.gateways import AUTHORIZATION, BUCKET, Gateway, HttpConnection

pytestmark = [pytest.mark.history, pytest.mark.timeout(3600)]

SECONDS = float(os.environ.get("S3GATE_TEST_SECONDS", "20"))
SEED = int(os.environ.get("S3GATE_TEST_SEED", str(time.time_ns())))
#: Sent with the head; from the cache, in pieces or by sendfile; more than sockets hold.
SIZES = (3_000, 70_000, 1_500_000)
KEYS = {f"k{size}": size for size in SIZES}


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[Gateway]:
    """Running, over ``root``."""
    (tmp_path / "root").mkdir()
    gateway = Gateway(tmp_path / "gateway", tmp_path / "root")
    try:
        gateway.start()
        with HttpConnection(gateway.port) as connection:
            connection.request("PUT")
        yield gateway
    finally:
        gateway.stop()


class Library:
    """All contents that were ever put, by ETag."""

    def __init__(self) -> None:
        self._count = 0
        self._contents: dict[str, Content] = {}
        self.verified = self.tokens = self.broken = 0

    def new(self, who: str, size: int) -> Content:
        self._count += 1
        content = make(f"{who}-{self._count}", [size])
        self._contents[content.etag] = content
        return content

    def verify(self, fields: http.client.HTTPMessage, body: bytes, offset: int) -> None:
        """An answer that came to its end."""
        content = self._contents.get(fields["ETag"].strip('"'))
        if content is None:
            self.tokens += 1
            return
        assert fields["x-amz-meta-name"] == content.name
        assert body == content.data[offset : offset + len(body)], content.name
        self.verified += 1


def _in_place(path: Path, data: bytes, chance: random.Random) -> None:
    with open(path, "r+b") as file:
        at = chance.randrange(len(data))
        file.seek(at)
        file.write(data[at : at + 50_000])


def _anew(path: Path, data: bytes, _: random.Random) -> None:
    path.write_bytes(data)


def _cut(path: Path, data: bytes, chance: random.Random) -> None:
    os.truncate(path, chance.randrange(len(data)))


def _append(path: Path, data: bytes, _: random.Random) -> None:
    with open(path, "ab") as file:
        file.write(data[:100])


def _over(path: Path, data: bytes, _: random.Random) -> None:
    other = path.with_name(".other")
    other.write_bytes(data)
    other.rename(path)


def _remove(path: Path, _: bytes, __: random.Random) -> None:
    path.unlink()


OUTSIDE: list[Callable[[Path, bytes, random.Random], None]] = [
    *(_in_place, _in_place, _anew, _cut, _append, _over, _remove)
]


def test_readers_beside_other_programs(gateway: Gateway, tmp_path: Path) -> None:
    library = Library()
    end = time.monotonic() + SECONDS
    errors: list[BaseException] = []

    def going(work: Callable[[random.Random], None], number: int) -> threading.Thread:
        def run() -> None:
            chance = random.Random(f"{SEED} {number}")
            try:
                while time.monotonic() < end and not errors:
                    work(chance)
            except BaseException as exc:
                errors.append(exc)

        thread = threading.Thread(target=run)
        thread.start()
        return thread

    def change(chance: random.Random) -> None:
        key = chance.choice(list(KEYS))
        # Nobody but this one puts such contents, and nobody has them in the library.
        data = make(f"outside-{chance.random()}", [KEYS[key]]).data
        with suppress(FileNotFoundError):
            chance.choice(OUTSIDE)(tmp_path / "root" / BUCKET / key, data, chance)
        time.sleep(chance.choice([0, 0, 0.001, 0.01]))

    def write(chance: random.Random) -> None:
        key = chance.choice(list(KEYS))
        with HttpConnection(gateway.port) as connection, suppress(NotDone, Unknown):
            connection.put(key, library.new("put", KEYS[key]), If())
        time.sleep(0.01)

    def read(chance: random.Random) -> None:
        key = chance.choice(list(KEYS))
        first = chance.choice([0, 0, chance.randrange(KEYS[key])])
        connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=60)
        try:
            headers = {"Authorization": AUTHORIZATION}
            if first:
                headers["Range"] = f"bytes={first}-"
            connection.request("GET", f"/{BUCKET}/{key}", headers=headers)
            answer = connection.getresponse()
            body = answer.read()
            if answer.status in (200, 206):
                assert len(body) == int(answer.headers["Content-Length"])
                library.verify(answer.headers, body, first)
            else:
                assert answer.status in (404, 416, 503), (answer.status, body)
        except (OSError, http.client.HTTPException):
            library.broken += 1
        finally:
            connection.close()

    works = [change, write, write, *[read] * 5]
    for thread in [going(work, number) for number, work in enumerate(works)]:
        thread.join()
    if errors:
        raise errors[0]
    sys.stdout.write(
        f"{library.verified} answers verified, {library.tokens} with tokens,"
        f" {library.broken} broken off, S3GATE_TEST_SEED={SEED}\n"
    )
    assert library.verified > 100


def test_a_large_file_that_had_rested_is_written_into_while_it_is_served(
    gateway: Gateway, tmp_path: Path
) -> None:
    """It leaves by sendfile, and does not come to its end."""
    chance = random.Random(SEED)
    size = 64 * 1024 * 1024
    content = make("rested", [size])
    with HttpConnection(gateway.port) as connection:
        connection.put("k", content, If())
    path = tmp_path / "root" / BUCKET / "k"
    time.sleep(2.1)
    head = f"GET /{BUCKET}/k HTTP/1.1\r\nHost: h\r\nAuthorization: {AUTHORIZATION}\r\n\r\n"
    for is_written_into in (False, *[True] * 5):
        with socket.create_connection(("127.0.0.1", gateway.port), timeout=10) as client:
            client.sendall(head.encode())
            begin = client.recv(1000)
            assert begin.startswith(b"HTTP/1.1 200 ")
            if is_written_into:
                _in_place(path, make("other", [size]).data, chance)
            left = size + begin.index(b"\r\n\r\n") + 4 - len(begin)
            with suppress(ConnectionError):
                while left and (data := client.recv(1 << 20)):
                    left -= len(data)
        assert (left > 0) == is_written_into
        if is_written_into:
            with HttpConnection(gateway.port) as connection:
                connection.put("k", content, If())
            time.sleep(2.1)
