"""ListParts: exact paging, owners, elements."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import pytest

from s3daemon.actions.list_parts import ACTION
from s3daemon.store.interfaces import Attributes, Checksum, NoSuchBucket, NoSuchUpload
from s3daemon.store.memory import MemoryStore
from s3daemon.wire import errors
from tests.support.actions import World, outline, parsed

NUMBERS = (1, 2, 5, 10000)


@pytest.fixture
def world() -> World:
    made = World(MemoryStore(clock=lambda: 1_795_493_562_627_000_000))
    made.store.buckets.create("abc", "id-alice")
    return made


@pytest.fixture
def upload_id(world: World) -> str:
    uploads = world.store.uploads
    created: str = uploads.create("abc", "k&y", Attributes(), "id-bob").upload_id
    for number in NUMBERS:
        writer = uploads.write_part("abc", "k&y", created, number, None)
        writer.write((b"x" * number,))
        writer.commit(hashlib.md5(b"x" * number).hexdigest())
    return created


def listed(world: World, upload_id: str, query: Mapping[str, str] | None = None) -> Any:
    given = {"uploadId": upload_id, **(query or {})}
    return parsed("ListParts", world.run(ACTION, "abc", "k&y", query=given))


def test_all_parts(world: World, upload_id: str) -> None:
    found = listed(world, upload_id)
    parts = found.pop("Parts")
    assert found == {
        "Bucket": "abc",
        "Key": "k&y",
        "UploadId": upload_id,
        "Initiator": {"ID": "id-bob", "DisplayName": "Bob"},
        "Owner": {"ID": "id-bob", "DisplayName": "Bob"},
        "StorageClass": "STANDARD",
        "PartNumberMarker": 0,
        "NextPartNumberMarker": 10000,
        "MaxParts": 1000,
        "IsTruncated": False,
    }
    assert [part["PartNumber"] for part in parts] == list(NUMBERS)
    assert parts[2].pop("LastModified").isoformat() == "2026-11-24T04:12:42.627000+00:00"
    assert parts[2] == {"PartNumber": 5, "ETag": '"fb0e22c79ac75679e9881e6ba183b354"', "Size": 5}


def test_checksums(world: World) -> None:
    uploads = world.store.uploads
    upload_id = uploads.create("abc", "k&y", Attributes(), None, "CRC32", "FULL_OBJECT").upload_id
    for number, checksum in enumerate([Checksum("CRC32", "y/Q5Jg=="), None], 1):
        writer = uploads.write_part("abc", "k&y", upload_id, number, None)
        writer.write((b"123456789",))
        writer.commit(hashlib.md5(b"123456789").hexdigest(), checksum)
    found = listed(world, upload_id)
    assert (found["ChecksumAlgorithm"], found["ChecksumType"]) == ("CRC32", "FULL_OBJECT")
    assert [part.get("ChecksumCRC32") for part in found["Parts"]] == ["y/Q5Jg==", None]


def test_a_checksum_that_nobody_asked_for_is_not_shown(world: World, upload_id: str) -> None:
    writer = world.store.uploads.write_part("abc", "k&y", upload_id, 1, None)
    writer.commit(hashlib.md5(b"").hexdigest(), Checksum("CRC64NVME", "AAAAAAAAAAA="))
    (part, *_) = listed(world, upload_id)["Parts"]
    assert part.keys() == {"PartNumber", "LastModified", "ETag", "Size"}


def test_order_of_the_elements(world: World, upload_id: str) -> None:
    assert outline(world.run(ACTION, "abc", "k&y", query={"uploadId": upload_id})) == [
        "ListPartsResult",
        "Bucket",
        "Key",
        "UploadId",
        "Initiator",
        "Owner",
        "StorageClass",
        "PartNumberMarker",
        "NextPartNumberMarker",
        "MaxParts",
        "IsTruncated",
        "Part",
    ]


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5])
def test_all_pages_together(world: World, upload_id: str, size: int) -> None:
    numbers: list[int] = []
    marker = 0
    while True:
        page = listed(world, upload_id, {"max-parts": str(size), "part-number-marker": str(marker)})
        assert (page["PartNumberMarker"], page["MaxParts"]) == (marker, size)
        numbers += [part["PartNumber"] for part in page["Parts"]]
        marker = page["NextPartNumberMarker"]
        assert page["IsTruncated"] is (len(numbers) < len(NUMBERS))
        assert marker == numbers[-1]
        if not page["IsTruncated"]:
            break
    assert numbers == list(NUMBERS)


def test_no_parts(world: World, upload_id: str) -> None:
    for query in ({"part-number-marker": "10000"}, {"max-parts": "0"}):
        found = listed(world, upload_id, query)
        assert (found.get("Parts", []), found["IsTruncated"]) == ([], False)
        assert found["NextPartNumberMarker"] == int(query.get("part-number-marker", 0))


def test_max_parts_is_capped(world: World, upload_id: str) -> None:
    assert listed(world, upload_id, {"max-parts": "5000"})["MaxParts"] == 1000


@pytest.mark.parametrize("name", ["max-parts", "part-number-marker"])
@pytest.mark.parametrize("value", ["x", "-1", "99999999999"])
def test_refused(world: World, upload_id: str, name: str, value: str) -> None:
    with pytest.raises(errors.InvalidArgument) as caught:
        listed(world, upload_id, {name: value})
    assert caught.value.detail == {"ArgumentName": name, "ArgumentValue": value}


def test_no_such_upload(world: World, upload_id: str) -> None:
    with pytest.raises(NoSuchUpload):
        listed(world, "56788")
    with pytest.raises(NoSuchUpload):
        world.run(ACTION, "abc", "other", query={"uploadId": upload_id})


def test_whose(world: World, upload_id: str) -> None:
    with pytest.raises(errors.AccessDenied):
        world.run(ACTION, "abc", "k&y", query={"uploadId": upload_id}, caller="carol")
    with pytest.raises(NoSuchBucket):
        world.run(ACTION, "missing", "k&y", query={"uploadId": upload_id})
