"""What digests cost: each algorithm, joining them, and PUT of 64 MiB that is held to them.

    .venv/bin/python -m bench.digests [--rounds N] [--json FILE]

"plain" is what the digests cost with no server, on the same bytes: MD5 alone, and MD5 and SHA-256
one after the other.  "sink" is what takes a body in, with a file but without a socket, once with
all digests on its own thread and once with MD5 on another.  "put" is a gateway that verifies
signatures.  Every cell is run in turn and the whole is repeated; medians are shown: MiB a second,
milliseconds of CPU per MiB on the thread that takes the body in, which no other load changes and
below which the rate cannot come, and those on all threads.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from bench import load, servers
from bench.load import MIB
from bench.servers import Server
from s3daemon.actions.sink import ExpectedBody, ObjectSink
from s3daemon.store.interfaces import Checksum, ObjectInfo
from s3daemon.streams.aside import Aside
from s3daemon.wire import checksums
from s3daemon.wire.checksums import ALGORITHMS

BIG = 64 * MIB
BATCH = 512 * 1024
KEY = Credentials("AKBENCH", "bench-secret-bench-secret")


class FileWriter:
    """A writer that writes into a file and syncs it, and nothing else."""

    def __init__(self, path: Path) -> None:
        self._fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)

    def write(self, data: Sequence[bytes]) -> None:
        """Append."""
        os.writev(self._fd, data)

    def commit(self, etag: str, checksum: Checksum | None = None) -> ObjectInfo:
        """Sync."""
        os.fsync(self._fd)
        os.close(self._fd)
        return ObjectInfo("k", 0, 0, etag, checksum=checksum)

    def abort(self) -> None:
        """Nothing."""


Figures = tuple[float, float, float]


def measure(work: Callable[[], object]) -> Figures:
    """MiB a second of 64 MiB; milliseconds of CPU per MiB on this thread, and on all."""
    start, own, all_ = time.perf_counter(), time.thread_time(), time.process_time()
    work()
    per_mib = 1000 * MIB / BIG
    return (
        BIG / MIB / (time.perf_counter() - start),
        (time.thread_time() - own) * per_mib,
        (time.process_time() - all_) * per_mib,
    )


def algorithms(data: bytes) -> None:
    """Each on its own, by CPU time of this thread: MiB a second, and microseconds for 4 KiB."""
    for name, algorithm in ALGORITHMS.items():
        if algorithm.make is None:
            print(f"{name:10} no library")
            continue
        best = small = 1e9
        for _ in range(5):
            hasher, start = checksums.hasher(name), time.thread_time()
            for at in range(0, 16 * MIB, BATCH):
                hasher.update(data[at : at + BATCH])
            hasher.digest()
            best = min(best, time.thread_time() - start)
            start = time.thread_time()
            for _ in range(1000):
                hasher = checksums.hasher(name)
                hasher.update(data[:4096])
                hasher.digest()
            small = min(small, time.thread_time() - start)
        print(f"{name:10} {16 / best:8.0f} MiB/s {small * 1e3:6.2f} us for 4 KiB")


def joining() -> None:
    """10,000 parts, of one size and of 10,000 sizes."""
    for name, algorithm in ALGORITHMS.items():
        if algorithm.crc is None:
            continue
        digest = os.urandom(algorithm.size)
        for what, sizes in (
            ("one size", [8 * MIB] * 10_000),
            ("10,000 sizes", range(8 * MIB, 8 * MIB + 10_000)),
        ):
            start = time.thread_time()
            checksums.combine(name, [(digest, size) for size in sizes])
            print(f"join {name:10} {what:12} {(time.thread_time() - start) * 1e3:6.1f} ms")


def into_sink(data: bytes, path: Path, signed: bool, algorithm: str, aside: Aside | None) -> None:
    """64 MiB through the sink, in batches as they come from a socket."""
    body = ExpectedBody(BIG, sha256=hashlib.sha256(data).digest() if signed else None)
    sink = ObjectSink(FileWriter(path), body, ALGORITHMS.get(algorithm), aside)
    for at in range(0, BIG, BATCH):
        sink.write([data[at + n : at + n + 65536] for n in range(0, BATCH, 65536)])
    sink.finish()


def request(server: Server, key: str, payload: str, **headers: str) -> bytes:
    """The head of a signed PUT; ``payload`` is its x-amz-content-sha256."""
    asked = AWSRequest(
        "PUT",
        f"http://127.0.0.1:{server.port}/{load.BUCKET}" + (f"/{key}" if key else ""),
        headers={"x-amz-content-sha256": payload, **headers},
    )
    signer = S3SigV4Auth(KEY, "s3", "us-east-1")
    signer.payload = lambda _: payload  # type: ignore[method-assign]
    signer.add_auth(asked)
    lines = [f"PUT /{load.BUCKET}" + (f"/{key}" if key else "") + " HTTP/1.1"]
    lines += [f"Host: 127.0.0.1:{server.port}", f"Content-Length: {BIG if key else 0}"]
    lines += [f"{name}: {value}" for name, value in asked.headers.items()]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def put(server: Server, path: Path, streams: int, payload: str, **headers: str) -> Figures:
    """PUTs of 64 MiB side by side: MiB a second, and the server's milliseconds of CPU per MiB."""
    with path.open("rb") as file:

        def job(n: int) -> Callable:
            head = request(server, f"big/{n % 4}", payload, **headers)
            return lambda sock: load.send_file(sock, head, file.fileno(), BIG)

        found = load.bulk(server, [job(n) for n in range(4 * streams)], streams, BIG)
        return found["rate"], float("nan"), found["cpu_ms_per_mib"]


