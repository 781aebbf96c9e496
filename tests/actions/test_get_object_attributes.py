"""GetObjectAttributes: what is asked for and nothing else; parts page by page."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest

from s3daemon.actions.base import Answer
from s3daemon.actions.get_object_attributes import ACTION
from s3daemon.store.interfaces import Attributes, Checksum, NoSuchBucket, NoSuchKey
from s3daemon.store.memory import MemoryStore
from s3daemon.wire import errors
from s3daemon.wire.message import Personality
from tests.support.actions import World, outline, parsed

NOW_NS = 1_795_493_562_627_000_000
EVERYTHING = "ETag,Checksum,ObjectParts,StorageClass,ObjectSize"
MD5 = hashlib.md5(b"content").hexdigest()
SHA256 = "7XACtDnprIRfIjV9giusFERzD722AW0+yUMil7nsn3M="


@pytest.fixture
def world() -> World:
    made = World(MemoryStore(clock=lambda: NOW_NS))
    made.store.buckets.create("abc", "id-alice")
    made.put("abc", "plain", b"content")
    return made


def put_in_parts(world: World, count: int, algorithm: str | None = "SHA256") -> None:
    """The object ``k`` of parts of 1, 2, 3 ... bytes."""
    uploads = world.store.uploads
    kind = algorithm and "COMPOSITE"
    upload_id = uploads.create("abc", "k", Attributes(), None, algorithm, kind).upload_id
    parts = []
    for number in range(1, count + 1):
        writer = uploads.write_part("abc", "k", upload_id, number, None)
        writer.write((b"x" * number,))
        digest = hashlib.md5(b"x" * number).hexdigest()
        parts.append(writer.commit(digest, algorithm and Checksum(algorithm, SHA256)))
    uploads.complete("abc", "k", upload_id, [(part.number, part.etag) for part in parts])


def ask(world: World, key: str = "plain", names: str = EVERYTHING, **options: Any) -> Answer:
    fields = {"x-amz-object-attributes": names, **options.pop("headers", {})}
    return world.run(ACTION, "abc", key, headers=fields, **options)


def attributes(world: World, *args: Any, **options: Any) -> dict[str, Any]:
    return parsed("GetObjectAttributes", ask(world, *args, **options))


def test_an_object(world: World) -> None:
    found = attributes(world)
    assert found.pop("LastModified").isoformat() == "2026-11-24T04:12:42+00:00"
    assert found == {"ETag": MD5, "StorageClass": "STANDARD", "ObjectSize": 7}


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("ETag", {"ETag": MD5}),
        ("StorageClass", {"StorageClass": "STANDARD"}),
        ("ObjectSize", {"ObjectSize": 7}),
        ("Checksum", {}),
        ("ObjectParts", {}),
        ("ETag, ObjectSize", {"ETag": MD5, "ObjectSize": 7}),
        (" ETag,,ObjectSize ,", {"ETag": MD5, "ObjectSize": 7}),
        ("ETag,ETag", {"ETag": MD5}),
    ],
)
def test_only_what_is_asked_for(world: World, name: str, found: dict[str, Any]) -> None:
    given = attributes(world, names=name)
    del given["LastModified"]
    assert given == found


def test_an_object_in_parts(world: World) -> None:
    put_in_parts(world, 3)
    info = world.store.objects.stat("abc", "k")
    assert info.checksum is not None
    found = attributes(world, "k")
    del found["LastModified"]
    assert found == {
        "ETag": info.etag,
        "Checksum": {"ChecksumSHA256": info.checksum.value, "ChecksumType": "COMPOSITE"},
        "ObjectParts": {
            "TotalPartsCount": 3,
            "PartNumberMarker": 0,
            "NextPartNumberMarker": 3,
            "MaxParts": 1000,
            "IsTruncated": False,
            "Parts": [
                {"PartNumber": number, "Size": number, "ChecksumSHA256": SHA256}
                for number in (1, 2, 3)
            ],
        },
        "StorageClass": "STANDARD",
        "ObjectSize": 6,
    }


def test_parts_without_checksums(world: World) -> None:
    put_in_parts(world, 2, None)
    found = attributes(world, "k")
    assert "Checksum" not in found
    assert found["ObjectParts"]["Parts"] == [
        {"PartNumber": number, "Size": number} for number in (1, 2)
    ]


def test_order_of_the_elements(world: World) -> None:
    put_in_parts(world, 1)
    assert outline(ask(world, "k")) == [
        "GetObjectAttributesResponse",
        "ETag",
        "Checksum",
        "ObjectParts",
        "StorageClass",
        "ObjectSize",
    ]


@pytest.mark.parametrize(
    ("after", "most", "numbers", "following", "more"),
    [
        ("0", "2", [1, 2], 2, True),
        ("2", "2", [3, 4], 4, True),
        ("3", "1", [4], 4, True),
        ("4", "1", [5], 5, False),
        ("4", "10", [5], 5, False),
        ("5", "10", [], 5, False),
        ("9", "10", [], 9, False),
        ("0", "0", [], 0, False),
        ("", "", [1, 2, 3, 4, 5], 5, False),
        ("0", "5000", [1, 2, 3, 4, 5], 5, False),
    ],
)
def test_pages(
    world: World, after: str, most: str, numbers: list[int], following: int, more: bool
) -> None:
    put_in_parts(world, 5)
    page = {"x-amz-part-number-marker": after, "x-amz-max-parts": most}
    found = attributes(world, "k", "ObjectParts", headers=page)["ObjectParts"]
    assert [part["PartNumber"] for part in found.pop("Parts", [])] == numbers
    assert found == {
        "TotalPartsCount": 5,
        "PartNumberMarker": int(after or 0),
        "NextPartNumberMarker": following,
        "MaxParts": min(int(most or 1000), 1000),
        "IsTruncated": more,
    }


@pytest.mark.parametrize("value", ["", " ", ",", None])
def test_nothing_is_asked_for(world: World, value: str | None) -> None:
    fields = {} if value is None else {"x-amz-object-attributes": value}
    with pytest.raises(errors.InvalidRequest, match="missing or empty"):
        world.run(ACTION, "abc", "plain", headers=fields)


@pytest.mark.parametrize("value", ["Size", "etag", "ETag,Size", "ETag;ObjectSize"])
def test_no_such_attribute(world: World, value: str) -> None:
    with pytest.raises(errors.InvalidArgument) as caught:
        ask(world, names=value)
    assert str(caught.value) == "Invalid attribute name specified."
    assert caught.value.detail == {
        "ArgumentName": "x-amz-object-attributes",
        "ArgumentValue": value.removeprefix("ETag,"),
    }


@pytest.mark.parametrize("name", ["x-amz-max-parts", "x-amz-part-number-marker"])
@pytest.mark.parametrize("value", ["x", "-1", "99999999999"])
def test_no_such_page(world: World, name: str, value: str) -> None:
    with pytest.raises(errors.InvalidArgument) as caught:
        ask(world, headers={name: value})
    assert caught.value.detail == {"ArgumentName": name, "ArgumentValue": value}


@pytest.mark.parametrize(
    ("name", "value", "error"),
    [
        ("if-match", '"other"', errors.PreconditionFailed),
        ("if-none-match", f'"{MD5}"', errors.NotModified),
        ("if-modified-since", "Tue, 24 Nov 2026 04:12:42 GMT", errors.NotModified),
        ("if-unmodified-since", "Tue, 24 Nov 2026 04:12:41 GMT", errors.PreconditionFailed),
        ("x-amz-server-side-encryption-customer-algorithm", "AES256", errors.NotImplemented),
    ],
)
def test_conditions(world: World, name: str, value: str, error: type[errors.S3Error]) -> None:
    with pytest.raises(error):
        ask(world, headers={name: value})


def test_conditions_that_hold(world: World) -> None:
    assert attributes(world, headers={"if-match": f'"{MD5}"'})["ETag"] == MD5


def test_no_such_object(world: World) -> None:
    world.put("abc", "dir/k")
    for key in ("missing", "dir/"):
        with pytest.raises(NoSuchKey):
            ask(world, key)
    assert attributes(world, "dir/", personality=Personality.ALLUXIO)["ObjectSize"] == 0
    with pytest.raises(NoSuchBucket):
        world.run(ACTION, "missing", "k", headers={"x-amz-object-attributes": "ETag"})


def test_whose(world: World) -> None:
    with pytest.raises(errors.AccessDenied):
        ask(world, caller="bob")
