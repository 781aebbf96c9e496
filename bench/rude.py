"""Rude clients against a running gateway, while a polite one goes on.

    python bench/rude.py HOST PORT --bucket BUCKET --pid PID

The gateway has to be in mode simple, with short time-outs (5s or so) and no bound on the
connections of one client; the bucket has to be there.  Every kind of rudeness gets its turn: what
the polite client noticed of it, and what it cost the gateway in memory, threads and descriptors, is
printed.  Status 1 when a rude connection is still open at the end of its time, or the polite client
failed.
"""

from __future__ import annotations

import argparse
import os
import random
import select
import socket
import struct
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress

AUTHORIZATION = (
    b"Authorization: AWS4-HMAC-SHA256 Credential=rude/20260101/us-east-1/s3/aws4_request,"
    b" SignedHeaders=host, Signature=00\r\n"
)


class World:
    """Where the gateway is, and requests for it."""

    def __init__(self, host: str, port: int, bucket: str) -> None:
        self.address = (host, port)
        self.bucket = bucket.encode()

    def connect(self, timeout: float = 10, receive: int = 0) -> socket.socket:
        connection = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        if receive:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive)
        connection.settimeout(timeout)
        connection.connect(self.address)
        return connection

    def head(self, method: bytes, key: bytes, *fields: bytes) -> bytes:
        lines = b"".join(field + b"\r\n" for field in fields)
        return b"%b /%b/%b HTTP/1.1\r\nHost: h\r\n%b%b\r\n" % (
            *(method, self.bucket, key, AUTHORIZATION),
            lines,
        )

    def put(self, key: bytes, length: int, *fields: bytes) -> bytes:
        return self.head(b"PUT", key, b"Content-Length: %d" % length, *fields)


def answer(connection: socket.socket) -> tuple[int, bytes]:
    """Status and body."""
    data = b""
    while b"\r\n\r\n" not in data:
        piece = connection.recv(65536)
        if not piece:
            raise ConnectionError("no answer")
        data += piece
    head, _, body = data.partition(b"\r\n\r\n")
    length = 0
    for line in head.split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            length = int(value)
    while len(body) < length:
        piece = connection.recv(65536)
        if not piece:
            raise ConnectionError("half an answer")
        body += piece
    return int(head.split(b" ", 2)[1]), body


