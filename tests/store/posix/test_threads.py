"""Many at once: whatever the order, everybody sees whole objects, and nothing stays behind."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from s3daemon.store.interfaces import Attributes, Busy, NoSuchKey, ObjectExists
from s3daemon.store.posix.store import PosixStore
from tests.store.posix.disks import descriptors, tree
from tests.store.tools import get, listed, md5, put

KEYS = ["a", "a/", "a/b", "a/b/", "a/b/c", "a//", "l" * 250 + "/x"]


def together(count: int, work: Callable[[int], None]) -> None:
    """Run it on so many threads; the first error is raised."""
    errors: list[BaseException] = []

    def run(number: int) -> None:
        try:
            work(number)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]


@pytest.mark.parametrize("seed", range(3))
def test_puts_gets_and_deletes(root: Path, seed: int) -> None:
    store = PosixStore(root, "relaxed")
    store.buckets.create("bucket", "alice")
    before = descriptors()

    def work(number: int) -> None:
        chance = random.Random(f"{seed} {number}")
        for count in range(150):
            key = chance.choice(KEYS)
            what = chance.random()
            try:
                if what < 0.4:
                    data = chance.choice([b"", f"{number} {count}".encode() * 100])
                    put(store, "bucket", key, data, Attributes(metadata={"md5": md5(data)}))
                elif what < 0.7:
                    info, data = get(store, "bucket", key)
                    if not info.folder:
                        assert info.etag == md5(data) == info.attributes.metadata["md5"]
                elif what < 0.75:
                    listed(store, "bucket")
                else:
                    store.objects.delete("bucket", key)
            except NoSuchKey:
                pass
            except Busy:
                pass

    together(4, work)
    for key in KEYS:
        store.objects.delete("bucket", key)
    assert listed(store, "bucket") == []
    assert descriptors() == before
    store.buckets.delete("bucket")
    assert tree(root) == set()
    store.close()


@pytest.mark.parametrize("key", ["k", "d/e/k", "d/"])
@pytest.mark.parametrize("data", [b"", b"1"])
def test_one_creator_wins(root: Path, key: str, data: bytes) -> None:
    store = PosixStore(root, "relaxed")
    store.buckets.create("bucket", "alice")
    for _ in range(20):
        wins: list[int] = []

        def work(number: int, wins: list[int] = wins) -> None:
            try:
                put(store, "bucket", key, data * (number + 1), create_only=True)
                wins.append(number)
            except ObjectExists:
                pass

        together(4, work)
        assert len(wins) == 1
        assert get(store, "bucket", key)[1] == data * (wins[0] + 1)
        store.objects.delete("bucket", key)
    store.close()


def test_puts_and_prunes_of_one_directory(root: Path) -> None:
    """Every acknowledged object is there, whoever removes the directories around it."""
    store = PosixStore(root, "relaxed")
    store.buckets.create("bucket", "alice")

    def work(number: int, times: int = 100) -> None:
        key = f"d/e/{number}" if number % 2 else f"d/e{number}/"
        for _ in range(times):
            put(store, "bucket", key, b"")
            assert not store.objects.stat("bucket", key).folder
            assert store.objects.delete("bucket", key)

    together(4, work)
    assert not any(path.is_file() for path in (root / "bucket" / "d").rglob("*"))
    # Two who prune at the same time may each leave a directory to the other: harmless, and gone
    # with the next that is deleted there.
    for number in range(4):
        work(number, times=1)
    assert tree(root / "bucket") == set()
    store.close()


def test_bucket_deletes_and_puts(root: Path) -> None:
    """An acknowledged object keeps its bucket."""
    from s3daemon.store.interfaces import BucketExists, BucketNotEmpty, NoSuchBucket

    store = PosixStore(root, "relaxed")

    def delete(number: int) -> None:
        for _ in range(150):
            try:
                store.buckets.create("bucket", "alice")
            except BucketExists:
                pass
            try:
                store.buckets.delete("bucket")
            except (BucketNotEmpty, NoSuchBucket):
                pass

    def work(number: int) -> None:
        if number == 0:
            delete(number)
            return
        key = ["d/k", "k", "d/"][number - 1]
        for _ in range(150):
            try:
                put(store, "bucket", key, b"")
            except (NoSuchBucket, Busy):
                continue
            assert not store.objects.stat("bucket", key).folder
            assert store.objects.delete("bucket", key)

    together(4, work)
    store.close()
