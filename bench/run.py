"""Measure the gateway next to nginx and to the plain limit, cell by cell, in one run.

    .venv/bin/python -m bench.run [--cells a,b] [--seconds S] [--rounds N] [--json FILE]

Every cell runs on each server in turn and the whole is repeated, so that a drifting machine hurts
all alike; the medians are shown, each with the ratio to nginx and what it costs the server in CPU.
Needs wrk; nginx is left out where it is missing.  "plain" is what the work costs with no server:
MD5 of the same bytes on one core for put-64m.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import re
import shutil
import statistics
import sys
import tempfile
import time
import urllib.parse
from collections.abc import Callable
from pathlib import Path

from bench import load, servers
from bench.load import MIB
from bench.servers import Server

BIG = 64 * MIB


class Bench:
    """The cells, over one folder of files that both servers show."""

    def __init__(self, tmp: Path, seconds: int, connections: int, keys: int) -> None:
        self.tmp, self.seconds, self.connections, self.keys = tmp, seconds, connections, keys
        self.big = tmp / "big"
        block = os.urandom(MIB)
        with self.big.open("wb") as file:
            for _ in range(BIG // MIB):
                file.write(block)
        self.small = os.urandom(4096)

    def prepare(self, server: Server) -> None:
        """Put the objects of the GET cells through the gateway."""
        load.call(server, load.head(server, "PUT", "", length=0))
        with server.connect() as sock, self.big.open("rb") as file:
            for n in range(64):
                sock.sendall(load.head(server, "PUT", f"small/{n:03d}", length=4096) + self.small)
                load.read_answer(sock)
            for n in range(4):
                request = load.head(server, "PUT", f"big/{n}", length=BIG)
                load.send_file(sock, request, file.fileno(), BIG)

    def get_4k(self, server: Server) -> dict:
        requests = [load.head(server, "GET", f"small/{n:03d}") for n in range(64)]
        return load.wrk(server, requests, self.seconds, self.connections, self.tmp)

    def head_4k(self, server: Server) -> dict:
        requests = [load.head(server, "HEAD", f"small/{n:03d}") for n in range(64)]
        return load.head_loop(server, requests, self.seconds, self.connections)

    def put_4k(self, server: Server) -> dict | None:
        if not server.signed:
            return None
        requests = [
            load.head(server, "PUT", f"put/{n % 16:02d}/{n:04d}", length=4096) + self.small
            for n in range(1024)
        ]
        return load.wrk(server, requests, self.seconds, self.connections, self.tmp)

    def get_64m(self, server: Server) -> dict:
        def job(n: int) -> Callable:
            request = load.head(server, "GET", f"big/{n % 4}")

            def run(sock) -> None:
                sock.sendall(request)
                load.read_answer(sock)

            return run

        return load.bulk(server, [job(n) for n in range(32)], 4, BIG)

    def put_64m(self, server: Server) -> dict | None:
        if not server.signed:
            return None
        with self.big.open("rb") as file:

            def job(n: int) -> Callable:
                request = load.head(server, "PUT", f"putbig/{n % 4}", length=BIG)
                return lambda sock: load.send_file(sock, request, file.fileno(), BIG)

            return load.bulk(server, [job(n) for n in range(16)], 4, BIG)

    def list_walk(self, server: Server) -> dict | None:
        """All pages of 1,000 over nested keys, one after another."""
        if not server.signed:
            return None
        self._fill(server)
        before, start, seen, token = server.cpu(), time.perf_counter(), 0, ""
        while True:
            query = "?list-type=2&prefix=list%2F" + (
                "&continuation-token=" + urllib.parse.quote(token, safe="") if token else ""
            )
            page = load.call(server, load.head(server, "GET", query))
            seen += page.count(b"<Contents>")
            more = re.search(rb"<NextContinuationToken>([^<]+)<", page)
            if more is None:
                break
            token = more.group(1).decode()
        took = time.perf_counter() - start
        if seen != self.keys:
            raise RuntimeError(f"listed {seen} of {self.keys} keys")
        return {"rate": seen / took, "unit": "keys/s",
                "cpu_us": (server.cpu() - before) / seen * 1e6}  # fmt: skip

    def _fill(self, server: Server) -> None:
        with server.connect() as sock:
            for n in range(self.keys):
                request = load.head(server, "PUT", f"list/{n % 10}/key-{n:07d}", length=1)
                sock.sendall(request + b"x")
                load.read_answer(sock)
        self._fill = lambda server: None  # type: ignore[method-assign]

    def plain_md5(self) -> dict:
        data = self.big.read_bytes()
        start = time.perf_counter()
        hashlib.md5(data).digest()
        return {"rate": BIG / MIB / (time.perf_counter() - start), "unit": "MiB/s"}


CELLS = ["get-4k", "head-4k", "put-4k", "get-64m", "put-64m", "list-walk"]


def show(figures: dict[str, dict[str, list[dict]]]) -> None:
    """Print the medians."""
    for cell, by_server in figures.items():
        rates = {name: statistics.median(g["rate"] for g in got) for name, got in by_server.items()}
        for name, got in by_server.items():
            line = f"{cell:10} {name:8} {rates[name]:10.0f} {got[0]['unit']}"
            for cost in ("cpu_us", "cpu_ms_per_mib"):
                if cost in got[0]:
                    line += f" {statistics.median(g[cost] for g in got):8.2f} {cost}"
            for other in rates:
                if other != name == "s3gate":
                    line += f"  x{rates[name] / rates[other]:.2f} of {other}"
            print(line)


def main() -> int:
    """Run the cells and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cells", default=",".join(CELLS))
    parser.add_argument("--seconds", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--keys", type=int, default=10000)
    parser.add_argument("--workers", type=int, default=1, help="of both; default: %(default)s")
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    if shutil.which("wrk") is None:
        parser.error("wrk is not installed (apt-get install wrk)")
    tmp = Path(tempfile.mkdtemp(prefix="s3gate-bench-"))
    running: list[Server] = []
    try:
        root = tmp / "root"
        root.mkdir()
        bench = Bench(tmp, args.seconds, args.connections, args.keys)
        running.append(servers.gateway(root, tmp, workers=args.workers))
        bench.prepare(running[0])
        limit = servers.nginx(root, tmp, workers=args.workers)
        if limit is not None:
            running.append(limit)
        figures: dict[str, dict[str, list[dict]]] = {}
        for turn in range(args.rounds):
            for cell in args.cells.split(","):
                for server in running:
                    got = getattr(bench, cell.replace("-", "_"))(server)
                    if got is not None:
                        figures.setdefault(cell, {}).setdefault(server.name, []).append(got)
                        print(f"# {turn + 1} {cell} {server.name} {got}", file=sys.stderr)
                if cell == "put-64m":
                    figures[cell].setdefault("plain-md5", []).append(bench.plain_md5())
        show(figures)
        print(f"memory of s3gate at the end: {running[0].memory()} MiB")
        if args.json:
            args.json.write_text(json.dumps(figures, indent=1))
    finally:
        for server in running:
            server.stop()
        shutil.rmtree(tmp, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
