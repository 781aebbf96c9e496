"""What IObjects, IReader and IWriter promise for ordinary keys, on every store."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest
from zope.interface.verify import verifyObject

from s3daemon.store.interfaces import (
    ALWAYS,
    Attributes,
    BadKey,
    Condition,
    ConditionFailed,
    IReader,
    IStore,
    IWriter,
    KeyTooLong,
    ListQuery,
    NoSuchBucket,
    NoSuchKey,
    ObjectExists,
    StorageError,
)
from tests.store.tools import NOTHING, content, copy, get, listed, md5, new_if, put, put_in_parts

FULL = Attributes(
    system={
        "content-type": "text/plain; charset=utf-8",
        "content-encoding": "gzip",
        "content-disposition": 'attachment; filename="é"',
        "content-language": "de",
        "cache-control": "no-store",
        "expires": "Thu, 01 Dec 1994 16:00:00 GMT",
    },
    metadata={"a": "1", "b-c": "ü ", "empty": ""},
    tags=(("z", "1"), ("a", "ß"), ("empty", "")),
)

#: More than an ext4 inode and its attribute block hold together.
LARGE = Attributes(
    metadata={f"name-{n}": "v" * 100 for n in range(40)},
    tags=tuple((f"{n}" + "k" * 126, "v" * 256) for n in range(10)),
)


def test_put_and_get(store: IStore, bucket: str) -> None:
    before = time.time_ns()
    info = put(store, bucket, "k", b"hello", FULL, "bob")
    after = time.time_ns()
    assert (info.key, info.size, info.etag, info.owner) == ("k", 5, md5(b"hello"), "bob")
    assert info.attributes == FULL
    assert (info.part_sizes, info.upload_id, info.folder) == ((), None, False)
    assert before - 10**9 <= info.modified_ns <= after + 10**9
    assert store.objects.stat(bucket, "k") == info
    assert get(store, bucket, "k") == (info, b"hello")


@pytest.mark.parametrize("attributes", [NOTHING, FULL, LARGE], ids=["none", "full", "large"])
def test_attributes_come_back(store: IStore, bucket: str, attributes: Attributes) -> None:
    info = put(store, bucket, "k", b"1", attributes, None)
    assert info.attributes == attributes
    assert info.owner is None
    assert store.objects.stat(bucket, "k") == info
    assert store.objects.stat(bucket, "k").attributes.tags == attributes.tags


def test_put_in_many_pieces(store: IStore, bucket: str) -> None:
    writer = store.objects.create(bucket, "k", NOTHING, None)
    assert verifyObject(IWriter, writer)
    writer.write([b"a", b"", b"b"])
    writer.write([])
    writer.write([b"c" * 100_000, b"d"])
    data = b"ab" + b"c" * 100_000 + b"d"
    assert writer.commit(md5(data)).size == len(data)
    assert content(store, bucket, "k") == data


def test_many_small_pieces_in_one_write(store: IStore, bucket: str) -> None:
    pieces = [bytes([n % 256]) for n in range(5000)]  # more than IOV_MAX
    writer = store.objects.create(bucket, "k", NOTHING, None)
    writer.write(pieces)
    writer.commit(md5(b"".join(pieces)))
    assert content(store, bucket, "k") == b"".join(pieces)


def test_nothing_written(store: IStore, bucket: str) -> None:
    info = put(store, bucket, "k")
    assert (info.size, info.etag) == (0, md5(b""))
    assert get(store, bucket, "k") == (info, b"")


def test_nothing_is_seen_before_commit(store: IStore, bucket: str) -> None:
    writer = store.objects.create(bucket, "a/k", NOTHING, None)
    writer.write([b"x"])
    assert listed(store, bucket) == []
    with pytest.raises(NoSuchKey):
        store.objects.stat(bucket, "a/k")
    writer.abort()
    writer.abort()
    assert listed(store, bucket) == []
    store.buckets.delete(bucket)


def test_abort_keeps_the_old_object(store: IStore, bucket: str) -> None:
    old = put(store, bucket, "k", b"old", FULL)
    writer = store.objects.create(bucket, "k", NOTHING, None)
    writer.write([b"new content"])
    writer.abort()
    assert get(store, bucket, "k") == (old, b"old")


def test_abort_after_commit_changes_nothing(store: IStore, bucket: str) -> None:
    writer = store.objects.create(bucket, "k", NOTHING, None)
    writer.write([b"new"])
    info = writer.commit(md5(b"new"))
    writer.abort()
    assert get(store, bucket, "k") == (info, b"new")


def test_overwrite_replaces_everything(store: IStore, bucket: str) -> None:
    put(store, bucket, "k", b"old and longer", FULL, "alice")
    info = put(store, bucket, "k", b"new", NOTHING, "bob")
    assert get(store, bucket, "k") == (info, b"new")
    assert (info.attributes, info.owner, info.etag) == (NOTHING, "bob", md5(b"new"))
    assert listed(store, bucket) == ["k"]


def test_the_last_commit_wins(store: IStore, bucket: str) -> None:
    first = store.objects.create(bucket, "k", NOTHING, None)
    second = store.objects.create(bucket, "k", NOTHING, None)
    second.write([b"second"])
    first.write([b"first"])
    second.commit(md5(b"second"))
    first.commit(md5(b"first"))
    assert content(store, bucket, "k") == b"first"


# ---------------------------------------------------------------- create only


@pytest.mark.parametrize("key", ["k", "a/k", "dir/"])
@pytest.mark.parametrize("data", [b"", b"x"])
def test_create_only(store: IStore, bucket: str, key: str, data: bytes) -> None:
    info = put(store, bucket, key, data, FULL, "alice", create_only=True)
    for other in (b"", b"other"):
        with pytest.raises(ObjectExists):
            put(store, bucket, key, other, NOTHING, "bob", create_only=True)
    assert get(store, bucket, key) == (info, data)
    assert listed(store, bucket) == [key]
    store.objects.delete(bucket, key)
    put(store, bucket, key, b"again", create_only=True)
    assert content(store, bucket, key) == b"again"


def test_create_only_is_decided_at_commit(store: IStore, bucket: str) -> None:
    writer = store.objects.create(bucket, "k", NOTHING, None, new_if(True))
    writer.write([b"late"])
    info = put(store, bucket, "k", b"early")
    with pytest.raises(ObjectExists):
        writer.commit(md5(b"late"))
    writer.abort()
    assert get(store, bucket, "k") == (info, b"early")


def test_create_only_beside_the_other_kind(store: IStore, bucket: str) -> None:
    put(store, bucket, "a/b", b"1")
    put(store, bucket, "a", b"2", create_only=True)
    put(store, bucket, "a/", b"", create_only=True)
    assert listed(store, bucket) == ["a", "a/", "a/b"]
    with pytest.raises(ObjectExists):
        put(store, bucket, "a", b"3", create_only=True)


# ---------------------------------------------------------------- readers


def test_read_ranges(store: IStore, bucket: str) -> None:
    data = bytes(range(256)) * 300
    put(store, bucket, "k", data)
    reader = store.objects.open(bucket, "k")
    assert verifyObject(IReader, reader)
    for offset, size in [(0, 1), (5, 10), (0, len(data)), (len(data) - 3, 100), (len(data), 1)]:
        assert reader.read(offset, size) == data[offset : offset + size]
    assert reader.read(len(data) + 5, 3) == b""
    assert reader.read(3, 0) == b""
    reader.close()
    reader.close()


def test_fileno_gives_the_same_bytes(store: IStore, bucket: str) -> None:
    put(store, bucket, "k", b"hello")
    reader = store.objects.open(bucket, "k")
    fd = reader.fileno()
    if fd is not None:
        assert Path(f"/proc/self/fd/{fd}").read_bytes() == b"hello"
    assert reader.fileno() == fd
    reader.close()


@pytest.mark.parametrize("key", ["k", "a/k", "dir/"])
def test_a_reader_keeps_its_version(store: IStore, bucket: str, key: str) -> None:
    info = put(store, bucket, key, b"old", FULL)
    overwritten = store.objects.open(bucket, key)
    put(store, bucket, key, b"new")
    deleted = store.objects.open(bucket, key)
    store.objects.delete(bucket, key)
    assert (overwritten.info, overwritten.read(0, 10)) == (info, b"old")
    assert (deleted.info.etag, deleted.read(0, 10)) == (md5(b"new"), b"new")
    overwritten.close()
    deleted.close()


# ---------------------------------------------------------------- what is not there

Call = Callable[[IStore, str, str], object]
CALLS: dict[str, Call] = {
    "open": lambda store, bucket, key: store.objects.open(bucket, key),
    "stat": lambda store, bucket, key: store.objects.stat(bucket, key),
    "set_tags": lambda store, bucket, key: store.objects.set_tags(bucket, key, (("a", "1"),)),
    "delete": lambda store, bucket, key: store.objects.delete(bucket, key),
    "create": lambda store, bucket, key: put(store, bucket, key, b"1"),
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
@pytest.mark.parametrize("name", ["missing", "bucket:missing", "bucket:file", "..", ""])
def test_no_such_bucket(store: IStore, bucket: str, call: Call, name: str) -> None:
    put(store, bucket, "file", b"1")
    with pytest.raises(NoSuchBucket):
        call(store, name, "k")


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
@pytest.mark.parametrize(
    ("key", "error"),
    [
        ("", BadKey),
        ("a\0b", BadKey),
        ("\ud800", BadKey),
        ("k" * 1025, KeyTooLong),
        ("é" * 513, KeyTooLong),
        ("a/" * 512 + "b", KeyTooLong),
    ],
)
def test_no_key(
    store: IStore, bucket: str, call: Call, key: str, error: type[StorageError]
) -> None:
    with pytest.raises(error):
        call(store, bucket, key)
    assert listed(store, bucket, folders=True) == []


@pytest.mark.parametrize("present", ["k", "k/x", "k/x/y"])
@pytest.mark.parametrize("key", ["K", "kk", "k/x//", "k/x/y/z", "k/y", "x/k", "/k", "k//x", "./k"])
def test_no_such_key(store: IStore, bucket: str, present: str, key: str) -> None:
    put(store, bucket, present, b"1")
    before = listed(store, bucket, folders=True)
    for call in ("open", "stat", "set_tags"):
        with pytest.raises(NoSuchKey):
            CALLS[call](store, bucket, key)
    assert store.objects.delete(bucket, key) is False
    assert listed(store, bucket, folders=True) == before
    assert content(store, bucket, present) == b"1"


def test_list_of_no_bucket(store: IStore) -> None:
    with pytest.raises(NoSuchBucket):
        listed(store, "missing")


def test_bucket_deleted_under_a_writer(store: IStore, bucket: str) -> None:
    for key in ("k", "a/k", "dir/"):
        writer = store.objects.create(bucket, key, NOTHING, None)
        writer.write([b"x"])
        store.buckets.delete(bucket)
        with pytest.raises(NoSuchBucket):
            writer.commit(md5(b"x"))
        writer.abort()
        with pytest.raises(NoSuchBucket):
            store.buckets.get(bucket)
        store.buckets.create(bucket, None)
        assert listed(store, bucket, folders=True) == []


def test_bucket_made_anew_under_a_writer(store: IStore, bucket: str) -> None:
    """The new bucket is another one, perhaps somebody else's."""
    writer = store.objects.create(bucket, "k", NOTHING, None)
    writer.write([b"x"])
    store.buckets.delete(bucket)
    store.buckets.create(bucket, "bob")
    with pytest.raises(NoSuchBucket):
        writer.commit(md5(b"x"))
    writer.abort()
    assert listed(store, bucket, folders=True) == []


