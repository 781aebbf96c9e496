"""No action touches what is in a bucket before it has asked whether it may."""

from __future__ import annotations

from typing import Any

import pytest

from s3daemon.actions import ACTIONS
from s3daemon.actions.base import Answer
from s3daemon.auth.identity import Identity
from s3daemon.auth.policy import Policy
from s3daemon.store.interfaces import Attributes, BucketInfo
from s3daemon.store.memory import MemoryStore
from s3daemon.wire.errors import AccessDenied, NoSuchTagSet
from s3daemon.wire.message import Personality
from tests.support.actions import World

COPY = {"x-amz-copy-source": "/src/k"}
PART = {"partNumber": "1", "uploadId": "u"}
TAGS = b"<Tagging><TagSet><Tag><Key>a</Key><Value>b</Value></Tag></TagSet></Tagging>"
DELETE = b"<Delete><Object><Key>k</Key></Object></Delete>"
COMPLETE = (
    b"<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>e</ETag></Part>"
    b"</CompleteMultipartUpload>"
)

#: What a request of each action needs, besides bucket and key.
REQUESTS: dict[str, dict[str, Any]] = {name: {} for name in ACTIONS} | {
    "PutBucketTagging": {"body": TAGS},
    "PutObjectTagging": {"body": TAGS},
    "PutBucketAcl": {"headers": {"x-amz-acl": "private"}},
    "PutObjectAcl": {"headers": {"x-amz-acl": "private"}},
    "CopyObject": {"headers": COPY},
    "GetObjectAttributes": {"headers": {"x-amz-object-attributes": "ETag"}},
    "UploadPart": {"query": PART},
    "UploadPartCopy": {"query": PART, "headers": COPY},
    "ListParts": {"query": {"uploadId": "u"}},
    "AbortMultipartUpload": {"query": {"uploadId": "u"}},
    "CompleteMultipartUpload": {"query": {"uploadId": "u"}, "body": COMPLETE},
    "DeleteObjects": {"body": DELETE},
}


class Forbidden:
    """A part of the store that nobody may use; ``get`` and ``list`` of the buckets are needed to
    know whom to ask about."""

    def __init__(self, real: Any, *free: str) -> None:
        self._real = real
        self._free = free

    def __getattr__(self, name: str) -> Any:
        if name in self._free:
            return getattr(self._real, name)
        raise AssertionError(f"{name} without asking")


def guarded(may: Any) -> World:
    store = MemoryStore()
    for name in ("bucket", "src"):
        store.buckets.create(name, "id-alice")
        writer = store.objects.create(name, "k", Attributes(), "id-alice")
        writer.write([b"secret"])
        writer.commit("d41d8cd98f00b204e9800998ecf8427e")
    store.objects = Forbidden(store.objects)  # type: ignore[assignment]
    store.uploads = Forbidden(store.uploads)  # type: ignore[assignment]
    store.buckets = Forbidden(store.buckets, "get", "list")  # type: ignore[assignment]
    return World(store, may=may)


@pytest.mark.parametrize("personality", list(Personality))
@pytest.mark.parametrize("name", sorted(ACTIONS))
def test_everything_asks_first(name: str, personality: Personality) -> None:
    asked: list[tuple[str, str, str]] = []

    def nobody_may(caller: Identity, operation: str, bucket: BucketInfo, *rest: Any) -> None:
        asked.append((operation, bucket.name, rest[0] if rest else ""))
        raise AccessDenied

    key = "k" if "Object" in name or "Part" in name or "Multipart" in name else ""
    if (name.startswith("List") and name != "ListParts") or name == "DeleteObjects":
        key = ""
    world = guarded(nobody_may)
    try:
        answer = world.run(ACTIONS[name], "bucket", key, personality=personality, **REQUESTS[name])
    except AccessDenied:
        pass
    else:
        assert name in ("ListBuckets", "DeleteObjects")
        assert isinstance(answer, Answer)
        assert isinstance(answer.body, bytes)
        assert b"AccessDenied" in answer.body or b"<Name>" not in answer.body
    assert asked
    assert asked[0][1] == "bucket"
    assert {operation for operation, _, _ in asked} <= {name, "DeleteObject"}
    if key:
        assert asked[0][2] == key


@pytest.mark.parametrize("name", sorted(ACTIONS))
def test_who_may_only_read_changes_nothing(name: str) -> None:
    """Of the whole store, with the true decision; what may be done is done on an empty key."""
    policy = Policy()

    def may(caller: Identity, *question: Any) -> None:
        policy.may(Identity("id-alice", "alice", "Alice", read_only=True), *question)

    key = "k" if "Object" in name or "Part" in name or "Multipart" in name else ""
    if (name.startswith("List") and name != "ListParts") or name == "DeleteObjects":
        key = ""
    reads = name.startswith(("Get", "Head", "List"))
    try:
        answer = guarded(may).run(ACTIONS[name], "bucket", key, **REQUESTS[name])
    except AccessDenied:
        assert not reads
    except AssertionError:
        if not reads:
            raise
    except NoSuchTagSet:
        assert reads
    else:
        assert isinstance(answer.body, bytes)
        assert reads or b"<Code>AccessDenied</Code>" in answer.body


@pytest.mark.parametrize("name", ["CopyObject", "UploadPartCopy"])
def test_the_source_of_a_copy_is_asked_for_as_a_read(name: str) -> None:
    asked: list[tuple[str, str, str]] = []

    def not_the_source(caller: Identity, operation: str, bucket: BucketInfo, *rest: Any) -> None:
        asked.append((operation, bucket.name, rest[0]))
        if bucket.name == "src":
            raise AccessDenied

    with pytest.raises(AccessDenied):
        guarded(not_the_source).run(ACTIONS[name], "bucket", "k", **REQUESTS[name])
    assert asked == [(name, "bucket", "k"), ("GetObject", "src", "k")]


@pytest.mark.parametrize(
    "name",
    ["ListObjects", "ListObjectsV2", "ListObjectVersions", "ListMultipartUploads"],
)
def test_a_listing_is_asked_for_by_its_prefix(name: str) -> None:
    asked: list[str] = []

    def nobody_may(caller: Identity, operation: str, bucket: BucketInfo, key: str) -> None:
        asked.append(key)
        raise AccessDenied

    with pytest.raises(AccessDenied):
        guarded(nobody_may).run(ACTIONS[name], "bucket", query={"prefix": "p/", "marker": "q"})
    assert asked == ["p/"]


def test_each_key_of_many_to_delete_is_asked_for() -> None:
    asked: list[str] = []

    def nobody_may(caller: Identity, operation: str, bucket: BucketInfo, key: str) -> None:
        asked.append(f"{operation} {key}")
        raise AccessDenied

    body = b"<Delete><Object><Key>k</Key></Object><Object><Key>../bucket/k</Key></Object></Delete>"
    answer = guarded(nobody_may).run(ACTIONS["DeleteObjects"], "bucket", body=body)
    assert isinstance(answer.body, bytes)
    assert answer.body.count(b"<Code>AccessDenied</Code>") == 2
    assert sorted(asked) == ["DeleteObject ../bucket/k", "DeleteObject k"]
