"""GetBucketAcl, GetObjectAcl, PutBucketAcl, PutObjectAcl."""

from __future__ import annotations

from typing import Any

import pytest

from s3daemon.actions.acl import ACTIONS
from s3daemon.actions.base import Answer
from s3daemon.store.interfaces import NoSuchBucket, NoSuchKey
from s3daemon.store.memory import MemoryStore
from s3daemon.wire import errors
from s3daemon.wire.message import Personality
from tests.support.actions import NAMESPACE, World, outline, parsed

GET_BUCKET, GET_OBJECT, PUT_BUCKET, PUT_OBJECT = ACTIONS
GETS = {"": GET_BUCKET, "k": GET_OBJECT}
PUTS = {"": PUT_BUCKET, "k": PUT_OBJECT}
TARGETS = pytest.mark.parametrize("key", ["", "k"], ids=["bucket", "object"])


def private(name: str) -> dict[str, Any]:
    """The list of what is this user's and private, as botocore gives it."""
    who = {"ID": f"id-{name}", "DisplayName": name.title()}
    grant = {"Grantee": {"Type": "CanonicalUser", **who}, "Permission": "FULL_CONTROL"}
    return {"Owner": who, "Grants": [grant]}


def world_of(bucket: str | None = "id-alice", owner: str | None = "id-alice") -> World:
    world = World(MemoryStore())
    world.store.buckets.create("abc", bucket)
    world.put("abc", "k", b"12345", owner=owner)
    return world


@TARGETS
def test_private(key: str) -> None:
    answer = world_of().run(GETS[key], "abc", key)
    assert parsed(GETS[key].name, answer) == private("alice")
    assert outline(answer) == ["AccessControlPolicy", "Owner", "AccessControlList"]


def test_to_the_byte() -> None:
    body = world_of().run(GET_BUCKET, "abc").body
    who = b"<ID>id-alice</ID><DisplayName>Alice</DisplayName>"
    assert body == (
        b'<?xml version="1.0" encoding="UTF-8"?>\n'
        b'<AccessControlPolicy xmlns="' + NAMESPACE.encode() + b'"><Owner>' + who + b"</Owner>"
        b"<AccessControlList><Grant>"
        b'<Grantee xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="CanonicalUser">'
        + who
        + b"</Grantee><Permission>FULL_CONTROL</Permission></Grant></AccessControlList>"
        b"</AccessControlPolicy>"
    )


@pytest.mark.parametrize(
    ("bucket", "owner", "shown"),
    [
        ("id-alice", "id-bob", "bob"),
        ("id-alice", None, "alice"),
        (None, "id-bob", "bob"),
    ],
)
def test_owner_of_an_object(bucket: str | None, owner: str | None, shown: str) -> None:
    answer = world_of(bucket, owner).run(GET_OBJECT, "abc", "k")
    assert parsed("GetObjectAcl", answer) == private(shown)


def test_a_name_that_is_markup() -> None:
    world = world_of(None, "id-<&>")
    assert parsed("GetObjectAcl", world.run(GET_OBJECT, "abc", "k"))["Owner"]["ID"] == "id-<&>"


@TARGETS
def test_nobody_knows_whose(key: str) -> None:
    answer = world_of(None, None).run(GETS[key], "abc", key)
    assert parsed(GETS[key].name, answer) == {"Owner": {}, "Grants": []}


@TARGETS
def test_to_put_private_changes_nothing(key: str) -> None:
    world = world_of()
    put = PUTS[key]
    assert world.run(put, "abc", key, headers={"x-amz-acl": "private"}) == Answer()
    assert parsed(GETS[key].name, world.run(GETS[key], "abc", key)) == private("alice")


@TARGETS
@pytest.mark.parametrize(
    ("headers", "body", "error"),
    [
        ({"x-amz-acl": "public-read"}, b"", errors.NotImplemented),
        ({"x-amz-acl": "bucket-owner-full-control"}, b"", errors.NotImplemented),
        ({"x-amz-acl": "nobody"}, b"", errors.InvalidArgument),
        ({"x-amz-grant-read": "id=1"}, b"", errors.NotImplemented),
        ({"x-amz-acl": "private", "x-amz-grant-read": "id=1"}, b"", errors.NotImplemented),
        ({"x-amz-acl": "private"}, b"<AccessControlPolicy/>", errors.NotImplemented),
        ({}, b"<AccessControlPolicy/>", errors.NotImplemented),
        ({}, b"", errors.MissingRequestBodyError),
    ],
)
def test_other_lists(key: str, headers: Any, body: bytes, error: type[Exception]) -> None:
    with pytest.raises(error):
        world_of().run(PUTS[key], "abc", key, headers=headers, body=body)


@TARGETS
def test_a_bucket_that_is_everybodys_cannot_be_made_private(key: str) -> None:
    with pytest.raises(errors.NotImplemented):
        world_of(None).run(PUTS[key], "abc", key, headers={"x-amz-acl": "private"})


@pytest.mark.parametrize("action", [GET_OBJECT, PUT_OBJECT], ids=lambda action: action.name)
def test_missing_objects(action: Any) -> None:
    world = world_of()
    world.put("abc", "dir/file")
    for key in ("missing", "dir", "dir/"):
        with pytest.raises(NoSuchKey):
            world.run(action, "abc", key, headers={"x-amz-acl": "private"})
    given: Any = {"headers": {"x-amz-acl": "private"}, "personality": Personality.ALLUXIO}
    assert world.run(action, "abc", "dir/", **given).status == 200


@pytest.mark.parametrize("action", ACTIONS, ids=lambda action: action.name)
def test_whose(action: Any) -> None:
    key = "k" if "Object" in action.name else ""
    given: Any = {"headers": {"x-amz-acl": "private"}}
    with pytest.raises(errors.AccessDenied):
        world_of().run(action, "abc", key, caller="bob", **given)
    with pytest.raises(NoSuchBucket):
        world_of().run(action, "missing", key, **given)
