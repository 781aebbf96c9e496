"""What IBuckets promises, on every store."""

from __future__ import annotations

import time

import attrs
import pytest
from zope.interface.verify import verifyObject

from s3daemon.store.interfaces import (
    BadBucketName,
    BucketExists,
    BucketNotEmpty,
    IBuckets,
    IObjects,
    IStore,
    IUploads,
    NoSuchBucket,
    NoSuchUpload,
)
from tests.store.tools import begin, content, listed, put, put_part

#: Names that no directory can have, or that are ours or the file system's.
BAD_NAMES = [
    "",
    ".",
    "..",
    "a/b",
    "/a",
    "a\0b",
    "a\ud800",
    "x" * 256,
    ":",
    "bucket:",
    ":bucket",
    "bucket::c",
    "bucket:..",
    "bucket:../bucket",
    "_s3_multipart_tmp",
    "bucket:_s3_multipart_tmp",
    ".s3gate",
    "bucket:.s3gate",
    ".s3gate%d+x",
    "lost+found",
]


def test_interfaces(store: IStore) -> None:
    assert verifyObject(IStore, store)
    assert verifyObject(IBuckets, store.buckets)
    assert verifyObject(IObjects, store.objects)
    assert verifyObject(IUploads, store.uploads)


def test_create(store: IStore) -> None:
    before = time.time_ns()
    made = store.buckets.create("b", "alice")
    after = time.time_ns()
    assert (made.name, made.owner, made.tags) == ("b", "alice", None)
    assert before - 10**9 <= made.created_ns <= after + 10**9
    assert store.buckets.get("b") == made


def test_create_without_owner(store: IStore) -> None:
    store.buckets.create("b", None)
    assert store.buckets.get("b").owner is None


@pytest.mark.parametrize("owner", ["alice", "bob", None])
def test_create_twice(store: IStore, owner: str | None) -> None:
    made = store.buckets.create("b", "alice")
    with pytest.raises(BucketExists):
        store.buckets.create("b", owner)
    assert store.buckets.get("b") == made


@pytest.mark.parametrize("name", BAD_NAMES)
def test_impossible_name(store: IStore, bucket: str, name: str) -> None:
    with pytest.raises(BadBucketName):
        store.buckets.create(name, "alice")
    with pytest.raises(NoSuchBucket):
        store.buckets.get(name)
    with pytest.raises(NoSuchBucket):
        store.buckets.delete(name)
    with pytest.raises(NoSuchBucket):
        listed(store, name)
    assert [info.name for info in store.buckets.list()] == [bucket]


@pytest.mark.parametrize("name", ["b" * 255, "Ü", "a b", "UPPER", "a.b", "-", "100%", "a\nb"])
def test_any_other_name(store: IStore, name: str) -> None:
    store.buckets.create(name, "alice")
    put(store, name, "k", b"1")
    assert [info.name for info in store.buckets.list()] == [name]
    assert listed(store, name) == ["k"]
    store.objects.delete(name, "k")
    store.buckets.delete(name)
    assert list(store.buckets.list()) == []


def test_list_is_sorted(store: IStore) -> None:
    made = [
        store.buckets.create(n, o) for n, o in [("b", "x"), ("a-b", None), ("é", "z"), ("a", "y")]
    ]
    assert list(store.buckets.list()) == [made[3], made[1], made[0], made[2]]


def test_no_such_bucket(store: IStore) -> None:
    with pytest.raises(NoSuchBucket):
        store.buckets.get("b")
    with pytest.raises(NoSuchBucket):
        store.buckets.delete("b")
    with pytest.raises(NoSuchBucket):
        store.buckets.set_tags("b", ())


def test_tags(store: IStore) -> None:
    made = store.buckets.create("b", "alice")
    tags = (("b", "2"), ("a", "é"), ("empty", ""))
    store.buckets.set_tags("b", tags)
    found = store.buckets.get("b")
    assert found.tags == tags
    assert (found.owner, found.created_ns) == (made.owner, made.created_ns)
    assert list(store.buckets.list()) == [found]
    store.buckets.set_tags("b", (("c", "3"),))
    assert store.buckets.get("b").tags == (("c", "3"),)
    store.buckets.set_tags("b", None)
    assert store.buckets.get("b") == made


def test_tags_stay_when_objects_come_and_go(store: IStore) -> None:
    made = store.buckets.create("b", "alice")
    store.buckets.set_tags("b", (("a", "1"),))
    put(store, "b", "x/y", b"1")
    store.objects.delete("b", "x/y")
    found = store.buckets.get("b")
    assert (found.tags, found.created_ns, found.owner) == ((("a", "1"),), made.created_ns, "alice")


def test_delete(store: IStore) -> None:
    store.buckets.create("b", "alice")
    store.buckets.delete("b")
    assert list(store.buckets.list()) == []
    with pytest.raises(NoSuchBucket):
        store.buckets.get("b")
    with pytest.raises(NoSuchBucket):
        store.buckets.delete("b")


def test_a_bucket_made_again_is_empty_and_new(store: IStore) -> None:
    store.buckets.create("b", "alice")
    store.buckets.set_tags("b", (("a", "1"),))
    upload = begin(store, "b", "k")
    store.buckets.delete("b")
    made = store.buckets.create("b", "bob")
    assert (made.owner, made.tags) == ("bob", None)
    with pytest.raises(NoSuchUpload):
        store.uploads.get("b", "k", upload.upload_id)


@pytest.mark.parametrize("key", ["k", "a/b/c", "dir/", "a//b", ".s3gate/x", "_s3_multipart_tmp/x"])
@pytest.mark.parametrize("data", [b"", b"1"])
def test_delete_with_an_object(store: IStore, bucket: str, key: str, data: bytes) -> None:
    put(store, bucket, key, data)
    with pytest.raises(BucketNotEmpty):
        store.buckets.delete(bucket)
    assert content(store, bucket, key) == data
    store.objects.delete(bucket, key)
    store.buckets.delete(bucket)
    assert list(store.buckets.list()) == []


