"""May they: every operation, for every kind of caller."""

from __future__ import annotations

from typing import Any

import attrs
import pytest
from twisted.logger import LogLevel, capturedLogs

from s3daemon.actions import ACTIONS
from s3daemon.auth.identity import NOBODY, Identity
from s3daemon.auth.permissions import NEEDS
from s3daemon.auth.policy import Policy
from s3daemon.store.interfaces import Attributes, BucketInfo, ObjectInfo, UploadInfo
from s3daemon.wire.errors import AccessDenied
from s3daemon.wire.grants import Grant, Grants
from s3daemon.wire.operations import OPERATIONS

OWNER = Identity("id-a", "alice", "Alice")
OTHER = Identity("id-b", "bob", "Bob")
ALL = sorted(NEEDS)

READS = {
    *("GetBucketAcl", "GetBucketLocation", "GetBucketTagging", "GetBucketVersioning", "GetObject"),
    *("GetObjectAcl", "GetObjectAttributes", "GetObjectTagging", "HeadBucket", "HeadObject"),
    *("ListBuckets", "ListMultipartUploads", "ListObjectVersions", "ListObjects"),
    *("ListObjectsV2", "ListParts"),
}
#: What a permission gives on a bucket and on an object.  Source: S3 user guide, "Access control
#: list (ACL) overview".
BY_BUCKET = {
    "READ": {
        *("HeadBucket", "ListMultipartUploads", "ListObjectVersions", "ListObjects"),
        *("GetBucketLocation", "ListObjectsV2"),
    },
    "WRITE": {
        *("CopyObject", "CreateMultipartUpload", "DeleteObject", "DeleteObjects", "PutObject"),
    },
    "READ_ACP": {"GetBucketAcl"},
    "WRITE_ACP": {"PutBucketAcl"},
}
BY_OBJECT = {
    "READ": {"GetObject", "GetObjectAttributes", "HeadObject"},
    "WRITE": set(),
    "READ_ACP": {"GetObjectAcl"},
    "WRITE_ACP": {"PutObjectAcl"},
}
#: What somebody may do who has begun an upload, without and with WRITE on the bucket.
BY_UPLOAD = {"AbortMultipartUpload", "ListParts"}
BY_UPLOAD_AND_WRITE = {"CompleteMultipartUpload", "UploadPart", "UploadPartCopy"}


def bucket(owner: str | None = "id-a", acl: Grants | None = None, name: str = "b") -> BucketInfo:
    return BucketInfo(name, owner, 0, acl=acl)


def an_object(owner: str | None = "id-a", acl: Grants | None = None) -> ObjectInfo:
    return ObjectInfo("k", 1, 0, "e", Attributes(acl=acl), owner)


def allowed(
    caller: Identity, info: BucketInfo, found: Any = None, key: str = "k", **policy: Any
) -> set[str]:
    """The operations that a caller may do."""
    may = Policy(**policy).may
    done = set()
    for operation in ALL:
        try:
            may(caller, operation, info, key, lambda: found)
        except AccessDenied:
            continue
        done.add(operation)
    return done


def to(kind: str, grantee: str, *permissions: str) -> Grants:
    return tuple(Grant(kind, grantee, permission) for permission in permissions)


def test_every_operation_has_a_row() -> None:
    assert {operation.name for operation in OPERATIONS} <= set(NEEDS)
    assert set(ACTIONS) <= set(NEEDS)
    with pytest.raises(AccessDenied):
        Policy().may(OWNER, "PutBucketWebsite", bucket())


def test_the_owner_of_the_bucket_may_do_everything() -> None:
    assert allowed(OWNER, bucket()) == set(ALL)
    # Whatever the lists say, and whoever put the object or began the upload.
    assert allowed(OWNER, bucket(acl=()), an_object("id-b", ())) == set(ALL)
    assert allowed(OWNER, bucket(acl=to("user", "id-b", "FULL_CONTROL")), an_object()) == set(ALL)


def test_somebody_else_may_do_nothing() -> None:
    assert allowed(OTHER, bucket(), an_object()) == set()
    assert allowed(OTHER, bucket(), None) == set()
    assert allowed(OTHER, bucket(), an_object(None)) == set()
    # A name is no id, and an owner that cannot be told is nobody.
    assert allowed(Identity("alice", "id-a", "id-a"), bucket()) == set()
    assert allowed(OTHER, bucket("")) == set()
    assert allowed(attrs.evolve(OTHER, id=""), bucket("")) == set()


