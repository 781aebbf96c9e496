"""GetBucketAcl, GetObjectAcl, PutBucketAcl, PutObjectAcl."""

from __future__ import annotations

import base64
import hashlib
from typing import Any

import attrs
import pytest

from s3daemon.actions import ACTIONS as ALL
from s3daemon.actions.acl import ACTIONS
from s3daemon.actions.base import Answer
from s3daemon.store.interfaces import BucketInfo, NoSuchBucket, NoSuchKey
from s3daemon.store.memory import MemoryStore
from s3daemon.wire import errors
from s3daemon.wire.acl_errors import (
    AccessControlListNotSupported,
    MalformedACLError,
    MissingSecurityHeader,
    UnexpectedContent,
    UnresolvableGrantByEmailAddress,
)
from s3daemon.wire.grants import Grant
from s3daemon.wire.message import Personality
from tests.support.actions import NAMESPACE, World, outline, parsed

GET_BUCKET, GET_OBJECT, PUT_BUCKET, PUT_OBJECT = ACTIONS
GETS = {"": GET_BUCKET, "k": GET_OBJECT}
PUTS = {"": PUT_BUCKET, "k": PUT_OBJECT}
TARGETS = pytest.mark.parametrize("key", ["", "k"], ids=["bucket", "object"])
ALL_USERS = "http://acs.amazonaws.com/groups/global/AllUsers"


def user(name: str, permission: str = "FULL_CONTROL") -> dict[str, Any]:
    """A grant to a user, as botocore gives it."""
    who = {"Type": "CanonicalUser", "ID": f"id-{name}", "DisplayName": name.title()}
    return {"Grantee": who, "Permission": permission}


def group(name: str, permission: str) -> dict[str, Any]:
    uri = f"http://acs.amazonaws.com/groups/{name}"
    return {"Grantee": {"Type": "Group", "URI": uri}, "Permission": permission}


def shown(owner: str, *grants: dict[str, Any]) -> dict[str, Any]:
    who = {"ID": f"id-{owner}", "DisplayName": owner.title()}
    return {"Owner": who, "Grants": list(grants)}


def private(name: str) -> dict[str, Any]:
    """The list of what is this user's and private."""
    return shown(name, user(name))


def document(*grants: str, owner: str = "id-alice") -> bytes:
    return (
        f"<AccessControlPolicy><Owner><ID>{owner}</ID></Owner><AccessControlList>"
        f"{''.join(grants)}</AccessControlList></AccessControlPolicy>"
    ).encode()


def grant(kind: str, child: str, who: str, permission: str) -> str:
    return (
        '<Grant><Grantee xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" '
        f'xsi:type="{kind}"><{child}>{who}</{child}></Grantee>'
        f"<Permission>{permission}</Permission></Grant>"
    )


def world_of(bucket: str | None = "id-alice", owner: str | None = "id-alice") -> World:
    world = World(MemoryStore())
    world.store.buckets.create("abc", bucket)
    world.put("abc", "k", b"12345", owner=owner)
    return world


def lists(world: World, key: str, caller: str = "alice") -> Any:
    return parsed(GETS[key].name, world.run(GETS[key], "abc", key, caller=caller))


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
    ("bucket", "owner", "expected"),
    [
        ("id-alice", "id-bob", "bob"),
        ("id-alice", None, "alice"),
        (None, "id-bob", "bob"),
    ],
)
def test_owner_of_an_object(bucket: str | None, owner: str | None, expected: str) -> None:
    answer = world_of(bucket, owner).run(GET_OBJECT, "abc", "k")
    assert parsed("GetObjectAcl", answer) == private(expected)


def test_a_name_that_is_markup() -> None:
    world = world_of(None, "id-<&>")
    assert parsed("GetObjectAcl", world.run(GET_OBJECT, "abc", "k"))["Owner"]["ID"] == "id-<&>"


@TARGETS
def test_nobody_knows_whose(key: str) -> None:
    assert lists(world_of(None, None), key) == {"Owner": {}, "Grants": []}


# ---------------------------------------------------------------- putting


