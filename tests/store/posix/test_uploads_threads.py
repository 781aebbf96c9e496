"""Uploads from many threads, and from two stores on one root: who wins, and what all see."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from s3daemon.store.facts import Busy, InvalidPart, NoSuchKey, NoSuchUpload, StorageError
from s3daemon.store.posix.store import PosixStore
from s3daemon.store.values import ObjectInfo, PartInfo, UploadInfo, UploadsQuery
from tests.store.posix.disks import descriptors
from tests.store.tools import begin, complete, content, md5, pairs, put, put_part

ROUNDS = 25
THREADS = 4


@pytest.fixture
def stores(root: Path, disk_store: PosixStore) -> Iterator[tuple[PosixStore, PosixStore]]:
    """Two gateways on one root."""
    other = PosixStore(root, "relaxed", disk_store.probe)
    disk_store.disk.durability = "relaxed"
    yield disk_store, other
    other.close()


@pytest.fixture
def together() -> Iterator[Callable[[Sequence[Callable[[], Any]]], list[Any]]]:
    """Makes calls at the same moment; what each gives, be it an error of the store."""
    with ThreadPoolExecutor(8) as pool:

        def run(calls: Sequence[Callable[[], Any]]) -> list[Any]:
            barrier = threading.Barrier(len(calls))

            def one(call: Callable[[], Any]) -> Any:
                barrier.wait(30)
                try:
                    return call()
                except StorageError as error:
                    return error

            return list(pool.map(one, calls))

        yield run


Together = Callable[[Sequence[Callable[[], Any]]], list[Any]]
Stores = tuple[PosixStore, PosixStore]


def parts_of(store: PosixStore, upload: UploadInfo, regular: bool) -> list[PartInfo]:
    data = [b"1111", b"2222", b"33"] if regular else [b"1", b"22", b"333"]
    return [put_part(store, "bucket", upload, n, one) for n, one in enumerate(data, 1)]


def nothing_left(root: Path) -> bool:
    return not list((root / "bucket" / "_s3_multipart_tmp").iterdir())


@pytest.mark.parametrize("regular", [True, False])
def test_twins_complete(stores: Stores, root: Path, together: Together, regular: bool) -> None:
    for _ in range(ROUNDS):
        upload = begin(stores[0], "bucket", "k")
        listed = pairs(parts_of(stores[0], upload, regular))
        found = together(
            [partial(complete, stores[n % 2], "bucket", upload, listed) for n in range(THREADS)]
        )
        assert isinstance(found[0], ObjectInfo)
        assert all(one == found[0] for one in found)
        assert stores[1].objects.stat("bucket", "k") == found[0]
        assert nothing_left(root)


@pytest.mark.parametrize("regular", [True, False])
def test_complete_against_abort(
    stores: Stores, root: Path, together: Together, regular: bool
) -> None:
    for _ in range(ROUNDS):
        upload = begin(stores[0], "bucket", "k")
        listed = pairs(parts_of(stores[0], upload, regular))
        where = ("bucket", "k", upload.upload_id)
        done, aborted = together(
            [
                partial(complete, stores[0], "bucket", upload, listed),
                partial(stores[1].uploads.abort, *where),
            ]
        )
        if isinstance(done, ObjectInfo):
            assert isinstance(aborted, NoSuchUpload)
            assert content(stores[0], "bucket", "k") == (b"1111222233" if regular else b"122333")
            stores[0].objects.delete("bucket", "k")
        else:
            assert isinstance(done, NoSuchUpload)
            assert aborted is None
            with pytest.raises(NoSuchKey):
                stores[0].objects.stat("bucket", "k")
        assert nothing_left(root)


def test_complete_against_parts(stores: Stores, root: Path, together: Together) -> None:
    """What is acknowledged and listed is in the object, and nothing else is."""
    for turn in range(ROUNDS):
        upload = begin(stores[0], "bucket", "k")
        listed = pairs(parts_of(stores[0], upload, regular=True))
        done, *parts = together(
            [
                partial(complete, stores[0], "bucket", upload, listed),
                partial(put_part, stores[1], "bucket", upload, 2, b"xxxx"),
                partial(put_part, stores[0], "bucket", upload, 4, b"4444"),
                partial(put_part, stores[1], "bucket", upload, 5, b"5555", turn % 2 == 0),
            ]
        )
        for part in parts:
            assert isinstance(part, PartInfo | NoSuchUpload | Busy)
        if isinstance(done, InvalidPart):
            assert isinstance(parts[0], PartInfo)
            stores[0].uploads.abort("bucket", "k", upload.upload_id)
        else:
            assert isinstance(done, ObjectInfo)
            assert content(stores[1], "bucket", "k") == b"1111222233"
            stores[0].objects.delete("bucket", "k")
        stores[0].uploads.expire(1 << 62)
        assert nothing_left(root)


def test_one_part_from_many(stores: Stores, together: Together) -> None:
    """One of them counts, whole, and everybody agrees which."""
    for turn in range(ROUNDS):
        upload = begin(stores[0], "bucket", "k")
        data = [b"%d" % n * (4 + (turn % 2) * n) for n in range(THREADS)]
        parts = together(
            [
                partial(put_part, stores[n % 2], "bucket", upload, 1, data[n], n != 3)
                for n in range(THREADS)
            ]
        )
        assert all(isinstance(part, PartInfo) for part in parts)
        where = ("bucket", "k", upload.upload_id)
        one, other = (store.uploads.list_parts(*where, 0, 10).parts for store in stores)
        assert one == other
        assert len(one) == 1
        assert one[0] in parts
        complete(stores[0], "bucket", upload, pairs(one))
        assert md5(content(stores[0], "bucket", "k")) == one[0].etag


def test_all_parts_at_once(stores: Stores, root: Path, together: Together) -> None:
    for turn in range(ROUNDS):
        upload = begin(stores[0], "bucket", "k")
        data = [b"%d" % n * 4 for n in range(7)] + [b"end"]
        parts = together(
            [
                partial(put_part, stores[n % 2], "bucket", upload, n + 1, data[n], turn % 3 != 0)
                for n in range(len(data))
            ]
        )
        complete(stores[0], "bucket", upload, pairs(parts))
        assert content(stores[1], "bucket", "k") == b"".join(data)
        assert nothing_left(root)


def test_uploads_of_one_key_and_puts(stores: Stores, together: Together) -> None:
    """The key always holds one of them, whole."""
    wanted = {b"put", b"1111222233", b"122333"}
    for _ in range(ROUNDS):
        uploads = [begin(stores[0], "bucket", "k") for _ in range(2)]
        listed = [
            pairs(parts_of(stores[0], upload, regular))
            for upload, regular in zip(uploads, (True, False), strict=True)
        ]
        put(stores[0], "bucket", "k", b"put")
        found = together(
            [
                partial(complete, stores[0], "bucket", uploads[0], listed[0]),
                partial(complete, stores[1], "bucket", uploads[1], listed[1]),
                partial(put, stores[0], "bucket", "k", b"put"),
                partial(content, stores[1], "bucket", "k"),
            ]
        )
        assert all(isinstance(one, ObjectInfo) for one in found[:3])
        assert found[3] in wanted
        last = stores[1].objects.stat("bucket", "k")
        assert last.etag in {one.etag for one in found[:3]}
        assert content(stores[0], "bucket", "k") in wanted


def test_expiring_from_two_sides(stores: Stores, root: Path, together: Together) -> None:
    for _ in range(ROUNDS):
        for _ in range(3):
            parts_of(stores[0], begin(stores[0], "bucket", "k"), regular=True)
        counts = together([partial(stores[n % 2].uploads.expire, 1 << 62) for n in range(4)])
        assert sum(counts) == 3
        assert stores[0].uploads.list("bucket", UploadsQuery()).uploads == ()
        stores[0].uploads.expire(1 << 62)
        assert nothing_left(root)


def test_a_bucket_that_is_deleted_meanwhile(stores: Stores, together: Together) -> None:
    for _ in range(ROUNDS):
        upload = begin(stores[0], "bucket", "k")
        listed = pairs(parts_of(stores[0], upload, regular=True))
        done, deleted = together(
            [
                partial(complete, stores[0], "bucket", upload, listed),
                partial(stores[1].buckets.delete, "bucket"),
            ]
        )
        if isinstance(done, ObjectInfo):
            assert isinstance(deleted, StorageError)
            assert content(stores[0], "bucket", "k") == b"1111222233"
            stores[0].objects.delete("bucket", "k")
        else:
            assert isinstance(done, StorageError)
            if isinstance(deleted, StorageError):
                stores[0].uploads.expire(1 << 62)
                continue
            stores[0].buckets.create("bucket", "alice")


@pytest.mark.parametrize("sizes", [(4096, 4096, 4096), (4096, 4096, 100), (100, 5000, 4096)])
def test_eight_writers_of_the_same_parts_while_it_is_completed(
    stores: Stores, root: Path, sizes: tuple[int, ...]
) -> None:
    """What Complete lists, as it was acknowledged, is the object, and stays it."""
    before = descriptors()
    for turn in range(8):
        upload = begin(stores[0], "bucket", "k")
        at = ("bucket", "k", upload.upload_id)
        for number, size in enumerate(sizes, 1):
            put_part(stores[0], "bucket", upload, number, bytes(size))
        errors: list[BaseException] = []

        def write(
            name: int,
            upload: UploadInfo = upload,
            turn: int = turn,
            errors: list[BaseException] = errors,
        ) -> None:
            chance = random.Random(f"{turn} {name}")
            store = stores[name % 2]
            try:
                # They come to an end, and then Complete must win at the latest.
                for _ in range(200):
                    number = chance.randint(1, 4)
                    size = (*sizes, sizes[0])[number - 1]
                    try:
                        put_part(
                            store, "bucket", upload, number, chance.randbytes(size), name % 3 > 0
                        )
                    except Busy:
                        continue
            except NoSuchUpload:
                pass
            except BaseException as error:
                errors.append(error)

        threads = [threading.Thread(target=write, args=(name,), daemon=True) for name in range(8)]
        for thread in threads:
            thread.start()
        while True:
            parts = stores[0].uploads.list_parts(*at, 0, 10).parts
            assert [part.number for part in parts[:3]] == [1, 2, 3]
            try:
                info = complete(stores[turn % 2], "bucket", upload, pairs(parts))
                break
            except (InvalidPart, Busy):
                continue  # put again since
        at_once = content(stores[0], "bucket", "k")
        for thread in threads:
            thread.join()
        assert not errors
        assert content(stores[1], "bucket", "k") == at_once
        offset = 0
        for part in parts:
            assert md5(at_once[offset : offset + part.size]) == part.etag
            offset += part.size
        assert offset == len(at_once) == info.size
    stores[0].uploads.expire(1 << 62)
    assert nothing_left(root)
    assert descriptors() == before