@pytest.mark.parametrize("key", ["a/b/c", "a//b", "a/../b"])
def test_delete_with_empty_directories(store: IStore, bucket: str, key: str) -> None:
    put(store, bucket, key, b"1")
    store.objects.delete(bucket, key, prune=False)
    assert listed(store, bucket, folders=True)
    store.buckets.delete(bucket)
    assert list(store.buckets.list()) == []


def test_delete_with_uploads(store: IStore, bucket: str) -> None:
    upload = begin(store, bucket, "k")
    put_part(store, bucket, upload, 1, b"1")
    store.buckets.delete(bucket)
    assert list(store.buckets.list()) == []


# ---------------------------------------------------------------- a:b


def test_nested_bucket(store: IStore, bucket: str) -> None:
    made = store.buckets.create("bucket:in", "bob")
    assert made.name == "bucket:in"
    assert store.buckets.get("bucket:in") == made
    assert [info.name for info in store.buckets.list()] == [bucket]
    with pytest.raises(BucketExists):
        store.buckets.create("bucket:in", "bob")


def test_nested_bucket_is_a_part_of_its_parent(store: IStore, bucket: str) -> None:
    store.buckets.create("bucket:in", "bob")
    put(store, "bucket:in", "x/y", b"1")
    assert listed(store, bucket) == ["in/x/y"]
    assert content(store, bucket, "in/x/y") == b"1"
    put(store, bucket, "in/z", b"2")
    assert listed(store, "bucket:in") == ["x/y", "z"]
    assert store.objects.stat("bucket:in", "z").key == "z"


def test_directory_as_a_bucket(store: IStore, bucket: str) -> None:
    put(store, bucket, "d/e/k", b"1")
    found = store.buckets.get("bucket:d:e")
    assert (found.name, found.owner, found.tags) == ("bucket:d:e", None, None)
    assert content(store, "bucket:d:e", "k") == b"1"
    with pytest.raises(BucketExists):
        store.buckets.create("bucket:d", "bob")


def test_nested_bucket_without_parent(store: IStore, bucket: str) -> None:
    with pytest.raises(NoSuchBucket):
        store.buckets.create("other:in", "bob")
    with pytest.raises(NoSuchBucket):
        store.buckets.create("bucket:no:in", "bob")


def test_nested_bucket_where_a_file_is(store: IStore, bucket: str) -> None:
    put(store, bucket, "file", b"1")
    with pytest.raises(BadBucketName):
        store.buckets.create("bucket:file", "bob")
    with pytest.raises(NoSuchBucket):
        store.buckets.get("bucket:file")
    assert content(store, bucket, "file") == b"1"


def test_delete_nested_bucket(store: IStore, bucket: str) -> None:
    store.buckets.create("bucket:in", "bob")
    put(store, "bucket:in", "k", b"1")
    with pytest.raises(BucketNotEmpty):
        store.buckets.delete("bucket:in")
    store.objects.delete("bucket:in", "k")
    assert store.buckets.get("bucket:in").owner == "bob", "pruning stops at a bucket"
    store.buckets.delete("bucket:in")
    with pytest.raises(NoSuchBucket):
        store.buckets.get("bucket:in")
    assert [info.name for info in store.buckets.list()] == [bucket]


def test_pruning_spares_a_nested_bucket(store: IStore, bucket: str) -> None:
    store.buckets.create("bucket:in", "bob")
    put(store, bucket, "in/a/b", b"1")
    store.objects.delete(bucket, "in/a/b")
    assert store.buckets.get("bucket:in").owner == "bob"
    assert listed(store, bucket, folders=True) == ["in/"]


@pytest.mark.parametrize("prune", [True, False])
def test_deleting_a_folder_spares_the_bucket_that_it_is(store: IStore, prune: bool) -> None:
    store.buckets.create("top", "alice")
    store.buckets.create("top:in", "bob")
    store.objects.delete("top", "in/", prune)
    assert store.buckets.get("top:in").owner == "bob"


def test_a_level_of_durability(store: IStore, bucket: str) -> None:
    assert store.buckets.get(bucket).durability is None
    before = store.buckets.get(bucket)
    for level in ("relaxed", "data", "strict"):
        store.buckets.set_durability(bucket, level)
        assert store.buckets.get(bucket) == attrs.evolve(before, durability=level)
    put(store, bucket, "k", b"1")
    assert content(store, bucket, "k") == b"1"
    store.buckets.set_tags(bucket, (("a", "1"),))
    store.buckets.set_acl(bucket, lambda _: None)
    assert store.buckets.get(bucket).durability == "strict"
    assert [info.durability for info in store.buckets.list()] == ["strict"]
    store.buckets.set_durability(bucket, None)
    assert store.buckets.get(bucket) == attrs.evolve(before, tags=(("a", "1"),))


def test_a_level_is_of_top_level_buckets(store: IStore, bucket: str) -> None:
    with pytest.raises(NoSuchBucket):
        store.buckets.set_durability("none", "data")
    store.buckets.create(f"{bucket}:in", "alice")
    with pytest.raises(BadBucketName, match="has the level of that one"):
        store.buckets.set_durability(f"{bucket}:in", "data")


def test_a_level_goes_with_its_bucket(store: IStore, bucket: str) -> None:
    store.buckets.set_durability(bucket, "relaxed")
    store.buckets.delete(bucket)
    store.buckets.create(bucket, "alice")
    assert store.buckets.get(bucket).durability is None