@TARGETS
@pytest.mark.parametrize(
    ("headers", "grants"),
    [
        ({"x-amz-acl": "private"}, [user("alice")]),
        ({"x-amz-acl": "bucket-owner-read"}, [user("alice")]),
        (
            {"x-amz-acl": "public-read"},
            [group("global/AllUsers", "READ"), user("alice")],
        ),
        (
            {"x-amz-acl": "authenticated-read"},
            [group("global/AuthenticatedUsers", "READ"), user("alice")],
        ),
        (
            {"x-amz-acl": "public-read-write"},
            [group("global/AllUsers", "READ"), group("global/AllUsers", "WRITE"), user("alice")],
        ),
        (
            {
                "x-amz-grant-write-acp": "id=id-alice",
                "x-amz-grant-read": f'id="id-bob", uri="{ALL_USERS}"',
            },
            [group("global/AllUsers", "READ"), user("bob", "READ"), user("alice", "WRITE_ACP")],
        ),
        ({"x-amz-grant-full-control": "emailAddress=bob@example.com"}, [user("bob")]),
    ],
)
def test_headers(key: str, headers: dict[str, str], grants: list[dict[str, Any]]) -> None:
    world = world_of()
    assert world.run(PUTS[key], "abc", key, headers=headers) == Answer()
    assert lists(world, key) == shown("alice", *grants)
    other = "k" if not key else ""
    assert lists(world, other) == private("alice")


@TARGETS
def test_documents(key: str) -> None:
    world = world_of()
    body = document(
        grant("CanonicalUser", "ID", "id-bob", "READ"),
        grant("AmazonCustomerByEmail", "EmailAddress", "carol@example.com", "WRITE"),
        grant("Group", "URI", ALL_USERS, "READ_ACP"),
    )
    md5 = base64.b64encode(hashlib.md5(body).digest()).decode()
    assert world.run(PUTS[key], "abc", key, body=body, headers={"content-md5": md5}) == Answer()
    assert lists(world, key) == shown(
        "alice", group("global/AllUsers", "READ_ACP"), user("bob", "READ"), user("carol", "WRITE")
    )
    world.run(PUTS[key], "abc", key, body=document())
    assert lists(world, key) == shown("alice")


def test_what_is_shown_can_be_put() -> None:
    world = world_of()
    world.run(PUT_OBJECT, "abc", "k", headers={"x-amz-acl": "public-read"})
    before = world.run(GET_OBJECT, "abc", "k").body
    assert isinstance(before, bytes)
    world.run(PUT_OBJECT, "abc", "k", headers={"x-amz-acl": "private"})
    world.run(PUT_OBJECT, "abc", "k", body=before)
    assert world.run(GET_OBJECT, "abc", "k").body == before


def test_nothing_else_changes() -> None:
    world = world_of()
    before = world.store.objects.stat("abc", "k")
    world.run(PUT_OBJECT, "abc", "k", headers={"x-amz-acl": "public-read"})
    after = world.store.objects.stat("abc", "k")
    assert attrs.evolve(after, attributes=before.attributes) == before