@pytest.mark.parametrize("caller", [OWNER, OTHER], ids=["alice", "bob"])
def test_a_bucket_that_is_nobodys(caller: Identity) -> None:
    assert allowed(caller, bucket(None), an_object()) == set(ALL)
    assert allowed(caller, bucket(None), an_object(), unowned_for_all=False) == set()


def test_who_may_only_read() -> None:
    reader = attrs.evolve(OWNER, read_only=True)
    assert allowed(reader, bucket()) == READS
    assert allowed(reader, bucket(None)) == READS
    everybody = to("group", "AllUsers", "FULL_CONTROL")
    stranger = attrs.evolve(OTHER, read_only=True)
    found = allowed(stranger, bucket(acl=everybody), an_object(acl=everybody))
    assert found == (BY_BUCKET["READ"] | BY_OBJECT["READ"] | {"GetBucketAcl", "GetObjectAcl"})


@pytest.mark.parametrize("who", [("user", "id-b"), ("group", "AllUsers")], ids=str)
@pytest.mark.parametrize("permission", BY_BUCKET)
def test_lists_of_buckets(who: tuple[str, str], permission: str) -> None:
    found = allowed(OTHER, bucket(acl=to(*who, permission)), an_object())
    assert found == BY_BUCKET[permission]


@pytest.mark.parametrize("who", [("user", "id-b"), ("group", "AuthenticatedUsers")], ids=str)
@pytest.mark.parametrize("permission", BY_OBJECT)
def test_lists_of_objects(who: tuple[str, str], permission: str) -> None:
    found = allowed(OTHER, bucket(), an_object(acl=to(*who, permission)))
    assert found == BY_OBJECT[permission]


@pytest.mark.parametrize("permission", BY_BUCKET)
def test_what_everybody_may_do_the_anonymous_may(permission: str) -> None:
    """But for uploads, which S3 has nobody begin whom it does not know."""
    acl = to("group", "AllUsers", permission)
    found = allowed(NOBODY, bucket(acl=acl), an_object())
    assert found == BY_BUCKET[permission] - {"CreateMultipartUpload"}
    found = allowed(NOBODY, bucket(), an_object(acl=acl))
    assert found == BY_OBJECT[permission]


@pytest.mark.parametrize(
    "acl", [None, to("group", "AuthenticatedUsers", "FULL_CONTROL"), to("user", "", "FULL_CONTROL")]
)
@pytest.mark.parametrize("owner", ["id-a", "", None])
def test_the_anonymous_own_nothing(owner: str | None, acl: Grants | None) -> None:
    """Not even what was recorded without an owner, or a directory that is every user's."""
    for found in (an_object(owner, acl), UploadInfo("k", "u", owner, 0), None):
        assert allowed(NOBODY, bucket(owner, acl), found) == set()


def test_full_control_is_all_of_them() -> None:
    everything = to("user", "id-b", "FULL_CONTROL")
    assert allowed(OTHER, bucket(acl=everything), an_object()) == set().union(*BY_BUCKET.values())
    assert allowed(OTHER, bucket(), an_object(acl=everything)) == set().union(*BY_OBJECT.values())


@pytest.mark.parametrize(
    "acl",
    [
        to("user", "id-c", "FULL_CONTROL"),
        to("group", "id-b", "FULL_CONTROL"),
        to("user", "AllUsers", "FULL_CONTROL"),
        to("group", "LogDelivery", "FULL_CONTROL"),
        to("email", "id-b", "FULL_CONTROL"),
    ],
    ids=str,
)
def test_grants_to_others(acl: Grants) -> None:
    assert allowed(OTHER, bucket(acl=acl), an_object(acl=acl)) == set()


def test_the_owner_of_an_object_in_somebody_elses_bucket() -> None:
    """What S3 calls ObjectWriter: it is theirs, unless their own list says less."""
    found = allowed(OTHER, bucket(), an_object("id-b")) - BY_UPLOAD
    assert found == set().union(*BY_OBJECT.values())
    # The list of what is one's own can always be read and put.
    found = allowed(OTHER, bucket(), an_object("id-b", ())) - BY_UPLOAD
    assert found == {"GetObjectAcl", "PutObjectAcl"}
    # To delete it is to write in the bucket.
    assert "DeleteObject" not in allowed(OTHER, bucket(), an_object("id-b"))


