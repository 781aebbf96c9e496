"""CopyObject."""

from __future__ import annotations

import hashlib
from typing import Any

import attrs
import pytest

from s3daemon.actions import copy_object
from s3daemon.actions.base import Limits
from s3daemon.actions.copy_object import ACTION, parse
from s3daemon.store.interfaces import (
    Attributes,
    Checksum,
    NoSuchBucket,
    ObjectExists,
    OutOfSpace,
)
from s3daemon.store.memory_objects import MemoryObjects, MemoryReader
from s3daemon.wire import checksums
from s3daemon.wire.checksums import ALGORITHMS, DEFAULT
from s3daemon.wire.errors import InvalidRequest, MetadataTooLarge, S3Error
from s3daemon.wire.message import Personality

OLD = Attributes({"content-type": "audio/ogg"}, {"key1": "value1"}, (("t", "old"),))
GIVEN = {"content-type": "audio/mpeg", "x-amz-meta-key3": "value3", "x-amz-tagging": "t=new"}
NEW = Attributes({"content-type": "audio/mpeg"}, {"key3": "value3"}, (("t", "new"),))
REPLACE_METADATA = {"x-amz-metadata-directive": "REPLACE"}
REPLACE_TAGS = {"x-amz-tagging-directive": "REPLACE"}


@pytest.fixture
def copy(world: Any, make_request: Any) -> Any:
    """``copy(source, key, bucket="b", headers=..., ...)``: the answer of a copy."""

    def perform(source: str, key: str, bucket: str = "b", **head: Any) -> Any:
        headers = {"x-amz-copy-source": source, **head.pop("headers", {})}
        return world.perform(ACTION, make_request("PUT", bucket, key, headers=headers, **head))

    return perform


@pytest.fixture
def source(world: Any) -> Any:
    """The object ``src`` with attributes of every kind."""
    return world.put("src", b"foo", system=OLD.system, metadata=OLD.metadata, tags=OLD.tags)


def test_copy(world: Any, copy: Any, source: Any, parsed: Any) -> None:
    """Content and all attributes; the answer has the ETag of the new object, quoted."""
    answer = copy("b/src", "dir/dst")
    info = world.store.objects.stat("b", "dir/dst")
    assert world.content("dir/dst") == b"foo"
    assert info.attributes == OLD
    assert (info.owner, info.etag) == ("alice-id", hashlib.md5(b"foo").hexdigest())
    result = parsed("CopyObject", answer)["CopyObjectResult"]
    assert answer.status == 200
    assert result["ETag"] == f'"{info.etag}"'
    assert int(result["LastModified"].timestamp() * 1000) == info.modified_ns // 10**6
    assert world.asked == [
        ("alice", "CopyObject", "b", "dir/dst"),
        ("alice", "GetObject", "b", "src"),
    ]


@pytest.mark.parametrize(
    ("directives", "expected"),
    [
        ({}, OLD),
        ({"x-amz-metadata-directive": "COPY", "x-amz-tagging-directive": "COPY"}, OLD),
        (REPLACE_METADATA, Attributes(NEW.system, NEW.metadata, OLD.tags)),
        (REPLACE_TAGS, Attributes(OLD.system, OLD.metadata, NEW.tags)),
        ({**REPLACE_METADATA, **REPLACE_TAGS}, NEW),
    ],
)
def test_directives(
    world: Any, copy: Any, source: Any, directives: dict[str, str], expected: Attributes
) -> None:
    """Each decides for its own kind, whatever else the request says."""
    copy("b/src", "dst", headers={**GIVEN, **directives})
    assert world.store.objects.stat("b", "dst").attributes == expected


def test_replace_by_nothing(world: Any, copy: Any, source: Any) -> None:
    """What is not given is empty."""
    copy("b/src", "dst", headers={**REPLACE_METADATA, **REPLACE_TAGS})
    assert world.store.objects.stat("b", "dst").attributes == Attributes()


@pytest.mark.parametrize("name", ["x-amz-metadata-directive", "x-amz-tagging-directive"])
@pytest.mark.parametrize("value", ["", "copy", "MERGE"])
def test_unknown_directive(copy: Any, source: Any, name: str, value: str) -> None:
    """Is not COPY."""
    with pytest.raises(S3Error) as caught:
        copy("b/src", "dst", headers={name: value})
    assert caught.value.code == "InvalidArgument"
    assert caught.value.detail == {"ArgumentName": name, "ArgumentValue": value}


