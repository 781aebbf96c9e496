"""The bucket that an action gets, and who may have it."""

from __future__ import annotations

import attrs
import pytest

from s3daemon.actions.base import Context
from s3daemon.auth.identity import Identity
from s3daemon.auth.policy import Policy
from s3daemon.store.interfaces import Attributes, NoSuchBucket, NoSuchKey
from s3daemon.store.memory import MemoryStore
from s3daemon.wire.errors import AccessDenied
from s3daemon.wire.grants import Grant
from tests.support.actions import PEOPLE


@pytest.fixture
def store():
    store = MemoryStore()
    store.buckets.create("hers", "alice")
    store.buckets.create("open", None)
    writer = store.objects.create("hers", "folder/deep/key", Attributes(), "alice")
    writer.commit("d41d8cd98f00b204e9800998ecf8427e")
    return store


def context(store, who, after=lambda: None, **more):
    return Context(
        buckets=store.buckets,
        objects=Counting(store.objects, after),
        uploads=store.uploads,
        caller=Identity(who, who, who),
        operation="GetObject",
        may=Policy().may,
        users=PEOPLE,
        **more,
    )


@pytest.mark.parametrize("name", ["hers", "hers:folder", "hers:folder:deep"])
def test_a_directory_inside_a_bucket_is_its_bucket_owners(store, name):
    assert context(store, "alice").bucket(name).owner == "alice"
    with pytest.raises(AccessDenied):
        context(store, "bob").bucket(name, operation="ListObjects")


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


LISTED = (Grant("user", "bob", "READ"),)


class Counting:
    """Objects that change while they are looked at, and readers that tell whether they are shut."""

    def __init__(self, objects, after):
        self._objects = objects
        self._after = after
        self.open_readers = 0

    def open(self, bucket, key):
        try:
            reader = self._objects.open(bucket, key)
        finally:
            self._after()
        self.open_readers += 1
        shut = reader.close

        def close():
            self.open_readers -= 1
            shut()

        reader.close = close
        return reader

    def stat(self, bucket, key):
        try:
            return self._objects.stat(bucket, key)
        finally:
            self._after()


def put(store, key, content, acl=None):
    writer = store.objects.create("hers", key, Attributes(acl=acl), "alice")
    writer.write([content])
    writer.commit("d41d8cd98f00b204e9800998ecf8427e")


def reading(store, who, acl=None, after=lambda: None):
    made = context(store, who, after=after)
    return made, attrs.evolve(made.look_up("hers"), acl=acl)


def test_an_object_is_given_to_whom_its_list_names(store):
    put(store, "k", b"listed", LISTED)
    put(store, "p", b"private")
    for who in ("alice", "bob"):
        made, hers = reading(store, who)
        reader = made.open(hers, "k")
        assert reader.read(0, 9) == b"listed"
        assert made.stat(hers, "k").size == 6
        reader.close()
        assert made.objects.open_readers == 0
    for what in (made.open, made.stat):
        with pytest.raises(AccessDenied):
            what(hers, "p")
        with pytest.raises(AccessDenied):
            what(hers, "missing")
    assert made.objects.open_readers == 0


def test_who_may_list_is_told_what_is_missing(store):
    for who in ("alice", "bob"):
        made, hers = reading(store, who, LISTED)
        for what in (made.open, made.stat):
            with pytest.raises(NoSuchKey):
                what(hers, "missing")


@pytest.mark.parametrize("method", ["open", "stat"])
def test_what_is_decided_on_is_what_is_given(store, method):
    """It is replaced by a private one just after it was looked at."""
    put(store, "k", b"listed", LISTED)
    made, hers = reading(store, "bob", after=lambda: put(store, "k", b"private one"))
    found = getattr(made, method)(hers, "k")
    assert getattr(found, "info", found).size == 6


@pytest.mark.parametrize("method", ["open", "stat"])
def test_what_was_missing_stays_missing(store, method):
    """It is put just after it was looked for: nobody has decided on it."""
    made, hers = reading(store, "bob", LISTED, after=lambda: put(store, "k", b"private one"))
    with pytest.raises(NoSuchKey):
        getattr(made, method)(hers, "k")
