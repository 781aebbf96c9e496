"""CreateBucket: who gets which name, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs
import pytest

from s3daemon.actions.create_bucket import ACTION, CreateBucket
from s3daemon.auth.policy import Policy
from s3daemon.store.interfaces import BucketExists, BucketInfo, NoSuchBucket
from s3daemon.store.memory import MemoryStore
from s3daemon.wire import errors
from s3daemon.wire.acl import Given
from s3daemon.wire.acl_errors import (
    AccessControlListNotSupported,
    InvalidBucketAclWithObjectOwnership,
)
from s3daemon.wire.grants import Grant
from s3daemon.wire.message import Personality
from tests.support.actions import World, parsed


@pytest.fixture
def world() -> World:
    return World(MemoryStore())


def configuration(inner: str) -> bytes:
    return (
        '<CreateBucketConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
        f"{inner}</CreateBucketConfiguration>"
    ).encode()


def constraint(region: str) -> bytes:
    return configuration(f"<LocationConstraint>{region}</LocationConstraint>")


def test_a_new_bucket(world: World) -> None:
    answer = world.run(ACTION, "abc")
    assert answer.status == 200
    assert parsed("CreateBucket", answer) == {"Location": "/abc"}
    assert world.store.buckets.get("abc").owner == "id-alice"


def test_again_by_its_owner_changes_nothing(world: World) -> None:
    world.run(ACTION, "abc")
    world.put("abc", "key")
    assert world.run(ACTION, "abc").status == 200
    assert world.store.objects.stat("abc", "key").key == "key"


def test_again_by_another(world: World) -> None:
    world.run(ACTION, "abc")
    with pytest.raises(errors.BucketAlreadyExists):
        world.run(ACTION, "abc", caller="bob")
    assert world.store.buckets.get("abc").owner == "id-alice"


def test_being_let_into_a_bucket_does_not_make_it_ones_own(world: World) -> None:
    world.run(ACTION, "abc")
    anybody = World(world.store, may=lambda *_: None)
    with pytest.raises(errors.BucketAlreadyExists):
        anybody.run(ACTION, "abc", caller="bob")


def test_a_directory_of_nobody_stays_nobodys(world: World) -> None:
    world.store.buckets.create("abc", None)
    assert world.run(ACTION, "abc").status == 200
    assert world.store.buckets.get("abc").owner is None


def test_a_directory_of_nobody_that_the_caller_may_not_use(world: World) -> None:
    world.store.buckets.create("abc", None)
    with pytest.raises(errors.BucketAlreadyExists):
        World(world.store, may=Policy(unowned_for_all=False).may).run(ACTION, "abc")


def test_a_bucket_that_is_being_deleted() -> None:
    class Vanishing:
        def create(self, name: str, owner: str | None, ownership: str | None = None) -> BucketInfo:
            raise BucketExists(name)

        def get(self, name: str) -> BucketInfo:
            raise NoSuchBucket(name)

    @attrs.define
    class Store:
        buckets: object
        objects: object = None
        uploads: object = None

    with pytest.raises(errors.OperationAborted):
        World(Store(Vanishing())).run(ACTION, "abc")  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["Upper", "a_b", "ab", "api", "..", ".hidden"])
def test_names_refused_on_an_aws_endpoint(world: World, name: str) -> None:
    with pytest.raises(errors.InvalidBucketName):
        world.run(ACTION, name)


@pytest.mark.parametrize("name", ["Upper", "a_b", "ab", "Bad_Bucket!!"])
def test_names_that_are_good_elsewhere(world: World, name: str) -> None:
    world.run(ACTION, name, personality=Personality.ALLUXIO)
    lax = World(MemoryStore(), limits=attrs.evolve(world.limits, strict_names=False))
    lax.run(ACTION, name)
    assert lax.store.buckets.get(name)
    assert world.store.buckets.get(name)


@pytest.mark.parametrize("name", ["api", "..", "a:.."])
def test_names_refused_everywhere(world: World, name: str) -> None:
    with pytest.raises(errors.InvalidBucketName):
        world.run(ACTION, name, personality=Personality.ALLUXIO)


def test_location_is_a_header_value(world: World) -> None:
    answer = world.run(ACTION, "b\u00fc ck", personality=Personality.ALLUXIO)
    assert answer.fields == (("Location", "/b%C3%BC%20ck"),)


def test_a_nested_bucket(world: World) -> None:
    world.run(ACTION, "abc")
    assert world.run(ACTION, "abc:def").fields == (("Location", "/abc:def"),)
    world.run(ACTION, "abc:def:ghi")
    assert world.store.buckets.get("abc:def:ghi").owner == "id-alice"


def test_a_nested_bucket_without_its_parent(world: World) -> None:
    with pytest.raises(NoSuchBucket):
        world.run(ACTION, "abc:def")


def test_no_nested_bucket_in_the_bucket_of_another(world: World) -> None:
    world.run(ACTION, "abc", caller="bob")
    with pytest.raises(errors.AccessDenied):
        world.run(ACTION, "abc:def")
    with pytest.raises(NoSuchBucket):
        world.store.buckets.get("abc:def")


@pytest.mark.parametrize(
    ("region", "document"),
    [
        ("us-east-1", b""),
        ("us-east-1", b" \n"),
        ("us-east-1", configuration("")),
        ("us-east-1", constraint("")),
        ("us-east-1", constraint("us-east-1")),
        ("us-east-1", constraint("US")),
        ("us-east-1", constraint("default")),
        ("eu-west-1", constraint("eu-west-1")),
        ("eu-west-1", constraint("EU")),
        ("eu-west-1", constraint("us-east-1")),
        ("my-place", constraint("my-place")),
        ("us-east-1", constraint("us-east-1").replace(b" xmlns=", b" other=")),
    ],
)
def test_location_constraint(region: str, document: bytes) -> None:
    World(MemoryStore(), region=region).run(ACTION, "abc", body=document)


@pytest.mark.parametrize(
    ("document", "error"),
    [
        (constraint("eu-west-1"), errors.IllegalLocationConstraintException),
        (constraint("EU"), errors.IllegalLocationConstraintException),
        (constraint("nowhere"), errors.InvalidLocationConstraint),
        (configuration("<Tags><Tag><Key>k</Key></Tag></Tags>"), errors.NotImplemented),
        (configuration("<Bucket><Type>Directory</Type></Bucket>"), errors.NotImplemented),
        (b"<Other/>", errors.MalformedXML),
        (b"<CreateBucketConfiguration>", errors.MalformedXML),
    ],
)
def test_configuration_refused(world: World, document: bytes, error: type[errors.S3Error]) -> None:
    with pytest.raises(error):
        world.run(ACTION, "abc", body=document)
    with pytest.raises(NoSuchBucket):
        world.store.buckets.get("abc")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("x-amz-acl", "private"),
        ("x-amz-bucket-object-lock-enabled", "false"),
        ("x-amz-bucket-namespace", "global"),
        ("x-amz-object-ownership", "BucketOwnerEnforced"),
        ("x-amz-object-ownership", "BucketOwnerPreferred"),
        ("x-amz-object-ownership", "ObjectWriter"),
    ],
)
def test_headers_that_are_true_anyway(world: World, name: str, value: str) -> None:
    world.run(ACTION, "abc", headers={name: value})


@pytest.mark.parametrize(
    ("name", "value", "error"),
    [
        ("x-amz-acl", "public", errors.InvalidArgument),
        ("x-amz-grant-read", "id=x", errors.InvalidArgument),
        ("x-amz-bucket-object-lock-enabled", "True", errors.NotImplemented),
        ("x-amz-bucket-namespace", "account-regional", errors.NotImplemented),
        ("x-amz-object-ownership", "Whoever", errors.InvalidArgument),
    ],
)
def test_headers_refused(
    world: World, name: str, value: str, error: Callable[..., errors.S3Error]
) -> None:
    with pytest.raises(error):  # type: ignore[call-overload]
        world.run(ACTION, "abc", headers={name: value})


READ_BY_ALL = (Grant("group", "AllUsers", "READ"), Grant("user", "id-alice", "FULL_CONTROL"))


@pytest.mark.parametrize(
    ("headers", "acl"),
    [
        ({}, None),
        ({"x-amz-acl": "private"}, None),
        ({"x-amz-acl": "bucket-owner-read"}, None),
        ({"x-amz-acl": "public-read"}, READ_BY_ALL),
        ({"x-amz-grant-write": 'id="id-bob"'}, (Grant("user", "id-bob", "WRITE"),)),
    ],
)
def test_lists(world: World, headers: dict[str, str], acl: Any) -> None:
    """Of a new bucket, and of one that the caller has already, whatever its list was."""
    world.run(ACTION, "abc", headers=headers)
    assert world.store.buckets.get("abc").acl == acl
    world.store.buckets.set_tags("abc", (("a", "1"),))
    for before in (None, (), READ_BY_ALL):
        world.store.buckets.set_acl("abc", lambda _, before=before: before)
        world.run(ACTION, "abc", personality=Personality.ALLUXIO)
        assert world.store.buckets.get("abc").acl == before
        world.run(ACTION, "abc", headers=headers)
        found = world.store.buckets.get("abc")
        assert (found.acl, found.tags) == (acl, (("a", "1"),))


def test_no_list_for_a_bucket_of_nobody_or_of_another(world: World) -> None:
    public = {"x-amz-acl": "public-read"}
    world.store.buckets.create("abc", None)
    world.run(ACTION, "abc", headers=public)
    assert world.store.buckets.get("abc").acl is None
    world.run(ACTION, "bcd", caller="bob")
    with pytest.raises(errors.BucketAlreadyExists):
        world.run(ACTION, "bcd", headers=public)
    assert world.store.buckets.get("bcd").acl is None


def test_who_is_not_there_is_not_given_a_bucket(world: World) -> None:
    with pytest.raises(errors.InvalidArgument):
        world.run(ACTION, "abc", headers={"x-amz-grant-read": "id=nobody"})
    with pytest.raises(NoSuchBucket):
        world.store.buckets.get("abc")


@pytest.mark.parametrize("rule", ["BucketOwnerEnforced", "BucketOwnerPreferred", None])
def test_ownership(world: World, rule: str | None) -> None:
    world.run(ACTION, "abc", headers={"x-amz-object-ownership": rule or "ObjectWriter"})
    assert world.store.buckets.get("abc").ownership == rule


def test_a_bucket_without_lists(world: World) -> None:
    enforced = {"x-amz-object-ownership": "BucketOwnerEnforced"}
    for more in ({"x-amz-acl": "public-read"}, {"x-amz-grant-read": "id=id-bob"}):
        with pytest.raises(InvalidBucketAclWithObjectOwnership):
            world.run(ACTION, "abc", headers={**enforced, **more})
    world.run(ACTION, "abc", headers={**enforced, "x-amz-acl": "private"})
    with pytest.raises(AccessControlListNotSupported):
        world.run(ACTION, "abc", headers={"x-amz-acl": "public-read"})


def test_a_bucket_that_became_anothers_gets_no_list() -> None:
    """It is deleted, and made by somebody else, between the two steps."""
    store = MemoryStore()

    class Changing:
        def create(self, name: str, owner: str | None, ownership: str | None = None) -> BucketInfo:
            return store.buckets.create(name, "id-bob")

        def set_acl(self, name: str, decide: Any) -> None:
            store.buckets.set_acl(name, decide)

    world = World(store)
    context = attrs.evolve(world.context("CreateBucket", "alice"), buckets=Changing())
    wanted = CreateBucket("abc", True, Given("public-read"))
    with pytest.raises(errors.OperationAborted):
        ACTION.run(context, wanted, b"")
    assert store.buckets.get("abc").acl is None
