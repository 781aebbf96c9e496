"""A process that writes to a store on conditions, against others that do the same.

Arguments: the root, what to do, and how many threads do it.  Waits for a line on standard input,
so that all begin together, and writes one JSON document: what each thread has to tell.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from s3daemon.store.interfaces import (
    Condition,
    ConditionConflict,
    ConditionFailed,
    IStore,
    NoSuchKey,
    ObjectExists,
)
from s3daemon.store.posix.store import PosixStore
from tests.store.tools import get, put

KEY = "d/k"

#: Returns when everybody has come so far.
Start = Callable[[], object]


def swap_once(store: IStore, name: str, start: Start) -> list[str]:
    """Put in place of the version that was there in the beginning; the name if that succeeds."""
    etag = store.objects.stat("bucket", KEY).etag
    start()
    try:
        put(store, "bucket", KEY, name.encode(), condition=Condition(etag=etag))
    except ConditionFailed:
        return []
    return [name]


def create(store: IStore, name: str, start: Start) -> list[str]:
    """Make what nobody has made; the name if that succeeds."""
    start()
    try:
        put(store, "bucket", "new", name.encode(), condition=Condition(create_only=True))
    except ObjectExists:
        return []
    return [name]


def count(store: IStore, name: str, start: Start) -> list[str]:
    """Add one to the number in the object, until that has succeeded five times."""
    start()
    done: list[str] = []
    while len(done) < 5:
        info, data = get(store, "bucket", KEY)
        number = int(data) + 1
        try:
            put(store, "bucket", KEY, b"%d" % number, condition=Condition(etag=info.etag))
        except (ConditionFailed, ConditionConflict):
            continue
        done.append(str(number))
    return done


def follow(store: IStore, name: str, start: Start) -> list[str]:
    """Put ``root/number`` in place of ``root/number - 1`` for as long as there is no ``stop``."""
    start()
    done: list[str] = []
    while True:
        try:
            info, data = get(store, "bucket", KEY)
        except NoSuchKey:
            continue
        if data == b"stop":
            return done
        root, number = data.decode().split("/")
        following = f"{root}/{int(number) + 1}"
        try:
            put(store, "bucket", KEY, following.encode(), condition=Condition(etag=info.etag))
        except (ConditionFailed, ConditionConflict, NoSuchKey):
            continue
        done.append(following)


def hold(store: IStore, name: str, start: Start) -> list[str]:
    """Hold the lock of the key until killed."""
    volume: Any = store._volume  # type: ignore[attr-defined]
    with volume.locks.exclusive((b"bucket",), (b"d", b"k")):
        start()
    return []


WHAT: dict[str, Callable[[IStore, str, Start], list[str]]] = {
    "swap_once": swap_once,
    "create": create,
    "count": count,
    "follow": follow,
    "hold": hold,
}


def main() -> None:
    root, what, threads = sys.argv[1:]
    store = PosixStore(Path(root), "relaxed")
    told: list[list[str]] = [[] for _ in range(int(threads))]
    barrier = threading.Barrier(len(told) + 1)

    def start() -> None:
        barrier.wait()  # all are there
        barrier.wait()  # the line has come

    def run(number: int) -> None:
        told[number] = WHAT[what](store, f"{number} of {os.getpid()}", start)

    workers = [threading.Thread(target=run, args=(number,)) for number in range(len(told))]
    for worker in workers:
        worker.start()
    barrier.wait()
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sys.stdin.readline()
    barrier.wait()
    for worker in workers:
        worker.join()
    sys.stdout.write(json.dumps(told))


if __name__ == "__main__":
    main()