@pytest.mark.parametrize("spelling", ["b/src", "/b/src", "b%2Fsrc", "b/src?versionId=null"])
def test_onto_itself(world: Any, copy: Any, source: Any, spelling: str) -> None:
    """Needs something to change."""
    with pytest.raises(S3Error) as caught:
        copy(spelling, "src")
    assert caught.value.code == "InvalidRequest"
    assert "without changing the object's metadata" in str(caught.value)
    copy(spelling, "src", headers={**GIVEN, **REPLACE_METADATA})
    assert world.content("src") == b"foo"
    assert world.store.objects.stat("b", "src").attributes.metadata == {"key3": "value3"}
    copy(spelling, "src", headers={**GIVEN, **REPLACE_TAGS})
    assert world.store.objects.stat("b", "src").attributes == NEW


def test_to_another_bucket(world: Any, copy: Any, source: Any) -> None:
    """The same key elsewhere is not itself."""
    world.store.buckets.create("c", "alice-id")
    copy("b/src", "src", bucket="c")
    assert world.content("src", "c") == b"foo"


def test_zero_bytes_and_odd_keys(world: Any, copy: Any) -> None:
    """Copy like any other."""
    world.put("a b+c%?\u00fc")
    copy("b/a%20b%2Bc%25%3F%C3%BC", "dst")
    assert world.content("dst") == b""


@pytest.mark.parametrize(
    ("name", "value", "fails"),
    [
        ("if-match", '"{etag}"', False),
        ("if-match", "ABCORZ", True),
        ("if-none-match", '"{etag}"', True),
        ("if-none-match", "ABCORZ", False),
        ("if-modified-since", "Sat, 29 Oct 1994 19:43:31 GMT", False),
        ("if-modified-since", "Sat, 29 Oct 2094 19:43:31 GMT", True),
        ("if-unmodified-since", "Sat, 29 Oct 1994 19:43:31 GMT", True),
        ("if-unmodified-since", "Sat, 29 Oct 2094 19:43:31 GMT", False),
    ],
)
def test_conditions(world: Any, copy: Any, source: Any, name: str, value: str, fails: bool) -> None:
    """All failures are 412, and nothing is made."""
    headers = {"x-amz-copy-source-" + name: value.format(etag=source.etag)}
    if fails:
        with pytest.raises(S3Error) as caught:
            copy("b/src", "dst", headers=headers)
        assert caught.value.status == 412
        assert world.keys() == ["src"]
    else:
        copy("b/src", "dst", headers=headers)


def test_create_only(world: Any, copy: Any, source: Any) -> None:
    """If-None-Match: * is about the target."""
    copy("b/src", "dst", headers={"if-none-match": "*"})
    with pytest.raises(ObjectExists):
        copy("b/src", "dst", headers={"if-none-match": "*"})
    with pytest.raises(S3Error) as caught:
        copy("b/src", "dst", headers={"if-match": "*", "if-none-match": "*"})
    assert caught.value.code == "NotImplemented"


@pytest.mark.parametrize(
    ("spelling", "code"),
    [
        ("none/k", "NoSuchBucket"),
        ("b/none", "NoSuchKey"),
        ("b/secret", "AccessDenied"),
        ("b/dir/", "NoSuchKey"),
        ("foreign/k", "AccessDenied"),
        ("b", "InvalidArgument"),
    ],
)
def test_bad_sources(world: Any, copy: Any, spelling: str, code: str) -> None:
    """Nothing is made."""
    world.put("secret")
    world.put("dir/below")
    world.store.buckets.create("foreign", "bob-id")
    world.put("k", bucket="foreign")
    before = world.keys()
    with pytest.raises(S3Error) as caught:
        copy(spelling, "dst")
    assert caught.value.code == code
    assert world.keys() == before


def test_folder_source(world: Any, copy: Any) -> None:
    """The alluxio personality copies a directory as the empty object it shows."""
    world.put("dir/below")
    copy("b/dir/", "dst", personality=Personality.ALLUXIO)
    assert world.content("dst") == b""


def test_missing_target_bucket(copy: Any, source: Any) -> None:
    """Comes before the source."""
    with pytest.raises(NoSuchBucket):
        copy("b/none", "dst", bucket="none")


def test_target_needs_permission(world: Any, copy: Any, source: Any) -> None:
    """As for a PUT."""
    with pytest.raises(S3Error) as caught:
        copy("b/src", "secret")
    assert caught.value.code == "AccessDenied"


