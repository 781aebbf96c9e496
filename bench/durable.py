"""What durability costs: PUT on each level next to a plain loop of the same calls, in one run.

    .venv/bin/python -m bench.durable [--seconds S] [--rounds N] [--dir PATH] [--http]

Every way runs in turn and the whole is repeated, so that a drifting machine hurts all alike; the
medians are shown, each as a ratio to the plain loop with as many threads.  ``--dir`` says on which
device.

plain      open(O_TMPFILE), write, setxattr, fsync, link, fsync of the directory, close
alone      the store, strict, each directory synced by every writer for itself
strict     the store, strict: writers share the syncs of a directory
data       the store, data
relaxed    the store, relaxed
bare       the plain loop without its fsyncs, to compare relaxed with

With ``--http`` the same through the gateway, with wrk for the clients.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import shutil
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

from bench import load, servers
from s3daemon.store.interfaces import Attributes
from s3daemon.store.posix.store import PosixStore
from s3daemon.store.posix.syncing import Syncs

SIZES = {"4k": 4096, "64k": 65536}
CLIENTS = (1, 8, 32)
RECORD = (
    b'{"v":1,"etag":"' + b"0" * 32 + b'","stamp":[4096,1700000000000000000,12345678],"owner":"a"}'
)


class Ways:
    """The ways to store one object, by a number that none has had before.

    :param spread: how many directories they go to.
    """

    def __init__(self, top: Path, data: bytes, spread: int) -> None:
        self.data, self.spread, self._next = data, spread, 0
        self._lock = threading.Lock()
        self._plain = []
        for n in range(spread):
            (top / "plain" / f"{n}").mkdir(parents=True)
            self._plain.append(os.open(top / "plain" / f"{n}", os.O_RDONLY))
        root = top / "root"
        root.mkdir()
        self._store = PosixStore(root)
        alone = PosixStore(root, known=self._store.probe)
        alone.disk._syncs.together = alone.disk._syncs.alone  # type: ignore[method-assign]
        assert isinstance(alone.disk._syncs, Syncs)
        self._alone = alone
        for level in ("strict", "data", "relaxed"):
            self._store.buckets.create(level, "a")
            self._store.buckets.set_durability(level, level)  # type: ignore[arg-type]
        self._etag = hashlib.md5(data).hexdigest()
        self.all: dict[str, Callable[[int], None]] = {
            "plain": lambda n: self._bare(n, os.fsync),
            "alone": lambda n: self._put(self._alone, "strict", n),
            "strict": lambda n: self._put(self._store, "strict", n),
            "data": lambda n: self._put(self._store, "data", n),
            "relaxed": lambda n: self._put(self._store, "relaxed", n),
            "bare": lambda n: self._bare(n, lambda fd: None),
        }

    def _bare(self, n: int, sync: Callable[[int], None]) -> None:
        directory = self._plain[n % self.spread]
        fd = os.open(".", os.O_TMPFILE | os.O_RDWR, 0o666, dir_fd=directory)
        try:
            os.write(fd, self.data)
            os.setxattr(fd, "user.s3gate", RECORD)
            sync(fd)
            os.link(f"/proc/self/fd/{fd}", f"k{n}", src_dir_fd=directory, dst_dir_fd=directory)
            sync(directory)
        finally:
            os.close(fd)

    def _put(self, store: PosixStore, bucket: str, n: int) -> None:
        writer = store.objects.create(bucket, f"{n % self.spread}/k{n}", Attributes(), "a")
        try:
            writer.write([self.data])
            writer.commit(self._etag)
        finally:
            writer.abort()

    def rate(self, way: str, threads: int, seconds: float) -> float:
        """Objects a second."""
        once, counts = self.all[way], [0] * threads
        end = time.perf_counter() + seconds

        def work(me: int) -> None:
            while time.perf_counter() < end:
                with self._lock:
                    self._next += 1
                    number = self._next
                once(number)
                counts[me] += 1

        start = time.perf_counter()
        running = [threading.Thread(target=work, args=(me,)) for me in range(threads)]
        for thread in running:
            thread.start()
        for thread in running:
            thread.join()
        return sum(counts) / (time.perf_counter() - start)


def through_http(top: Path, data: bytes, seconds: int, rounds: int) -> None:
    """PUT through the gateway, by level and number of clients."""
    (top / "served").mkdir()
    server = servers.gateway(top / "served", top)
    try:
        load.call(server, load.head(server, "PUT", "", length=0))
        store = PosixStore(top / "served")
        requests = [
            load.head(server, "PUT", f"{n % 16:02d}/{n:04d}", length=len(data)) + data
            for n in range(1024)
        ]
        got: dict[tuple[str, int], list[float]] = {}
        for _ in range(rounds):
            for level in ("strict", "data", "relaxed"):
                store.buckets.set_durability(load.BUCKET, level)  # type: ignore[arg-type]
                for clients in CLIENTS:
                    rate = load.wrk(server, requests, seconds, clients, top)["rate"]
                    got.setdefault((level, clients), []).append(rate)
        for (level, clients), rates in got.items():
            print(f"http  {level:8} {clients:3} clients {statistics.median(rates):8.0f}/s")
    finally:
        server.stop()


def main() -> int:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--dir", type=Path, default=Path.cwd())
    parser.add_argument("--sizes", default=",".join(SIZES))
    parser.add_argument("--spread", default="1,16", help="directories; default: %(default)s")
    parser.add_argument("--http", action="store_true")
    args = parser.parse_args()
    for size in args.sizes.split(","):
        data = os.urandom(SIZES[size])
        for spread in map(int, args.spread.split(",")):
            top = Path(tempfile.mkdtemp(prefix="s3gate-durable-", dir=args.dir))
            try:
                ways = Ways(top, data, spread)
                got: dict[tuple[int, str], list[float]] = {}
                for _ in range(args.rounds):
                    for threads in CLIENTS:
                        for way in ways.all:
                            rate = ways.rate(way, threads, args.seconds)
                            got.setdefault((threads, way), []).append(rate)
                for (threads, way), rates in got.items():
                    rate = statistics.median(rates)
                    limit = "bare" if way in ("relaxed", "bare") else "plain"
                    ratio = rate / statistics.median(got[threads, limit])
                    print(
                        f"{size:4} {spread:2} directories {threads:3} threads {way:8}"
                        f" {rate:8.0f}/s  x{ratio:.2f} of {limit}",
                        flush=True,
                    )
            finally:
                shutil.rmtree(top, ignore_errors=True)
        if args.http:
            top = Path(tempfile.mkdtemp(prefix="s3gate-durable-", dir=args.dir))
            try:
                through_http(top, data, max(1, int(args.seconds)), args.rounds)
            finally:
                shutil.rmtree(top, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