def main() -> None:
    """Run the cells and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    tmp = Path(tempfile.mkdtemp(prefix="s3gate-bench-"))
    server = None
    try:
        path = tmp / "big"
        data = os.urandom(MIB) * (BIG // MIB)
        path.write_bytes(data)
        algorithms(data)
        joining()
        (tmp / "root").mkdir()
        users = tmp / "users.toml"
        users.touch(0o600)
        users.write_text(
            f'[[user]]\nname = "bench"\nkeys = [{{ access_key = "{KEY.access_key}", '
            f'secret_key = "{KEY.secret_key}" }}]\n'
        )
        server = servers.gateway(tmp / "root", tmp, "--auth", "sigv4", "--credentials", str(users))
        hashed, crc = hashlib.sha256(data).hexdigest(), checksums.hasher("CRC32")
        crc.update(data)
        given = {"x-amz-checksum-crc32": checksums.encode(crc.digest())}
        load.call(server, request(server, "", hashlib.sha256().hexdigest()))
        aside, file = Aside(1), tmp / "sink"
        sink = partial(into_sink, data, file)
        cells: dict[str, Callable[[], Figures]] = {
            "plain md5": lambda: measure(lambda: hashlib.md5(data)),
            "plain md5, then sha256": lambda: measure(
                lambda: (hashlib.md5(data), hashlib.sha256(data))
            ),
            "sink md5": lambda: measure(lambda: sink(False, "", None)),
            "sink md5, aside": lambda: measure(lambda: sink(False, "", aside)),
            "sink md5+crc64nvme": lambda: measure(lambda: sink(False, "CRC64NVME", None)),
            "sink md5+sha256": lambda: measure(lambda: sink(False, "SHA256", None)),
            "sink md5+sha256, aside": lambda: measure(lambda: sink(False, "SHA256", aside)),
        }
        for streams in (1, 4):
            cells |= {
                f"put x{streams} unsigned payload": partial(
                    put, server, path, streams, "UNSIGNED-PAYLOAD"
                ),
                f"put x{streams} signed hash": partial(put, server, path, streams, hashed),
                f"put x{streams} signed hash, crc32": partial(
                    put, server, path, streams, hashed, **given
                ),
            }
        figures: dict[str, list[Figures]] = {}
        for _ in range(args.rounds):
            for name, cell in cells.items():
                figures.setdefault(name, []).append(cell())
        for name, found in figures.items():
            speed, own, all_ = (statistics.median(column) for column in zip(*found, strict=True))
            print(f"{name:32} {speed:6.0f} MiB/s {own:6.2f} of {all_:6.2f} ms/MiB")
        if args.json:
            args.json.write_text(json.dumps(figures, indent=1))
        aside.stop()
    finally:
        if server is not None:
            server.stop()
        shutil.rmtree(tmp, ignore_errors=True)


if __name__ == "__main__":
    main()
