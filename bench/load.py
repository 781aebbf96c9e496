"""Cheap clients, so that what is left is the server: wrk, a loop for HEAD, bulk transfers."""

from __future__ import annotations

import concurrent.futures
import itertools
import json
import os
import re
import select
import socket
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from bench.servers import Server

MIB = 1024 * 1024
BUCKET = "bench"
AUTHORIZATION = (
    "Authorization: AWS4-HMAC-SHA256 Credential=bench/20260101/us-east-1/s3/aws4_request, "
    "SignedHeaders=host;x-amz-content-sha256;x-amz-date, Signature=" + "0" * 64
)

LUA = """
local blobs, n, i = {}, 0, 0
local f = io.open(%s, "rb"); local all = f:read("*a"); f:close()
local at = 1
while at <= #all do
  local size = tonumber(all:sub(at, at + 11)); at = at + 12
  n = n + 1; blobs[n] = all:sub(at, at + size - 1); at = at + size
end
function request() i = i %% n + 1; return blobs[i] end
function done(s, l)
  io.write(string.format("RESULT %%d %%d %%d %%d %%d\\n", s.requests, s.duration, l:percentile(50),
    l:percentile(99), s.errors.status + s.errors.connect + s.errors.read + s.errors.timeout))
end
"""


def head(
    server: Server, method: str, path: str, extra: Sequence[str] = (), length: int = -1
) -> bytes:
    """The bytes of a request head."""
    lines = [f"{method} /{BUCKET}/{path} HTTP/1.1", f"Host: 127.0.0.1:{server.port}"]
    if server.signed:
        lines += [AUTHORIZATION, "x-amz-date: 20260101T000000Z",
                  "x-amz-content-sha256: UNSIGNED-PAYLOAD"]  # fmt: skip
    lines += extra
    if length >= 0:
        lines.append(f"Content-Length: {length}")
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def wrk(server: Server, requests: list[bytes], seconds: int, connections: int, tmp: Path) -> dict:
    """Replay small requests; requests a second and microseconds of server CPU each."""
    blob, script = tmp / "requests", tmp / "wrk.lua"
    blob.write_bytes(b"".join(b"%12d" % len(r) + r for r in requests))
    script.write_text(LUA % json.dumps(str(blob)))
    before = server.cpu()
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "-s", str(script),
               f"http://127.0.0.1:{server.port}/"]  # fmt: skip
    out = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    count, us, p50, p99, bad = map(int, re.search(r"RESULT (.*)", out).group(1).split())
    if bad or not count:
        raise RuntimeError(f"{server.name}: {bad} of {count} requests failed")
    return {"rate": count / us * 1e6, "unit": "req/s", "p50_ms": p50 / 1e3, "p99_ms": p99 / 1e3,
            "cpu_us": (server.cpu() - before) / count * 1e6}  # fmt: skip


def head_loop(server: Server, requests: list[bytes], seconds: int, connections: int) -> dict:
    """HEAD requests (wrk would wait for a body that never comes)."""
    poll, socks, todo = select.epoll(), {}, itertools.cycle(requests)
    for _ in range(connections):
        sock = server.connect()
        socks[sock.fileno()] = (sock, bytearray())
        poll.register(sock, select.EPOLLIN)
        sock.sendall(next(todo))
    before, start, count = server.cpu(), time.perf_counter(), 0
    while time.perf_counter() < start + seconds:
        for fd, _ in poll.poll(1):
            sock, got = socks[fd]
            got += sock.recv(65536)
            if got.endswith(b"\r\n\r\n"):
                if got[9:12] != b"200":
                    raise RuntimeError(f"{server.name}: HEAD gave {bytes(got[:40])!r}")
                got.clear()
                count += 1
                sock.sendall(next(todo))
    took = time.perf_counter() - start
    cost = server.cpu() - before
    for sock, _ in socks.values():
        sock.close()
    return {"rate": count / took, "unit": "req/s", "cpu_us": cost / count * 1e6}


def bulk(
    server: Server, jobs: list[Callable[[socket.socket], None]], streams: int, size: int
) -> dict:
    """Large transfers side by side; MiB a second and milliseconds of server CPU per MiB."""
    todo = iter(jobs)
    before, start = server.cpu(), time.perf_counter()

    def work() -> None:
        with server.connect() as sock:
            for job in todo:
                job(sock)

    with concurrent.futures.ThreadPoolExecutor(streams) as pool:
        for future in [pool.submit(work) for _ in range(streams)]:
            future.result()
    took, mib = time.perf_counter() - start, size * len(jobs) / MIB
    return {"rate": mib / took, "unit": "MiB/s",
            "cpu_ms_per_mib": (server.cpu() - before) / mib * 1e3}  # fmt: skip


def read_answer(sock: socket.socket, keep: bool = False) -> bytes:
    """One answer; its body, or b"" when it was thrown away inside the kernel."""
    got = b""
    while b"\r\n\r\n" not in got:
        piece = sock.recv(65536)
        if not piece:
            raise RuntimeError(f"the connection ended after {got[:100]!r}")
        got += piece
    top, rest = got.split(b"\r\n\r\n", 1)
    status = int(top[9:12])
    length = re.search(rb"(?i)\r\ncontent-length: *(\d+)", top)
    left = int(length.group(1)) - len(rest) if length else 0
    sink = bytearray(MIB)
    while left > 0:
        if keep or status >= 300:
            piece = sock.recv(min(left, MIB))
            rest += piece
            size = len(piece)
        else:
            size = sock.recv_into(sink, min(left, MIB), socket.MSG_TRUNC)
        if not size:
            raise RuntimeError("the body ended early")
        left -= size
    if status >= 300:
        raise RuntimeError(f"status {status}: {rest[:300]!r}")
    return rest if keep else b""


def send_file(sock: socket.socket, request: bytes, fd: int, size: int) -> None:
    """PUT from a file by sendfile(2)."""
    sock.sendall(request)
    sent = 0
    while sent < size:
        sent += os.sendfile(sock.fileno(), fd, sent, size - sent)
    read_answer(sock)


def call(server: Server, request: bytes) -> bytes:
    """One request on a connection of its own; the body of its answer."""
    with server.connect() as sock:
        sock.sendall(request)
        return read_answer(sock, keep=True)