@TARGETS
@pytest.mark.parametrize(
    ("headers", "body", "error"),
    [
        ({"x-amz-acl": "nobody"}, b"", errors.InvalidArgument),
        ({"x-amz-acl": "aws-exec-read"}, b"", errors.NotImplemented),
        ({"x-amz-grant-read": "id=nobody"}, b"", errors.InvalidArgument),
        ({"x-amz-grant-read": "nobody"}, b"", errors.InvalidArgument),
        (
            {"x-amz-grant-read": "emailAddress=a@example.org"},
            b"",
            UnresolvableGrantByEmailAddress,
        ),
        ({"x-amz-acl": "private", "x-amz-grant-read": "id=id-a"}, b"", errors.InvalidRequest),
        ({"x-amz-acl": "private"}, document(), UnexpectedContent),
        ({"x-amz-grant-read": "id=id-a"}, document(), UnexpectedContent),
        ({}, b"", MissingSecurityHeader),
        ({}, b"\n", MissingSecurityHeader),
        ({}, b"<AccessControlPolicy/>", MalformedACLError),
        ({}, document(grant("CanonicalUser", "ID", "a", "READ")), errors.InvalidArgument),
        ({}, document(grant("CanonicalUser", "ID", "", "READ")), errors.InvalidArgument),
        (
            {},
            document(grant("AmazonCustomerByEmail", "EmailAddress", "a@b.c", "READ")),
            UnresolvableGrantByEmailAddress,
        ),
        ({}, document(owner="id-bob"), errors.AccessDenied),
        ({"content-md5": "1B2M2Y8AsgTpgAmY7PhCfg=="}, document(), errors.BadDigest),
        ({"content-md5": "x"}, document(), errors.InvalidDigest),
    ],
)
def test_refused(key: str, headers: Any, body: bytes, error: type[Exception]) -> None:
    world = world_of()
    with pytest.raises(error):
        world.run(PUTS[key], "abc", key, headers=headers, body=body)
    assert lists(world, key) == private("alice")


@TARGETS
@pytest.mark.parametrize(
    ("headers", "body"), [({"x-amz-acl": "private"}, b""), ({}, document())], ids=["head", "body"]
)
def test_what_is_everybodys_cannot_be_made_private(
    key: str, headers: dict[str, str], body: bytes
) -> None:
    with pytest.raises(errors.NotImplemented):
        world_of(None).run(PUTS[key], "abc", key, headers=headers, body=body)


def test_lists_for_logs_are_for_buckets() -> None:
    world = world_of()
    world.run(PUT_BUCKET, "abc", headers={"x-amz-acl": "log-delivery-write"})
    logs = [group("s3/LogDelivery", name) for name in ("WRITE", "READ_ACP")]
    assert lists(world, "") == shown("alice", *logs, user("alice"))
    with pytest.raises(errors.InvalidArgument):
        world.run(PUT_OBJECT, "abc", "k", headers={"x-amz-acl": "log-delivery-write"})


def test_a_directory_in_a_bucket_has_the_buckets_list() -> None:
    world = world_of()
    world.put("abc", "dir/file", owner="id-alice")
    world.run(PUT_BUCKET, "abc", headers={"x-amz-acl": "public-read"})
    of_dir = parsed("GetBucketAcl", world.run(GET_BUCKET, "abc:dir"))
    assert of_dir == lists(world, "")
    with pytest.raises(errors.NotImplemented):
        world.run(PUT_BUCKET, "abc:dir", headers={"x-amz-acl": "private"})
    listed = world.run(ALL["ListObjects"], "abc:dir", caller="bob")
    assert listed.status == 200


def test_a_bucket_within_has_its_own() -> None:
    world = world_of()
    world.run(ALL["CreateBucket"], "abc:dir")
    world.run(PUT_BUCKET, "abc:dir", headers={"x-amz-acl": "public-read"})
    assert lists(world, "") == private("alice")
    world.run(ALL["ListObjects"], "abc:dir", caller="bob")
    with pytest.raises(errors.AccessDenied):
        world.run(ALL["ListObjects"], "abc", query={"prefix": "dir/"}, caller="bob")


# ---------------------------------------------------------------- whose


@pytest.mark.parametrize("action", ACTIONS, ids=lambda action: action.name)
def test_whose(action: Any) -> None:
    key = "k" if "Object" in action.name else ""
    given: Any = {"headers": {"x-amz-acl": "private"}} if "Put" in action.name else {}
    with pytest.raises(errors.AccessDenied):
        world_of().run(action, "abc", key, caller="bob", **given)
    with pytest.raises(NoSuchBucket):
        world_of().run(action, "missing", key, **given)