# ---------------------------------------------------------------- copy


def test_copy(store: IStore, bucket: str) -> None:
    store.buckets.create("other", "bob")
    source = put(store, bucket, "a", b"data", FULL, "alice")
    info = copy(store, (bucket, "a"), ("other", "x/y"), NOTHING, "bob")
    assert (info.key, info.size, info.etag, info.owner) == ("x/y", 4, md5(b"data"), "bob")
    assert info.attributes == NOTHING
    assert get(store, "other", "x/y") == (info, b"data")
    assert get(store, bucket, "a") == (source, b"data")


def test_copy_over_another(store: IStore, bucket: str) -> None:
    put(store, bucket, "a", b"data")
    put(store, bucket, "b", b"something else", FULL)
    info = copy(store, (bucket, "a"), (bucket, "b"))
    assert get(store, bucket, "b") == (info, b"data")
    assert info.attributes == NOTHING


def test_copy_onto_itself(store: IStore, bucket: str) -> None:
    put(store, bucket, "a", b"data", FULL, "alice")
    replaced = Attributes(metadata={"new": "1"})
    info = copy(store, (bucket, "a"), (bucket, "a"), replaced, "bob")
    assert (info.attributes, info.owner, info.etag) == (replaced, "bob", md5(b"data"))
    assert get(store, bucket, "a") == (info, b"data")
    assert listed(store, bucket) == ["a"]