def test_what_is_not_there() -> None:
    """Who may list learns that it is not there; the others are refused, and learn nothing."""
    by_key = set().union(*BY_OBJECT.values()) | BY_UPLOAD
    listing = bucket(acl=to("user", "id-b", "READ"))
    assert allowed(OTHER, listing, None) == BY_BUCKET["READ"] | by_key
    writing = bucket(acl=to("user", "id-b", "WRITE"))
    assert allowed(OTHER, writing, None) == BY_BUCKET["WRITE"] | BY_UPLOAD_AND_WRITE


def test_uploads_are_for_who_began_them() -> None:
    writing = bucket(acl=to("group", "AllUsers", "WRITE"))
    own, others = (UploadInfo("k", "u", owner, 0) for owner in ("id-b", "id-c"))
    every = BY_UPLOAD | BY_UPLOAD_AND_WRITE
    assert allowed(OTHER, writing, own) & every == every
    assert allowed(OTHER, bucket(), own) & every == BY_UPLOAD
    assert allowed(OTHER, writing, others) & every == set()


def test_without_the_means_to_look_it_is_refused() -> None:
    everybody = to("group", "AllUsers", "FULL_CONTROL")
    for operation in sorted(BY_UPLOAD | BY_UPLOAD_AND_WRITE | set().union(*BY_OBJECT.values())):
        with pytest.raises(AccessDenied):
            Policy().may(OTHER, operation, bucket(acl=everybody), "k")


def test_nothing_is_looked_up_for_the_owner() -> None:
    def find() -> None:
        raise AssertionError("looked up")

    for operation in ALL:
        Policy().may(OWNER, operation, bucket(), "k", find)
        with pytest.raises(AccessDenied):
            Policy().may(attrs.evolve(OTHER, scopes=("c",)), operation, bucket(), "k", find)


AROUND = {"GetBucketLocation", "HeadBucket", "ListBuckets"}


@pytest.mark.parametrize(
    ("scope", "key", "expected"),
    [
        ("b", "", set(ALL)),
        ("b", "k", set(ALL)),
        ("b/k", "k", set(ALL)),
        ("b/k", "", AROUND),
        ("b/k", "j", set()),
        ("c", "", set()),
        ("c", "k", set()),
    ],
)
@pytest.mark.parametrize("owner", ["id-a", None], ids=["owned", "unowned"])
def test_scopes(owner: str | None, scope: str, key: str, expected: set[str]) -> None:
    caller = attrs.evolve(OWNER, scopes=("x/y", scope))
    assert allowed(caller, bucket(owner), an_object(), key) == expected
    reader = attrs.evolve(caller, read_only=True)
    assert allowed(reader, bucket(owner), an_object(), key) == expected & READS


def test_a_scope_is_a_bound_and_no_grant() -> None:
    caller = attrs.evolve(OTHER, scopes=("b",))
    assert allowed(caller, bucket(), an_object()) == set()
    assert allowed(caller, bucket(acl=to("user", "id-b", "READ"))) >= BY_BUCKET["READ"]


def test_the_reason_is_for_the_log_only() -> None:
    with capturedLogs() as events, pytest.raises(AccessDenied) as caught:
        Policy().may(OTHER, "PutObject", bucket(), "k\n1")
    assert "somebody" not in str(caught.value)
    (event,) = events
    assert event["log_level"] is LogLevel.debug
    assert event["user"] == "bob"
    assert event["reason"] == "the bucket is somebody else's, and its list does not give WRITE"
    assert "\n" not in event["log_format"].format(**event).replace("'k\\n1'", "")


@pytest.mark.parametrize("verbose", [True, False])
def test_what_is_allowed_is_logged_for_who_wants_to_know(verbose: bool) -> None:
    with capturedLogs() as events:
        Policy(verbose=verbose).may(OWNER, "PutObject", bucket(), "k")
    assert [event["reason"] for event in events] == ["the bucket is the user's"] * verbose