def test_metadata_limit(world: Any, copy: Any, source: Any) -> None:
    """Holds for what is given, not for what is kept."""
    world.limits = Limits(metadata=3)
    copy("b/src", "dst")
    with pytest.raises(MetadataTooLarge):
        copy("b/src", "dst", headers={**GIVEN, **REPLACE_METADATA})


@pytest.mark.parametrize(
    "name",
    ["x-amz-server-side-encryption", "x-amz-copy-source-server-side-encryption-customer-key"],
)
def test_never_pretends(make_request: Any, name: str) -> None:
    """Whatever the directives are."""
    with pytest.raises(S3Error) as caught:
        parse(make_request("PUT", key="k", headers={"x-amz-copy-source": "b/src", name: "x"}))
    assert caught.value.code == "NotImplemented"


def test_source_is_closed(
    world: Any, copy: Any, source: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether the copy succeeds or fails."""
    closed = []
    monkeypatch.setattr(MemoryReader, "close", lambda reader: closed.append(reader.info.key))
    copy("b/src", "dst")
    assert closed == ["src"]

    def full(*arguments: Any, **others: Any) -> None:
        raise OutOfSpace

    monkeypatch.setattr(MemoryObjects, "copy", full)
    with pytest.raises(OutOfSpace):
        copy("b/src", "dst")
    assert closed == ["src", "src"]


# -- checksums ------------------------------------------------------------------------------------


def of(algorithm: str, content: bytes) -> str:
    """The checksum of bytes."""
    hasher = checksums.hasher(algorithm)
    hasher.update(content)
    return checksums.encode(hasher.digest())


@pytest.mark.parametrize(
    ("has", "wanted", "gets"),
    [
        (Checksum("SHA1", of("SHA1", b"foo")), None, "SHA1"),
        (Checksum("SHA1", of("SHA1", b"foo")), "sha256", "SHA256"),
        (Checksum("SHA1", of("SHA1", b"123") + "-3", "COMPOSITE"), None, "SHA1"),
        (None, "CRC32", "CRC32"),
        (None, None, DEFAULT and DEFAULT.name),
        (Checksum("CRC16", "AAA="), None, DEFAULT and DEFAULT.name),
    ],
)
def test_checksum(
    world: Any, copy: Any, parsed: Any, has: Checksum | None, wanted: str | None, gets: str | None
) -> None:
    """Of all bytes: by the algorithm that is asked for, the source's, or the default."""
    writer = world.store.objects.create("b", "src", OLD, world.caller.id)
    writer.write([b"foo"])
    writer.commit("etag", has)
    headers = {} if wanted is None else {"x-amz-checksum-algorithm": wanted}
    result = parsed("CopyObject", copy("b/src", "dst", headers=headers))["CopyObjectResult"]
    found = {name: result[name] for name in result if name.startswith("Checksum")}
    expected = gets and {"ChecksumType": "FULL_OBJECT", f"Checksum{gets}": of(gets, b"foo")}
    assert found == (expected or {})
    info = world.store.objects.stat("b", "dst")
    assert info.checksum == (gets and Checksum(gets, of(gets, b"foo")))


def test_an_algorithm_that_this_gateway_lacks(
    world: Any, copy: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Is no reason to refuse the copy of what another gateway has put."""
    writer = world.store.objects.create("b", "src", OLD, world.caller.id)
    writer.commit("etag", Checksum("SHA1", of("SHA1", b"") + "-1", "COMPOSITE"))
    lacking = {**ALGORITHMS, "SHA1": attrs.evolve(ALGORITHMS["SHA1"], make=None)}
    monkeypatch.setattr(copy_object, "ALGORITHMS", lacking)
    copy("b/src", "dst")
    info = world.store.objects.stat("b", "dst")
    assert info.checksum == (DEFAULT and Checksum(DEFAULT.name, of(DEFAULT.name, b"")))


def test_unknown_algorithm(world: Any, copy: Any, source: Any) -> None:
    """Nothing is copied."""
    with pytest.raises(InvalidRequest, match="SHA256"):
        copy("b/src", "dst", headers={"x-amz-checksum-algorithm": "CRC16"})
    assert world.keys() == ["src"]


def test_onto_itself_for_another_checksum(world: Any, copy: Any, source: Any) -> None:
    """That is a change."""
    copy("b/src", "src", headers={"x-amz-checksum-algorithm": "SHA256"})
    assert world.store.objects.stat("b", "src").checksum == Checksum("SHA256", of("SHA256", b"foo"))
    assert world.store.objects.stat("b", "src").attributes == OLD
