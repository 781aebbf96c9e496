"""The bucket that an action gets, and who may have it."""

from __future__ import annotations

import pytest

from s3daemon.actions.base import Context
from s3daemon.auth.identity import Identity
from s3daemon.store.interfaces import Attributes, NoSuchBucket
from s3daemon.store.memory import MemoryStore
from s3daemon.wire.errors import AccessDenied


def only_owner(caller, operation, bucket, key):
    if bucket.owner not in (None, caller.id):
        raise AccessDenied


@pytest.fixture
def store():
    store = MemoryStore()
    store.buckets.create("hers", "alice")
    store.buckets.create("open", None)
    writer = store.objects.create("hers", "folder/deep/key", Attributes(), "alice")
    writer.commit("d41d8cd98f00b204e9800998ecf8427e")
    return store


def context(store, who, **more):
    return Context(
        buckets=store.buckets,
        objects=store.objects,
        uploads=store.uploads,
        caller=Identity(who, who, who),
        operation="ListObjects",
        may=only_owner,
        display_name=str,
        **more,
    )


@pytest.mark.parametrize("name", ["hers", "hers:folder", "hers:folder:deep"])
def test_a_directory_inside_a_bucket_is_its_bucket_owners(store, name):
    assert context(store, "alice").bucket(name).owner == "alice"
    with pytest.raises(AccessDenied):
        context(store, "bob").bucket(name)


def test_nobodys_bucket_and_missing_ones(store):
    assert context(store, "bob").bucket("open").owner is None
    with pytest.raises(NoSuchBucket):
        context(store, "bob").bucket("hers:none")


def test_expected_owner_is_about_the_target_only(store):
    assert context(store, "alice", expected_owner="alice").bucket("hers").owner == "alice"
    with pytest.raises(AccessDenied):
        context(store, "alice", expected_owner="bob").bucket("hers")
    other = context(store, "alice", expected_owner="bob")
    assert other.bucket("hers", "key", operation="GetObject").owner == "alice"
