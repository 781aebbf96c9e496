"""What TLS costs: the gateway and nginx, each with and without it, in one run.

    .venv/bin/python -m bench.tls [--seconds S] [--rounds N]

All clients are wrk.  Small objects on connections that stay and on a new one for each request (a
handshake each, without resumption), large ones on four connections.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from bench import load, servers
from bench.load import MIB
from bench.servers import Server

BIG = 64 * MIB

LUA = """
function done(s, l)
  io.write(string.format("RESULT %d %d %d %d\\n", s.requests, s.bytes, s.duration,
    s.errors.status + s.errors.connect + s.errors.read))
end
"""


def wrk(server: Server, path: str, seconds: int, connections: int, close: bool, tmp: Path) -> dict:
    """Ask for one object again and again; seconds of server CPU for each request and MiB."""
    script = tmp / "done.lua"
    script.write_text(LUA)
    scheme = "https" if server.name.endswith("-tls") else "http"
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "-s", str(script)]
    if server.signed:
        command += ["-H", load.AUTHORIZATION, "-H", "x-amz-date: 20260101T000000Z",
                    "-H", "x-amz-content-sha256: UNSIGNED-PAYLOAD"]  # fmt: skip
    if close:
        command += ["-H", "Connection: close"]
    command.append(f"{scheme}://localhost:{server.port}/{load.BUCKET}/{path}")
    before = server.cpu()
    out = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    found = re.search(r"RESULT (.*)", out)
    assert found is not None
    count, size, us, bad = map(int, found[1].split())
    if bad:
        raise RuntimeError(f"{server.name}: {bad} of {count} requests failed")
    cpu = server.cpu() - before
    return {
        "requests": count / us * 1e6,
        "MiB": size / MIB / us * 1e6,
        "us each": cpu / max(count, 1) * 1e6,
        "ms per MiB": cpu / (size / MIB) * 1e3,
    }


CELLS = {
    "get-4k": ("small", 32, False, "requests", "us each"),
    "get-4k-new": ("small", 32, True, "requests", "us each"),
    "get-64m": ("big", 4, False, "MiB", "ms per MiB"),
}


def main() -> int:
    """Run the cells and print medians."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    tmp = Path(tempfile.mkdtemp(prefix="s3gate-bench-"))
    running: list[Server] = []
    try:
        root = tmp / "root"
        (root / load.BUCKET).mkdir(parents=True)
        (root / load.BUCKET / "small").write_bytes(os.urandom(4096))
        (root / load.BUCKET / "big").write_bytes(os.urandom(MIB) * (BIG // MIB))
        servers.certificate(tmp)
        for make in (servers.gateway, servers.nginx):
            for tls in (False, True):
                server = make(root, tmp, tls=tls)
                if server is not None:
                    running.append(server)
        figures: dict[str, dict[str, list[dict]]] = {}
        for _ in range(args.rounds):
            for cell, (path, connections, close, _, _) in CELLS.items():
                for server in running:
                    got = wrk(server, path, args.seconds, connections, close, tmp)
                    figures.setdefault(cell, {}).setdefault(server.name, []).append(got)
        for cell, by_server in figures.items():
            _, _, _, rate, cost = CELLS[cell]
            for name, got in by_server.items():
                shown = statistics.median(g[rate] for g in got)
                cpu = statistics.median(g[cost] for g in got)
                print(f"{cell:11} {name:11} {shown:9.0f} {rate}/s {cpu:9.2f} {cost}")
        if args.json:
            args.json.write_text(json.dumps(figures, indent=1))
    finally:
        for server in running:
            server.stop()
        shutil.rmtree(tmp, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