def test_copies_are_apart(store: IStore, bucket: str) -> None:
    put(store, bucket, "a", b"data")
    copy(store, (bucket, "a"), (bucket, "b"))
    put(store, bucket, "a", b"other")
    store.objects.set_tags(bucket, "a", (("t", "1"),))
    assert content(store, bucket, "b") == b"data"
    assert store.objects.stat(bucket, "b").attributes.tags == ()


def test_copy_of_parts_has_a_plain_etag(store: IStore, bucket: str) -> None:
    put_in_parts(store, bucket, "a", b"one", b"two!")
    info = copy(store, (bucket, "a"), (bucket, "b"))
    assert (info.etag, info.part_sizes, info.upload_id) == (md5(b"onetwo!"), (), None)
    assert get(store, bucket, "b") == (info, b"onetwo!")
    info = copy(store, (bucket, "a"), (bucket, "a"))
    assert (info.etag, info.part_sizes, info.upload_id) == (md5(b"onetwo!"), (), None)
    assert get(store, bucket, "a") == (info, b"onetwo!")


def test_copy_create_only(store: IStore, bucket: str) -> None:
    put(store, bucket, "a", b"data")
    copy(store, (bucket, "a"), (bucket, "b"), create_only=True)
    put(store, bucket, "a", b"other")
    for target in ("a", "b"):
        with pytest.raises(ObjectExists):
            copy(store, (bucket, "a"), (bucket, target), create_only=True)
    assert content(store, bucket, "b") == b"data"


