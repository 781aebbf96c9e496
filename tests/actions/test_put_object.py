"""PutObject."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest

from s3daemon.actions.base import Limits
from s3daemon.actions.put_object import ACTION, begin, parse
from s3daemon.store.interfaces import (
    Attributes,
    Checksum,
    NoSuchBucket,
    NoSuchKey,
    ObjectExists,
)
from s3daemon.wire.checksums import DEFAULT
from s3daemon.wire.errors import (
    AccessDenied,
    BadDigest,
    EntityTooLarge,
    InvalidDigest,
    MetadataTooLarge,
    MissingContentLength,
    S3Error,
)
from s3daemon.wire.message import S3Request


def test_put(world: Any, make_request: Any, parsed: Any) -> None:
    """Content, attributes, owner; the answer is the MD5, quoted."""
    request = make_request(
        "PUT",
        key="dir/foo",
        headers={
            "content-type": "text/plain",
            "cache-control": "no-cache",
            "x-amz-meta-meta1": "bar",
            "x-amz-tagging": "t=v",
            "x-amz-acl": "private",
        },
    )
    answer = world.perform(ACTION, request, b"bar")
    assert answer.status == 200
    assert answer.body == b""
    assert parsed("PutObject", answer)["ETag"] == '"37b51d194a7513e45b56f6524f2d51f2"'
    info = world.store.objects.stat("b", "dir/foo")
    assert (info.size, info.etag, info.owner) == (3, "37b51d194a7513e45b56f6524f2d51f2", "alice-id")
    assert info.attributes == Attributes(
        {"content-type": "text/plain", "cache-control": "no-cache"}, {"meta1": "bar"}, (("t", "v"),)
    )
    assert world.content("dir/foo") == b"bar"
    assert world.asked == [("alice", "PutObject", "b", "dir/foo")]


@pytest.mark.parametrize("key", ["dir/", "dir//", "/", "..", "a" * 1024, "\u00fc/\u4e2d"])
@pytest.mark.parametrize("content", [b"", b"bytes"])
def test_every_key(world: Any, make_request: Any, key: str, content: bytes) -> None:
    """Every text is a key, with or without bytes."""
    answer = world.perform(ACTION, make_request("PUT", key=key), content)
    assert dict(answer.fields)["ETag"] == f'"{hashlib.md5(content).hexdigest()}"'
    assert world.content(key) == content
    assert not world.store.objects.stat("b", key).folder


def test_overwrite_replaces_everything(world: Any, make_request: Any) -> None:
    """Metadata and tags of the old object do not shine through."""
    world.put("k", b"old", metadata={"m": "1"}, tags=(("t", "v"),))
    world.perform(ACTION, make_request("PUT", key="k"), b"new")
    assert world.content("k") == b"new"
    assert world.store.objects.stat("b", "k").attributes == Attributes()


def test_create_only(world: Any, make_request: Any) -> None:
    """If-None-Match: * makes an object once; the second is refused before its body."""
    request = make_request("PUT", key="k", headers={"if-none-match": "*"}, length=1)
    world.perform(ACTION, request, b"1")
    with pytest.raises(ObjectExists):
        begin(world.context("PutObject"), parse(request))
    assert world.content("k") == b"1"


def test_create_only_race(world: Any, make_request: Any) -> None:
    """The last word is the commit's."""
    request = make_request("PUT", key="k", headers={"if-none-match": "*"}, length=1)
    first = begin(world.context("PutObject"), parse(request))
    second = begin(world.context("PutObject"), parse(request))
    first.write([b"1"])
    second.write([b"2"])
    second.finish()
    with pytest.raises(ObjectExists):
        first.finish()
    assert world.content("k") == b"2"


def test_create_only_beside_a_directory(world: Any, make_request: Any) -> None:
    """A directory that nobody put is no object."""
    world.put("dir/below")
    request = make_request("PUT", key="dir/", headers={"if-none-match": "*"})
    assert world.perform(ACTION, request).status == 200


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({"if-match": '"x"', "if-none-match": "*"}, "NotImplemented"),
        ({"content-range": "bytes 0-1/2"}, "NotImplemented"),
        ({"x-amz-server-side-encryption": "AES256"}, "NotImplemented"),
        ({"x-amz-storage-class": "ICE"}, "InvalidStorageClass"),
        ({"x-amz-tagging": "a=1&a=2"}, "InvalidArgument"),
        ({"x-amz-tagging": "aws:a=1"}, "InvalidTag"),
        ({"content-md5": "YWJyYWNhZGFicmE="}, "InvalidDigest"),
    ],
)
def test_refused_heads(make_request: Any, headers: dict[str, str], code: str) -> None:
    """By the head alone."""
    with pytest.raises(S3Error) as caught:
        parse(make_request("PUT", key="k", headers=headers, length=1))
    assert caught.value.code == code