@TARGETS
def test_by_grant(key: str) -> None:
    """Who has READ_ACP sees the list, who has WRITE_ACP puts it, and the owner stays the owner."""
    world = world_of()
    body = document(grant("CanonicalUser", "ID", "id-bob", "READ_ACP"))
    world.run(PUTS[key], "abc", key, body=body)
    assert lists(world, key, "bob") == shown("alice", user("bob", "READ_ACP"))
    with pytest.raises(errors.AccessDenied):
        world.run(PUTS[key], "abc", key, body=body, caller="bob")
    body = document(grant("CanonicalUser", "ID", "id-bob", "WRITE_ACP"))
    world.run(PUTS[key], "abc", key, body=body)
    with pytest.raises(errors.AccessDenied):
        lists(world, key, "bob")
    world.run(PUTS[key], "abc", key, headers={"x-amz-acl": "public-read"}, caller="bob")
    assert lists(world, key) == shown("alice", group("global/AllUsers", "READ"), user("alice"))
    with pytest.raises(errors.AccessDenied):
        world.run(PUTS[key], "abc", key, body=document(owner="id-bob"))


def test_nobody_loses_what_is_theirs() -> None:
    """An empty list: the owner may still do everything."""
    world = world_of()
    for key in ("k", ""):
        world.run(PUTS[key], "abc", key, body=document())
        assert lists(world, key) == shown("alice")
    for name in ("GetObject", "GetObjectAcl", "DeleteObject"):
        world.run(ALL[name], "abc", "k")
    world.run(PUT_BUCKET, "abc", headers={"x-amz-acl": "private"})


@pytest.mark.parametrize("action", [GET_OBJECT, PUT_OBJECT], ids=lambda action: action.name)
def test_missing_objects(action: Any) -> None:
    world = world_of()
    world.put("abc", "dir/file")
    given: Any = {"headers": {"x-amz-acl": "private"}}
    for key in ("missing", "dir", "dir/"):
        with pytest.raises(NoSuchKey):
            world.run(action, "abc", key, **given)
        with pytest.raises(errors.AccessDenied):
            world.run(action, "abc", key, caller="bob", **given)
    alluxio = world.run(action, "abc", "dir/", personality=Personality.ALLUXIO, **given)
    assert alluxio.status == 200


def test_the_list_of_a_bucket_that_became_anothers_stays() -> None:
    """It is deleted, and made by somebody else, after it was asked whether this may be done."""
    world = world_of()
    store = world.store
    may = world.may

    def may_and_then(*question: Any) -> None:
        may(*question)
        store.objects.delete("abc", "k")
        store.buckets.delete("abc")
        store.buckets.create("abc", "id-bob")

    with pytest.raises(errors.OperationAborted):
        World(store, may=may_and_then).run(PUT_BUCKET, "abc", headers={"x-amz-acl": "public-read"})
    assert store.buckets.get("abc").acl is None


@pytest.mark.parametrize("owner", ["id-alice", "id-carol"])
def test_the_list_of_an_object_that_became_another_stays(owner: str) -> None:
    """Bob may put the list of one object, not that of its successor."""
    world = world_of()
    world.store.objects.set_acl("abc", "k", lambda _: (Grant("user", "id-bob", "WRITE_ACP"),))
    may = world.may
    asked: list[object] = []

    def may_and_then(*question: Any) -> None:
        may(*question)
        if not asked:
            world.put("abc", "k", b"new", owner=owner)
        asked.append(question)

    changing = World(world.store, may=may_and_then)
    with pytest.raises(errors.AccessDenied):
        changing.run(PUT_OBJECT, "abc", "k", headers={"x-amz-acl": "public-read"}, caller="bob")
    assert world.store.objects.stat("abc", "k").attributes.acl is None


# ---------------------------------------------------------------- ownership, alluxio


def test_a_bucket_without_lists() -> None:
    world = World(MemoryStore())
    world.store.buckets.create("abc", "id-alice", "BucketOwnerEnforced")
    world.put("abc", "k", b"1", owner="id-alice")
    for key in ("", "k"):
        for given in ({"headers": {"x-amz-acl": "private"}}, {"body": document()}):
            with pytest.raises(AccessControlListNotSupported):
                world.run(PUTS[key], "abc", key, **given)  # type: ignore[arg-type]
        assert lists(world, key) == private("alice")