def test_copy_of_a_version_that_is_gone(store: IStore, bucket: str) -> None:
    put(store, bucket, "a", b"data")
    reader = store.objects.open(bucket, "a")
    store.objects.delete(bucket, "a")
    info = store.objects.copy(reader, bucket, "b", NOTHING, None)
    reader.close()
    assert get(store, bucket, "b") == (info, b"data")


def test_the_reader_of_a_copy_stays_open(store: IStore, bucket: str) -> None:
    put(store, bucket, "a", b"data")
    reader = store.objects.open(bucket, "a")
    store.objects.copy(reader, bucket, "b", NOTHING, None)
    assert reader.read(0, 10) == b"data"
    reader.close()


@pytest.mark.parametrize(
    ("target", "key", "error"),
    [
        ("missing", "b", NoSuchBucket),
        ("bucket", "", BadKey),
        ("bucket", "k" * 1025, KeyTooLong),
    ],
)
def test_copy_to_nowhere(
    store: IStore, bucket: str, target: str, key: str, error: type[StorageError]
) -> None:
    put(store, bucket, "a", b"data")
    with pytest.raises(error):
        copy(store, (bucket, "a"), (target, key))
    assert listed(store, bucket, folders=True) == ["a"]


@pytest.mark.parametrize("source", ["dir/", "name"])
@pytest.mark.parametrize("target", ["other/", "other"])
@pytest.mark.parametrize("data", [b"", b"x"])
def test_copy_between_kinds(
    store: IStore, bucket: str, source: str, target: str, data: bytes
) -> None:
    put(store, bucket, source, data)
    info = copy(store, (bucket, source), (bucket, target), FULL)
    assert get(store, bucket, target) == (info, data)
    assert (info.etag, info.attributes, info.folder) == (md5(data), FULL, False)


def test_copy_of_a_folder(store: IStore, bucket: str) -> None:
    put(store, bucket, "dir/x", b"1")
    info = copy(store, (bucket, "dir/"), (bucket, "other"))
    assert (info.size, info.etag, info.folder) == (0, md5(b""), False)
    assert content(store, bucket, "other") == b""


# ---------------------------------------------------------------- tags


@pytest.mark.parametrize("key", ["k", "a/k", "dir/"])
@pytest.mark.parametrize("data", [b"", b"x"])
def test_set_tags(store: IStore, bucket: str, key: str, data: bytes) -> None:
    before = put(store, bucket, key, data, FULL, "alice")
    tags = (("b", "2"), ("a", "1"))
    info = store.objects.set_tags(bucket, key, tags)
    assert info.attributes.tags == tags
    assert info.attributes.metadata == FULL.metadata
    assert info.attributes.system == FULL.system
    assert (info.etag, info.size, info.owner) == (before.etag, before.size, before.owner)
    assert info.modified_ns == before.modified_ns
    assert get(store, bucket, key) == (info, data)
    assert store.objects.set_tags(bucket, key, ()).attributes.tags == ()
    assert store.objects.stat(bucket, key).attributes.tags == ()