def test_length() -> None:
    """Has to be announced, and has its limit."""
    with pytest.raises(MissingContentLength):
        parse(S3Request("PUT", "b", "k"))
    with pytest.raises(EntityTooLarge):
        parse(S3Request("PUT", "b", "k", length=5 * 2**40 + 1))


def test_bad_digest_keeps_the_old_object(world: Any, make_request: Any) -> None:
    """The reference loses it."""
    world.put("k", b"old")
    request = make_request("PUT", key="k", headers={"content-md5": "rL0Y20xC+Fzt72VPzMSk2A=="})
    with pytest.raises(BadDigest):
        world.perform(ACTION, request, b"bar")
    assert world.content("k") == b"old"
    with pytest.raises(InvalidDigest):
        world.perform(ACTION, make_request("PUT", key="k", headers={"content-md5": ""}), b"bar")


@pytest.mark.parametrize(
    ("name", "value"), [("CRC32", "y/Q5Jg=="), ("SHA1", "98O8HYCOBHMq32eZZczDTKeuNEE=")]
)
def test_checksum_is_kept_and_answered(
    world: Any, make_request: Any, parsed: Any, name: str, value: str
) -> None:
    """As what has been verified; it is no attribute."""
    headers = {f"x-amz-checksum-{name.lower()}": value, "x-amz-sdk-checksum-algorithm": name}
    answer = world.perform(ACTION, make_request("PUT", key="k", headers=headers), b"123456789")
    found = parsed("PutObject", answer)
    assert (found[f"Checksum{name}"], found["ChecksumType"]) == (value, "FULL_OBJECT")
    info = world.store.objects.stat("b", "k")
    assert info.checksum == Checksum(name, value)
    assert info.attributes == Attributes()


def test_wrong_checksum_keeps_the_old_object(world: Any, make_request: Any) -> None:
    """Nothing half-made."""
    world.put("k", b"old")
    headers = {"x-amz-checksum-crc32": "AAAAAA=="}
    with pytest.raises(BadDigest):
        world.perform(ACTION, make_request("PUT", key="k", headers=headers), b"bar")
    assert world.content("k") == b"old"


def test_default_checksum(world: Any, make_request: Any, parsed: Any) -> None:
    """Where the client names none, and the library for it is fast."""
    found = parsed("PutObject", world.perform(ACTION, make_request("PUT", key="k"), b"123456789"))
    expected = None if DEFAULT is None else "rosUhgp5mIg="
    assert found.get("ChecksumCRC64NVME") == expected
    assert found.get("ChecksumType") == (expected and "FULL_OBJECT")


def test_missing_bucket_and_stranger(world: Any, make_request: Any) -> None:
    """Before the body."""
    with pytest.raises(NoSuchBucket):
        begin(world.context("PutObject"), parse(make_request("PUT", "none", "k", length=1)))
    world.caller = world.bob
    with pytest.raises(AccessDenied):
        begin(world.context("PutObject"), parse(make_request("PUT", key="k", length=1)))


def test_bucket_goes_while_the_body_comes(world: Any, make_request: Any) -> None:
    """No such bucket, and no bucket comes back."""
    sink = begin(world.context("PutObject"), parse(make_request("PUT", key="k", length=1)))
    sink.write([b"1"])
    world.store.buckets.delete("b")
    with pytest.raises(NoSuchBucket):
        sink.finish()


def test_metadata_limit(world: Any, make_request: Any) -> None:
    """The operator's, before the body."""
    world.limits = Limits(metadata=4)
    request = make_request("PUT", key="k", headers={"x-amz-meta-ab": "cde"})
    with pytest.raises(MetadataTooLarge):
        world.perform(ACTION, request, b"x")
    with pytest.raises(NoSuchKey):
        world.store.objects.stat("b", "k")