@TARGETS
@pytest.mark.parametrize(
    ("headers", "body", "error"),
    [
        ({"x-amz-acl": "public-read"}, b"", errors.NotImplemented),
        ({"x-amz-acl": "bucket-owner-full-control"}, b"", errors.NotImplemented),
        ({"x-amz-grant-read": "id=id-bob"}, b"", errors.NotImplemented),
        ({}, document(), errors.NotImplemented),
        ({}, b"", MissingSecurityHeader),
    ],
)
def test_alluxio_has_no_lists(key: str, headers: Any, body: bytes, error: type[Exception]) -> None:
    given: Any = {"personality": Personality.ALLUXIO}
    world = world_of()
    with pytest.raises(error):
        world.run(PUTS[key], "abc", key, headers=headers, body=body, **given)
    public = (Grant("group", "AllUsers", "READ"),)
    world.store.buckets.set_acl("abc", lambda _: public)
    world.store.objects.set_acl("abc", "k", lambda _: public)
    assert world.run(PUTS[key], "abc", key, headers={"x-amz-acl": "private"}, **given).status == 200
    # What is so is shown, and holds, on every endpoint.
    assert lists(world, key) == shown("alice", group("global/AllUsers", "READ"))


def test_an_owner_that_cannot_be_told() -> None:
    world = world_of()
    broken = BucketInfo("abc", "", 0)

    class Broken:
        def get(self, name: str) -> BucketInfo:
            return broken

    context = attrs.evolve(world.context("GetBucketAcl", "alice"), buckets=Broken())
    with pytest.raises(errors.AccessDenied):
        context.bucket("abc")


# ---------------------------------------------------------------- lists of what is new


def making(world: World, name: str, headers: dict[str, str], caller: str = "alice") -> Any:
    """Make an object ``new`` by an action, with these headers; what became of it."""
    run: Any = {"headers": headers, "caller": caller}
    if name == "PutObject":
        world.run(ALL[name], "abc", "new", body=b"1", **run)
    elif name == "CopyObject":
        run["headers"] = {**headers, "x-amz-copy-source": "/abc/k"}
        world.run(ALL[name], "abc", "new", **run)
    else:
        answer = world.run(ALL["CreateMultipartUpload"], "abc", "new", **run)
        upload = parsed("CreateMultipartUpload", answer)["UploadId"]
        query = {"uploadId": upload, "partNumber": "1"}
        world.run(ALL["UploadPart"], "abc", "new", query=query, body=b"1", caller=caller)
        body = (
            "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber>"
            f"<ETag>{hashlib.md5(b'1').hexdigest()}</ETag></Part></CompleteMultipartUpload>"
        )
        world.run(
            ALL["CompleteMultipartUpload"],
            "abc",
            "new",
            query={"uploadId": upload},
            body=body.encode(),
            caller=caller,
        )
    info = world.store.objects.stat("abc", "new")
    return info.owner, info.attributes.acl


MAKERS = pytest.mark.parametrize("name", ["PutObject", "CopyObject", "CompleteMultipartUpload"])
READ_BY_ALL = Grant("group", "AllUsers", "READ")
ALICES = Grant("user", "id-alice", "FULL_CONTROL")


@MAKERS
@pytest.mark.parametrize(
    ("headers", "acl"),
    [
        ({}, None),
        ({"x-amz-acl": "private"}, None),
        ({"x-amz-acl": "bucket-owner-full-control"}, None),
        ({"x-amz-acl": "public-read"}, (READ_BY_ALL, ALICES)),
        ({"x-amz-grant-read": "id=id-bob"}, (Grant("user", "id-bob", "READ"),)),
    ],
)
def test_new_objects(name: str, headers: dict[str, str], acl: Any) -> None:
    world = world_of()
    # Neither the source's list nor that of what was there goes over.
    for key in ("k", "new"):
        world.put("abc", key, b"old", owner="id-alice")
        world.store.objects.set_acl("abc", key, lambda _: (READ_BY_ALL,))
    assert making(world, name, headers) == ("id-alice", acl)


