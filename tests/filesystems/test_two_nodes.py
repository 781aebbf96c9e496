"""What holds between two nodes: an answer of one is true on the other, at once."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from s3daemon.store.interfaces import (
    ListQuery,
    NoSuchBucket,
    NoSuchKey,
    NoSuchUpload,
    ObjectExists,
    Replaced,
    StorageError,
)
from tests.filesystems.conftest import Nodes
from tests.store.tools import get, md5, put

pytestmark = pytest.mark.filesystems

ROUNDS = 30


def _keys(store: Any, prefix: str = "") -> list[str]:
    query = ListQuery(prefix=prefix)
    return [info.key for info in store.objects.list("bucket", query).objects]


def test_what_one_node_puts_the_other_reads_and_lists_at_once(nodes: Nodes) -> None:
    for number, (writer, reader) in zip(
        range(ROUNDS), itertools.cycle([(nodes.a, nodes.b), (nodes.b, nodes.a)]), strict=False
    ):
        key = f"folder-{number % 3}/key-{number:03}"
        put(writer, "bucket", key, b"%d" % number)
        info, data = get(reader, "bucket", key)
        assert (data, info.etag) == (b"%d" % number, md5(b"%d" % number))
        assert key in _keys(reader)


def test_an_overwritten_object_is_the_new_one_on_the_other_node(nodes: Nodes) -> None:
    for number in range(ROUNDS):
        writer, reader = (nodes.a, nodes.b) if number % 2 else (nodes.b, nodes.a)
        data = b"x" * number
        put(writer, "bucket", "key", data)
        info, found = get(reader, "bucket", "key")
        assert (found, info.etag, info.size) == (data, md5(data), number)
        listed = reader.objects.list("bucket", ListQuery()).objects
        assert [(one.key, one.etag, one.size) for one in listed] == [("key", md5(data), number)]


def test_a_deleted_object_is_gone_on_the_other_node(nodes: Nodes) -> None:
    for number in range(ROUNDS):
        put(nodes.a, "bucket", "a/b/key", b"%d" % number)
        assert _keys(nodes.b) == ["a/b/key"]
        assert nodes.b.objects.delete("bucket", "a/b/key")
        assert _keys(nodes.a) == []
        with pytest.raises(NoSuchKey):
            nodes.a.objects.stat("bucket", "a/b/key")


def test_tags_put_on_one_node_are_read_on_the_other(nodes: Nodes) -> None:
    put(nodes.a, "bucket", "key", b"data")
    for number in range(ROUNDS):
        writer, reader = (nodes.a, nodes.b) if number % 2 else (nodes.b, nodes.a)
        writer.objects.set_tags("bucket", "key", (("number", str(number)),))
        assert reader.objects.stat("bucket", "key").attributes.tags == (("number", str(number)),)


def test_buckets_come_and_go_on_both_nodes(nodes: Nodes) -> None:
    for number in range(ROUNDS):
        maker, other = (nodes.a, nodes.b) if number % 2 else (nodes.b, nodes.a)
        maker.buckets.create("fleeting", "alice")
        assert other.buckets.get("fleeting").owner == "alice"
        put(other, "fleeting", "key", b"data")
        other.objects.delete("fleeting", "key")
        other.buckets.delete("fleeting")
        with pytest.raises(NoSuchBucket):
            maker.buckets.get("fleeting")
        assert [info.name for info in maker.buckets.list()] == ["bucket"]


def test_one_creator_wins_on_either_node(nodes: Nodes) -> None:
    for number in range(ROUNDS):
        outcomes = _together(
            lambda store, number=number: _created(store, f"key-{number}"),
            [nodes.a, nodes.b] * 4,
        )
        assert sorted(outcomes) == [False] * 7 + [True]


def _created(store: Any, key: str) -> bool:
    try:
        put(store, "bucket", key, b"mine", create_only=True)
    except ObjectExists:
        return False
    return True


def _together(work: Callable[[Any], Any], arguments: list[Any]) -> list[Any]:
    """Do it for all arguments at the same moment."""
    barrier = threading.Barrier(len(arguments))

    def one(argument: Any) -> Any:
        barrier.wait()
        return work(argument)

    with ThreadPoolExecutor(len(arguments)) as pool:
        return list(pool.map(one, arguments))


def _part(store: Any, upload_id: str, number: int, data: bytes) -> tuple[int, str]:
    writer = store.uploads.write_part("bucket", "key", upload_id, number, len(data))
    writer.write([data])
    return number, writer.commit(md5(data)).etag


def test_an_upload_begun_on_one_node_is_completed_on_the_other(nodes: Nodes) -> None:
    for number in range(5):
        begun = nodes.a.uploads.create("bucket", "key", _attributes(), "alice")
        pieces = [bytes([65 + number]) * 100_000, b"b" * 100_000, b"c" * 7]
        parts = [
            _part(store, begun.upload_id, index, piece)
            for index, (store, piece) in enumerate(
                zip([nodes.a, nodes.b, nodes.a], pieces, strict=True), 1
            )
        ]
        listed = nodes.b.uploads.list_parts("bucket", "key", begun.upload_id, 0, 10).parts
        assert [(part.number, part.etag) for part in listed] == parts
        done = nodes.b.uploads.complete("bucket", "key", begun.upload_id, parts)
        info, data = get(nodes.a, "bucket", "key")
        assert (info.etag, data) == (done.etag, b"".join(pieces))
        again = nodes.a.uploads.complete("bucket", "key", begun.upload_id, parts)
        assert again.etag == done.etag


def _attributes() -> Any:
    from s3daemon.store.interfaces import Attributes

    return Attributes(metadata={"a": "b"})


def test_completed_on_both_nodes_at_the_same_moment(nodes: Nodes) -> None:
    for _ in range(10):
        begun = nodes.a.uploads.create("bucket", "key", _attributes(), "alice")
        parts = [_part(nodes.a, begun.upload_id, n, b"%d" % n * 1000) for n in (1, 2)]
        done = _together(
            lambda store, i=begun.upload_id, p=parts: store.uploads.complete("bucket", "key", i, p),
            [nodes.a, nodes.b] * 2,
        )
        assert len({info.etag for info in done}) == 1
        assert get(nodes.b, "bucket", "key")[1] == b"1" * 1000 + b"2" * 1000


def test_abort_on_one_node_while_the_other_uploads(nodes: Nodes) -> None:
    for _ in range(10):
        begun = nodes.a.uploads.create("bucket", "key", _attributes(), "alice")
        _part(nodes.b, begun.upload_id, 1, b"1" * 1000)

        def work(store: Any, upload_id: str = begun.upload_id) -> str:
            try:
                if store is nodes.a:
                    store.uploads.abort("bucket", "key", upload_id)
                    return "aborted"
                _part(store, upload_id, 2, b"2" * 1000)
                return "uploaded"
            except NoSuchUpload:
                return "gone"

        assert _together(work, [nodes.a, nodes.b])[0] == "aborted"
        with pytest.raises(NoSuchUpload):
            _part(nodes.b, begun.upload_id, 3, b"3")
        with pytest.raises(NoSuchUpload):
            nodes.b.uploads.list_parts("bucket", "key", begun.upload_id, 0, 10)


def test_readers_on_one_node_never_see_a_torn_object_of_the_other(nodes: Nodes) -> None:
    versions = [bytes([65 + n]) * (50_000 + n) for n in range(10)]
    etags = {md5(data): data for data in versions}
    put(nodes.a, "bucket", "key", versions[0])
    stop = threading.Event()

    def write() -> None:
        for number in range(60):
            put(nodes.a, "bucket", "key", versions[number % 10])
        stop.set()

    def read() -> int:
        seen = 0
        while not stop.is_set():
            try:
                info, data = get(nodes.b, "bucket", "key")
            except Replaced:
                continue  # the engine does not keep what is open; the actions open it anew
            assert etags[info.etag] == data
            seen += 1
        return seen

    with ThreadPoolExecutor(3) as pool:
        reading = [pool.submit(read) for _ in range(2)]
        pool.submit(write).result()
        assert all(job.result() for job in reading)


def test_listings_of_a_changing_folder_agree(nodes: Nodes) -> None:
    """An acknowledged key is in every later listing of either node, a deleted one in none."""
    alive: set[str] = set()
    for number in range(120):
        store, other = (nodes.a, nodes.b) if number % 2 else (nodes.b, nodes.a)
        if number % 3 == 2:
            victim = sorted(alive)[number % len(alive)]
            store.objects.delete("bucket", victim)
            alive.remove(victim)
        else:
            put(store, "bucket", f"d{number % 2}/{number:03}", b"data")
            alive.add(f"d{number % 2}/{number:03}")
        assert _keys(other) == _keys(store) == sorted(alive)


def test_many_keys_are_listed_alike(nodes: Nodes) -> None:
    def fill(store: Any) -> None:
        name = "a" if store is nodes.a else "b"
        for number in range(500):
            put(store, "bucket", f"many/{name}{number:04}", b"x")

    _together(fill, [nodes.a, nodes.b])
    expected = sorted(f"many/{name}{number:04}" for name in "ab" for number in range(500))
    for store in (nodes.a, nodes.b):
        assert _keys(store) == expected[:1000]


def test_what_an_outside_program_writes_on_one_node_is_served_on_the_other(nodes: Nodes) -> None:
    put(nodes.a, "bucket", "key", b"from S3")
    before = nodes.b.objects.stat("bucket", "key")
    (nodes.path_a / "bucket" / "key").write_bytes(b"from outside, longer")
    info, data = get(nodes.b, "bucket", "key")
    assert data == b"from outside, longer"
    assert info.etag != before.etag
    assert "-" in info.etag


def test_delete_of_a_bucket_against_a_put_from_the_other_node(nodes: Nodes) -> None:
    """Either the bucket stays with the object in it, or both are gone and the put was refused."""
    for _ in range(10):
        nodes.a.buckets.create("contested", "alice")

        def work(store: Any) -> bool:
            try:
                if store is nodes.a:
                    store.buckets.delete("contested")
                else:
                    put(store, "contested", "x/y", b"data")
            except StorageError:
                return False
            return True

        deleted, stored = _together(work, [nodes.a, nodes.b])
        assert not (deleted and stored)
        if stored:
            assert get(nodes.a, "contested", "x/y")[1] == b"data"
            nodes.b.objects.delete("contested", "x/y")
        if not deleted:
            nodes.a.buckets.delete("contested")