class Polite(threading.Thread):
    """Puts an object and gets it back, again and again, and notes how long that takes."""

    def __init__(self, world: World) -> None:
        super().__init__(daemon=True)
        self.world = world
        self.times: list[float] = []
        self.failed: list[str] = []
        self.over = threading.Event()

    def run(self) -> None:
        """Until told otherwise."""
        number = 0
        while not self.over.wait(0.02):
            number += 1
            content = b"polite %d" % number
            began = time.monotonic()
            try:
                with self.world.connect() as connection:
                    connection.sendall(self.world.put(b"polite", len(content)) + content)
                    status, body = answer(connection)
                    if status != 200:
                        raise ConnectionError(f"PUT: {status} {body[:200]!r}")
                    connection.sendall(self.world.head(b"GET", b"polite"))
                    if answer(connection) != (200, content):
                        raise ConnectionError("GET: not what was put")
            except OSError as error:
                self.failed.append(repr(error))
            self.times.append(time.monotonic() - began)

    def lines(self) -> str:
        """What it noticed since the last call."""
        times, self.times = sorted(self.times), []
        failed, self.failed = self.failed, []
        if not times:
            return "polite: nothing done"
        p50, p99 = times[len(times) // 2], times[int(len(times) * 0.99)]
        return (
            f"polite: {len(times):4} done, p50 {p50 * 1000:6.1f} ms, p99 {p99 * 1000:6.1f} ms,"
            f" {len(failed)} failed {failed[:2] or ''}"
        )


def usage(pid: int) -> str:
    """Memory, threads and descriptors of the gateway."""
    fields = {}
    with open(f"/proc/{pid}/status") as status:
        for line in status:
            name, _, value = line.partition(":")
            fields[name] = value.split()[0] if value.split() else ""
    descriptors = len(os.listdir(f"/proc/{pid}/fd"))
    return f"{int(fields['VmRSS']) // 1024} MiB, {fields['Threads']} threads, {descriptors} fds"


Crowd = list[socket.socket]


def _many(world: World, count: int, opening: bytes, receive: int = 0) -> Crowd:
    crowd = []
    for _ in range(count):
        connection = world.connect(receive=receive)
        connection.sendall(opening)
        crowd.append(connection)
    return crowd


def _drip(crowd: Crowd, byte: bytes) -> None:
    for connection in crowd:
        with suppress(OSError):
            connection.send(byte)


def _open(crowd: Crowd) -> Crowd:
    """Those that the gateway has not ended; nothing that it sent is read."""
    left = []
    for connection in crowd:
        poll = select.poll()
        poll.register(connection, select.POLLRDHUP | select.POLLHUP | select.POLLERR)
        if poll.poll(0):
            connection.close()
        else:
            left.append(connection)
    return left


def _hold(
    seconds: float, crowd: Crowd, each_second: Callable[[Crowd], None] = lambda crowd: None
) -> int:
    """Go on for some time; how many are still there after it."""
    end = time.monotonic() + seconds
    while crowd and time.monotonic() < end:
        each_second(crowd)
        time.sleep(1)
        crowd = _open(crowd)
    for connection in crowd:
        connection.close()
    return len(crowd)


def _taste(crowd: Crowd) -> None:
    for connection in crowd:
        connection.setblocking(False)
        with suppress(OSError):
            connection.recv(1)


def _at_every_byte(world: World, end: Callable[[socket.socket], None]) -> int:
    request = world.put(b"cut", 20) + b"0123456789" * 2
    for size in range(0, len(request) + 1, 3):
        with world.connect() as connection:
            connection.sendall(request[:size])
            end(connection)
    return 0


def _reset(connection: socket.socket) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def _half_close(connection: socket.socket) -> None:
    connection.shutdown(socket.SHUT_WR)
    with suppress(OSError):
        while connection.recv(65536):
            pass


def _pipeline(world: World) -> int:
    crowd = _many(world, 20, world.head(b"GET", b"polite") * 300)
    return _hold(30, crowd)


def _garbage(world: World) -> int:
    chance = random.Random(1)
    for _ in range(500):
        with world.connect() as connection, suppress(OSError):
            connection.sendall(chance.randbytes(chance.randrange(1, 2000)))
            connection.shutdown(socket.SHUT_WR)
            connection.recv(65536)
    return 0


def _big(world: World) -> None:
    content = bytes(16 * 1024 * 1024)
    with world.connect() as connection:
        connection.sendall(world.put(b"big", len(content)) + content)
        answer(connection)


def kinds(world: World, seconds: float) -> Iterator[tuple[str, Callable[[], int]]]:
    """(name, what it does; it returns how many connections were held too long)."""
    put = world.put(b"slow", 10**6)
    big = world.head(b"GET", b"big")
    drip, taste = (lambda crowd: _drip(crowd, b"x")), _taste
    yield "idle", lambda: _hold(seconds, _many(world, 1000, b""))
    yield "heads that drip", lambda: _hold(seconds, _many(world, 500, b"GET /"), drip)
    yield "bodies that drip", lambda: _hold(seconds, _many(world, 500, put), drip)
    yield (
        "chunks that drip",
        lambda: _hold(
            seconds,
            _many(world, 500, world.head(b"PUT", b"slow", b"Transfer-Encoding: chunked")),
            lambda crowd: _drip(crowd, b"1\r\nx\r\n"),
        ),
    )
    yield (
        "100-continue and no body",
        lambda: _hold(
            seconds, _many(world, 500, world.put(b"slow", 10**6, b"Expect: 100-continue"))
        ),
    )
    yield "answers never read", lambda: _hold(seconds, _many(world, 300, big, 4096))
    yield "answers read by the byte", lambda: _hold(seconds, _many(world, 300, big, 4096), taste)
    yield "many requests ahead", lambda: _pipeline(world)
    yield "resets at every byte", lambda: _at_every_byte(world, _reset)
    yield "half-closes at every byte", lambda: _at_every_byte(world, _half_close)
    yield "garbage", lambda: _garbage(world)


def main() -> int:
    """See the module."""
    parser = argparse.ArgumentParser(description="Rude clients against a running gateway.")
    parser.add_argument("host")
    parser.add_argument("port", type=int)
    parser.add_argument("--bucket", required=True)
    parser.add_argument("--pid", type=int, required=True, help="of the gateway")
    parser.add_argument("--seconds", type=float, default=20, help="that a rude client may last")
    given = parser.parse_args()
    world = World(given.host, given.port, given.bucket)
    _big(world)
    polite = Polite(world)
    polite.start()
    time.sleep(2)
    print(f"{'before':26} {polite.lines()}; {usage(given.pid)}", flush=True)
    bad = 0
    for name, act in kinds(world, given.seconds):
        began = time.monotonic()
        held = act()
        time.sleep(1)
        line = polite.lines()
        bad += held + (" 0 failed" not in line)
        print(
            f"{name:26} {line}; {usage(given.pid)}; {time.monotonic() - began:.0f} s,"
            f" {held} held too long",
            flush=True,
        )
    polite.over.set()
    polite.join()
    return int(bad > 0)


if __name__ == "__main__":
    sys.exit(main())