@MAKERS
@pytest.mark.parametrize(
    ("headers", "error"),
    [
        ({"x-amz-acl": "nobody"}, errors.InvalidArgument),
        ({"x-amz-acl": "log-delivery-write"}, errors.InvalidArgument),
        ({"x-amz-grant-read": "id=nobody"}, errors.InvalidArgument),
        ({"x-amz-acl": "private", "x-amz-grant-read": "id=id-bob"}, errors.InvalidRequest),
    ],
)
def test_new_objects_that_are_not_made(
    name: str, headers: dict[str, str], error: type[Exception]
) -> None:
    world = world_of()
    with pytest.raises(error):
        making(world, name, headers)
    with pytest.raises(NoSuchKey):
        world.store.objects.stat("abc", "new")


BOBS = Grant("user", "id-bob", "FULL_CONTROL")


@MAKERS
@pytest.mark.parametrize(
    ("canned", "acl"),
    [
        ("private", None),
        ("bucket-owner-read", (BOBS, Grant("user", "id-alice", "READ"))),
        ("bucket-owner-full-control", (BOBS, ALICES)),
    ],
)
def test_new_objects_in_the_bucket_of_another(name: str, canned: str, acl: Any) -> None:
    world = world_of()
    world.store.buckets.set_acl("abc", lambda _: (Grant("group", "AllUsers", "WRITE"),))
    world.store.objects.set_acl("abc", "k", lambda _: (READ_BY_ALL,))
    assert making(world, name, {"x-amz-acl": canned}, "bob") == ("id-bob", acl)
    # Whatever it says: the owner of the bucket reads and deletes it.
    world.run(ALL["GetObject"], "abc", "new")
    world.run(ALL["DeleteObject"], "abc", "new")


@pytest.mark.parametrize("name", ["PutObject", "CopyObject"])
def test_a_bucket_whose_owner_prefers_to_own(name: str) -> None:
    world = World(MemoryStore())
    world.store.buckets.create("abc", "id-alice", "BucketOwnerPreferred")
    world.put("abc", "k", b"1", owner="id-alice")
    world.store.buckets.set_acl("abc", lambda _: (Grant("group", "AllUsers", "WRITE"),))
    world.store.objects.set_acl("abc", "k", lambda _: (READ_BY_ALL,))
    given = {"x-amz-acl": "bucket-owner-full-control"}
    assert making(world, name, given, "bob") == ("id-alice", None)
    assert making(world, name, {}, "bob") == ("id-bob", None)


@MAKERS
def test_a_bucket_whose_owner_owns_everything(name: str) -> None:
    world = World(MemoryStore())
    world.store.buckets.create("abc", "id-alice", "BucketOwnerEnforced")
    world.put("abc", "k", b"1", owner="id-alice")
    for same in (
        {},
        {"x-amz-acl": "bucket-owner-full-control"},
        {"x-amz-grant-full-control": "id=id-alice"},
    ):
        assert making(world, name, same) == ("id-alice", None)
    for other in ({"x-amz-acl": "public-read"}, {"x-amz-grant-read": "id=id-bob"}):
        with pytest.raises(AccessControlListNotSupported):
            making(world, name, other)


@MAKERS
def test_new_objects_in_a_bucket_of_nobody(name: str) -> None:
    world = world_of(None)
    assert making(world, name, {"x-amz-acl": "bucket-owner-read"}, "bob") == ("id-bob", None)


@MAKERS
def test_alluxio_takes_what_is_so_anyway(name: str) -> None:
    """As it always did: a client that says private is not turned away."""
    action = ALL["CreateMultipartUpload" if "Multipart" in name else name]
    given: Any = {"personality": Personality.ALLUXIO, "body": b""}
    source = {"x-amz-copy-source": "/abc/k"} if name == "CopyObject" else {}
    for canned in ("private", "bucket-owner-full-control"):
        world_of().run(action, "abc", "new", headers={"x-amz-acl": canned, **source}, **given)
    for headers in ({"x-amz-acl": "public-read"}, {"x-amz-grant-read": "id=id-bob"}):
        with pytest.raises(errors.NotImplemented):
            world_of().run(action, "abc", "new", headers={**headers, **source}, **given)
