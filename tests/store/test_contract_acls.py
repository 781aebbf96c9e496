"""Access control lists of buckets, objects and uploads: what every store promises of them."""

from __future__ import annotations

import attrs
import pytest

from s3daemon.store.interfaces import (
    Attributes,
    BucketInfo,
    IStore,
    NoSuchBucket,
    NoSuchKey,
    ObjectInfo,
    StorageError,
)
from s3daemon.wire.grants import GROUP, PERMISSIONS, USER, Grant, Grants, private
from tests.store.tools import copy, get, listed, md5, put, put_part

SHORT: Grants = (Grant(GROUP, "AllUsers", "READ"), Grant(USER, "älice", "FULL_CONTROL"))
#: As long as S3 allows, and too long for the attributes of most file systems.
LONG: Grants = tuple(
    Grant(USER, f"{number:064d}", PERMISSIONS[number % len(PERMISSIONS)]) for number in range(100)
)
LISTS = [None, (), SHORT, LONG]
IDS = ["never", "empty", "short", "long"]


class Refused(Exception):
    """What somebody decides who does not want the change."""


def refuse(info: object) -> Grants:
    raise Refused


def test_ownership_of_a_bucket(store: IStore) -> None:
    assert store.buckets.create("b", "alice").ownership is None
    assert store.buckets.get("b").ownership is None
    store.buckets.delete("b")
    made = store.buckets.create("b", "alice", "BucketOwnerPreferred")
    assert (made.acl, made.ownership) == (None, "BucketOwnerPreferred")
    assert store.buckets.get("b") == made
    assert list(store.buckets.list()) == [made]


@pytest.mark.parametrize("acl", LISTS, ids=IDS)
@pytest.mark.parametrize("before", LISTS, ids=IDS)
def test_of_a_bucket(store: IStore, before: Grants | None, acl: Grants | None) -> None:
    tags = (("a", "1"),)
    made = store.buckets.create("b", "alice", "BucketOwnerPreferred")
    store.buckets.set_acl("b", lambda _: before)
    made = attrs.evolve(made, acl=before)
    store.buckets.set_tags("b", tags)
    seen: list[BucketInfo] = []

    def decide(info: BucketInfo) -> Grants | None:
        seen.append(info)
        return acl

    store.buckets.set_acl("b", decide)
    assert seen == [attrs.evolve(made, tags=tags)]
    assert store.buckets.get("b") == attrs.evolve(made, tags=tags, acl=acl)
    store.buckets.set_tags("b", None)
    assert store.buckets.get("b") == attrs.evolve(made, acl=acl)


def test_a_bucket_that_nobody_decides_to_change(store: IStore) -> None:
    store.buckets.create("b", "alice")
    store.buckets.set_acl("b", lambda _: SHORT)
    made = store.buckets.get("b")
    with pytest.raises(Refused):
        store.buckets.set_acl("b", refuse)
    assert store.buckets.get("b") == made
    for name in ("missing", "..", "b:missing"):
        with pytest.raises(NoSuchBucket):
            store.buckets.set_acl(name, refuse)


@pytest.mark.parametrize("key", ["k", "a/k", "dir/", "l" * 300])
@pytest.mark.parametrize("data", [b"", b"x"])
@pytest.mark.parametrize("acl", LISTS, ids=IDS)
def test_of_an_object(
    store: IStore, bucket: str, key: str, data: bytes, acl: Grants | None
) -> None:
    attributes = Attributes({"content-type": "t/x"}, {"m": "1"}, (("t", "1"),), acl)
    made = put(store, bucket, key, data, attributes)
    assert made.attributes == attributes
    assert get(store, bucket, key) == (made, data)
    assert store.objects.stat(bucket, key) == made
    assert listed(store, bucket) == [key]
    tagged = store.objects.set_tags(bucket, key, (("u", "2"),))
    assert tagged.attributes == attrs.evolve(attributes, tags=(("u", "2"),))


@pytest.mark.parametrize("key", ["k", "dir/"])
@pytest.mark.parametrize("acl", LISTS, ids=IDS)
@pytest.mark.parametrize("before", LISTS, ids=IDS)
def test_of_an_object_that_is_there(
    store: IStore, bucket: str, key: str, before: Grants | None, acl: Grants | None
) -> None:
    attributes = Attributes({"content-type": "t/x"}, {"m": "1"}, (("t", "1"),), before)
    made = put(store, bucket, key, b"", attributes)
    seen: list[ObjectInfo] = []

    def decide(info: ObjectInfo) -> Grants | None:
        seen.append(info)
        return acl

    changed = store.objects.set_acl(bucket, key, decide)
    assert seen == [made]
    assert changed == attrs.evolve(made, attributes=attrs.evolve(attributes, acl=acl))
    assert get(store, bucket, key) == (changed, b"")


def test_a_new_object_has_a_new_list(store: IStore, bucket: str) -> None:
    for key in ("k", "dir/"):
        put(store, bucket, key, b"x", Attributes(acl=SHORT))
        put(store, bucket, key, b"x")
        assert store.objects.stat(bucket, key).attributes.acl is None
        store.objects.set_acl(bucket, key, lambda _: SHORT)
        store.objects.delete(bucket, key)
        put(store, bucket, key)
        assert store.objects.stat(bucket, key).attributes.acl is None


def test_a_copy_has_the_list_that_it_is_given(store: IStore, bucket: str) -> None:
    put(store, bucket, "k", b"x", Attributes(acl=SHORT))
    copy(store, (bucket, "k"), (bucket, "copy"))
    assert store.objects.stat(bucket, "copy").attributes.acl is None


@pytest.mark.parametrize("acl", LISTS, ids=IDS)
def test_of_an_upload(store: IStore, bucket: str, acl: Grants | None) -> None:
    upload = store.uploads.create(bucket, "k", Attributes(acl=acl), "bob")
    assert store.uploads.get(bucket, "k", upload.upload_id) == upload
    assert upload.attributes.acl == acl
    part = put_part(store, bucket, upload, 1, b"x")
    info = store.uploads.complete(bucket, "k", upload.upload_id, [(1, part.etag)])
    assert info.attributes.acl == acl
    assert store.objects.stat(bucket, "k") == info
    assert info.etag == f"{md5(bytes.fromhex(part.etag))}-1"


def test_objects_that_nobody_decides_to_change(store: IStore, bucket: str) -> None:
    made = put(store, bucket, "a/k", b"x", Attributes(acl=SHORT))
    with pytest.raises(Refused):
        store.objects.set_acl(bucket, "a/k", refuse)
    assert store.objects.stat(bucket, "a/k") == made
    for key in ("missing", "a", "a/", "a/k/"):
        with pytest.raises(NoSuchKey):
            store.objects.set_acl(bucket, key, refuse)
    with pytest.raises(NoSuchBucket):
        store.objects.set_acl("missing", "a/k", refuse)
    with pytest.raises(StorageError):
        store.objects.set_acl(bucket, "a\0k", refuse)


def test_private_is_the_owners_alone() -> None:
    assert private("alice") == (Grant(USER, "alice", "FULL_CONTROL"),)