def test_set_large_tags(store: IStore, bucket: str) -> None:
    put(store, bucket, "k", b"x", FULL)
    store.objects.set_tags(bucket, "k", LARGE.tags)
    assert store.objects.stat(bucket, "k").attributes.tags == LARGE.tags
    store.objects.set_tags(bucket, "k", (("small", "1"),))
    info, data = get(store, bucket, "k")
    assert (info.attributes.tags, info.attributes.metadata) == ((("small", "1"),), FULL.metadata)
    assert (info.etag, data) == (md5(b"x"), b"x")


def test_tags_of_parts(store: IStore, bucket: str) -> None:
    before = put_in_parts(store, bucket, "k", b"one", b"two!")
    info = store.objects.set_tags(bucket, "k", (("a", "1"),))
    assert (info.etag, info.part_sizes, info.upload_id) == (
        before.etag,
        before.part_sizes,
        before.upload_id,
    )


# ---------------------------------------------------------------- delete


def test_delete(store: IStore, bucket: str) -> None:
    put(store, bucket, "k", b"1")
    assert store.objects.delete(bucket, "k") is True
    with pytest.raises(NoSuchKey):
        store.objects.stat(bucket, "k")
    assert store.objects.delete(bucket, "k") is False
    assert listed(store, bucket, folders=True) == []


def test_delete_prunes(store: IStore, bucket: str) -> None:
    put(store, bucket, "a/b/c/k", b"1")
    put(store, bucket, "a/l", b"1")
    store.objects.delete(bucket, "a/b/c/k")
    assert listed(store, bucket, folders=True) == ["a/", "a/l"]
    store.objects.delete(bucket, "a/l")
    assert listed(store, bucket, folders=True) == []


def test_delete_many(store: IStore, bucket: str) -> None:
    for key in ("a", "b/c", "b/d", "b/", "e/f/g", "stays"):
        put(store, bucket, key, b"1")
    kept = Condition(etag=md5(b"2"))
    wanted = [
        ("a", ALWAYS),
        ("none", ALWAYS),
        ("b/d", ALWAYS),
        ("b/c", Condition(etag=md5(b"1"))),
        ("b/", ALWAYS),
        ("stays", kept),
        ("gone", Condition(etag="*")),
        ("e/f/g", ALWAYS),
        ("x" * 1025, ALWAYS),
        ("a", ALWAYS),
    ]
    results = store.objects.delete_many(bucket, wanted)
    kinds = [None if result is None else type(result) for result in results]
    assert kinds == [None] * 5 + [ConditionFailed, NoSuchKey, None, KeyTooLong, None]
    assert listed(store, bucket) == ["stays"]
    assert [entry.key for entry in store.objects.list(bucket, ListQuery(folders=True)).objects] == [
        "stays"
    ]
    assert store.objects.delete_many(bucket, []) == []
    with pytest.raises(NoSuchBucket):
        store.objects.delete_many("none", wanted)


def test_delete_many_without_pruning(store: IStore, bucket: str) -> None:
    put(store, bucket, "a/b/c", b"1")
    assert store.objects.delete_many(bucket, [("a/b/c", ALWAYS)], prune=False) == [None]
    folders = store.objects.list(bucket, ListQuery(folders=True)).objects
    assert [entry.key for entry in folders] == ["a/", "a/b/"]


def test_delete_without_pruning(store: IStore, bucket: str) -> None:
    put(store, bucket, "a/b/k", b"1")
    assert store.objects.delete(bucket, "a/b/k", prune=False) is True
    assert listed(store, bucket, folders=True) == ["a/", "a/b/"]
    assert listed(store, bucket) == []
    put(store, bucket, "a/b/l", b"1")
    store.objects.delete(bucket, "a/b/l")
    assert listed(store, bucket, folders=True) == []


def test_pruning_spares_what_was_put(store: IStore, bucket: str) -> None:
    put(store, bucket, "a/", b"")
    put(store, bucket, "a/b/k", b"1")
    store.objects.delete(bucket, "a/b/k")
    assert listed(store, bucket) == ["a/"]
    assert listed(store, bucket, folders=True) == ["a/"]


def test_deleting_nothing_prunes_nothing(store: IStore, bucket: str) -> None:
    put(store, bucket, "a/b/k", b"1")
    store.objects.delete(bucket, "a/b/k", prune=False)
    assert store.objects.delete(bucket, "a/b/x") is False
    assert listed(store, bucket, folders=True) == ["a/", "a/b/"]
