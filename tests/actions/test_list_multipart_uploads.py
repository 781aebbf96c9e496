"""ListMultipartUploads: whose uploads, paging, elements."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any

import pytest

from s3daemon.actions.list_multipart_uploads import ACTION
from s3daemon.store.interfaces import Attributes, NoSuchBucket
from s3daemon.store.memory import MemoryStore
from s3daemon.wire import errors
from s3daemon.wire.message import Personality, S3Request
from tests.support.actions import World, outline, parsed

UPLOADS = (
    ("a", "id-alice"),
    ("a", "id-bob"),
    ("b +/1", "id-alice"),
    ("b +/2", "id-bob"),
    ("c", "id-alice"),
)


@pytest.fixture
def world() -> World:
    ticks = itertools.count(1_795_493_562_627_000_000, 1_000_000_000)
    made = World(MemoryStore(clock=lambda: next(ticks)))
    made.store.buckets.create("abc", "id-alice")
    for key, owner in UPLOADS:
        made.store.uploads.create("abc", key, Attributes(), owner)
    return made


def listed(world: World, query: Mapping[str, str] | None = None, **options: Any) -> Any:
    return parsed("ListMultipartUploads", world.run(ACTION, "abc", query=query, **options))


def keys(found: Any) -> list[str]:
    return [entry["Key"] for entry in found.get("Uploads", ())]


def prefixes(found: Any) -> list[str]:
    return [entry["Prefix"] for entry in found.get("CommonPrefixes", ())]


def test_all_uploads(world: World) -> None:
    found = listed(world)
    uploads = found.pop("Uploads")
    assert found == {
        "Bucket": "abc",
        "KeyMarker": "",
        "UploadIdMarker": "",
        "MaxUploads": 1000,
        "IsTruncated": False,
    }
    assert [upload["Key"] for upload in uploads] == [key for key, _ in UPLOADS]
    second = uploads[1]
    assert world.store.uploads.get("abc", "a", second.pop("UploadId")).owner == "id-bob"
    assert second.pop("Initiated").isoformat() == "2026-11-24T04:12:44.627000+00:00"
    assert second == {
        "Key": "a",
        "Initiator": {"ID": "id-bob", "DisplayName": "Bob"},
        "Owner": {"ID": "id-bob", "DisplayName": "Bob"},
        "StorageClass": "STANDARD",
    }


def test_checksums(world: World) -> None:
    world.store.uploads.create("abc", "0", Attributes(), "id-alice", "SHA256", "COMPOSITE")
    first, second, *_ = listed(world)["Uploads"]
    assert (first["ChecksumAlgorithm"], first["ChecksumType"]) == ("SHA256", "COMPOSITE")
    assert "ChecksumAlgorithm" not in second
    assert "ChecksumType" not in second


def test_an_alluxio_endpoint_shows_the_callers_own(world: World) -> None:
    assert keys(listed(world, personality=Personality.ALLUXIO)) == ["a", "b +/1", "c"]


def test_order_of_the_elements(world: World) -> None:
    first = listed(world, {"max-uploads": "1"})
    query = {
        "prefix": "",
        "delimiter": "/",
        "key-marker": "a",
        "upload-id-marker": first["NextUploadIdMarker"],
        "max-uploads": "2",
        "encoding-type": "url",
    }
    assert outline(world.run(ACTION, "abc", query=query)) == [
        "ListMultipartUploadsResult",
        "Bucket",
        "KeyMarker",
        "UploadIdMarker",
        "NextKeyMarker",
        "NextUploadIdMarker",
        "Delimiter",
        "EncodingType",
        "MaxUploads",
        "IsTruncated",
        "Upload",
        "CommonPrefixes",
    ]


@pytest.mark.parametrize("delimiter", ["", "/"])
@pytest.mark.parametrize("size", ["1", "2", "3", "5", "6"])
def test_all_pages_together(world: World, size: str, delimiter: str) -> None:
    whole = listed(world, {"delimiter": delimiter})
    query = {"max-uploads": size, "delimiter": delimiter}
    uploads: list[tuple[str, str]] = []
    found_prefixes: list[str] = []
    while True:
        page = listed(world, query)
        assert page["MaxUploads"] == int(size)
        assert len(keys(page)) + len(prefixes(page)) <= int(size)
        uploads += [(entry["Key"], entry["UploadId"]) for entry in page.get("Uploads", ())]
        found_prefixes += prefixes(page)
        assert page["KeyMarker"] == query.get("key-marker", "")
        assert page["UploadIdMarker"] == query.get("upload-id-marker", "")
        if not page["IsTruncated"]:
            assert "NextKeyMarker" not in page
            assert "NextUploadIdMarker" not in page
            break
        query["key-marker"] = page["NextKeyMarker"]
        query["upload-id-marker"] = page["NextUploadIdMarker"]
    assert uploads == [(entry["Key"], entry["UploadId"]) for entry in whole["Uploads"]]
    assert found_prefixes == prefixes(whole)


def test_an_upload_id_marker_alone_does_not_count(world: World) -> None:
    found = listed(world, {"upload-id-marker": "zzz"})
    assert found["UploadIdMarker"] == "zzz"
    request = S3Request("GET", "abc", query={"upload-id-marker": "zzz"})
    assert ACTION.parse(request).query.after_upload_id == ""
    assert len(keys(found)) == len(UPLOADS)


def test_prefix_and_delimiter(world: World) -> None:
    found = listed(world, {"prefix": "b", "delimiter": "/"})
    assert (found["Prefix"], found["Delimiter"]) == ("b", "/")
    assert (keys(found), prefixes(found)) == ([], ["b +/"])


def test_url_encoding(world: World) -> None:
    found = listed(world, {"prefix": "b +", "key-marker": "a b", "encoding-type": "url"})
    assert keys(found) == ["b%20%2B/1", "b%20%2B/2"]
    assert (found["Prefix"], found["KeyMarker"]) == ("b%20%2B", "a%20b")
    found = listed(
        world,
        {"prefix": "b", "delimiter": "+", "encoding-type": "url", "max-uploads": "1"},
    )
    assert (found["Delimiter"], prefixes(found)) == ("%2B", ["b%20%2B"])
    found = listed(world, {"key-marker": "a", "max-uploads": "1", "encoding-type": "url"})
    assert found["NextKeyMarker"] == "b%20%2B/1"


@pytest.mark.parametrize(
    ("name", "value"), [("max-uploads", "x"), ("max-uploads", "-1"), ("encoding-type", "foo")]
)
def test_refused(world: World, name: str, value: str) -> None:
    with pytest.raises(errors.InvalidArgument) as caught:
        listed(world, {name: value})
    assert caught.value.detail == {"ArgumentName": name, "ArgumentValue": value}


def test_whose(world: World) -> None:
    with pytest.raises(errors.AccessDenied):
        listed(world, caller="bob")
    with pytest.raises(NoSuchBucket):
        world.run(ACTION, "missing")
