"""CreateBucket: who gets which name, and what is refused."""

from __future__ import annotations

from collections.abc import Callable

import attrs
import pytest

from s3daemon.actions.create_bucket import ACTION
from s3daemon.auth.policy import Policy
from s3daemon.store.interfaces import BucketExists, BucketInfo, NoSuchBucket
from s3daemon.store.memory import MemoryStore
from s3daemon.wire import errors
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
        def create(self, name: str, owner: str | None) -> BucketInfo:
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
        ("x-amz-acl", "public-read", errors.NotImplemented),
        ("x-amz-grant-read", "id=x", errors.NotImplemented),
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
