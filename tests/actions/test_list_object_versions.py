"""ListObjectVersions: each object once, parameters, markers, elements."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from s3daemon.actions.list_object_versions import ACTION
from s3daemon.store.interfaces import NoSuchBucket
from s3daemon.store.memory import MemoryStore
from s3daemon.wire import errors
from s3daemon.wire.message import Personality
from tests.support.actions import World, outline, parsed


def world_of(keys: Sequence[str], owner: str | None = "id-alice") -> World:
    world = World(MemoryStore(clock=lambda: 1_795_493_562_627_000_000))
    world.store.buckets.create("abc", owner)
    for key in keys:
        world.put("abc", key, b"12345", owner="id-bob")
    return world


def listed(world: World, query: Mapping[str, str] | None = None, **options: Any) -> Any:
    return parsed("ListObjectVersions", world.run(ACTION, "abc", query=query, **options))


def keys(found: Any) -> list[str]:
    return [entry["Key"] for entry in found.get("Versions", ())]


def prefixes(found: Any) -> list[str]:
    return [entry["Prefix"] for entry in found.get("CommonPrefixes", ())]


def test_each_object_is_its_only_version() -> None:
    world = world_of(["foo", "bar", "foo"])
    found = listed(world)
    first, second = found.pop("Versions")
    assert found == {
        "Name": "abc",
        "Prefix": "",
        "KeyMarker": "",
        "VersionIdMarker": "",
        "MaxKeys": 1000,
        "IsTruncated": False,
    }
    assert second["Key"] == "foo"
    assert first.pop("LastModified").isoformat() == "2026-11-24T04:12:42.627000+00:00"
    assert first == {
        "Key": "bar",
        "VersionId": "null",
        "IsLatest": True,
        "ETag": '"827ccb0eea8a706c4c34a16891f84e7b"',
        "Size": 5,
        "StorageClass": "STANDARD",
        "Owner": {"ID": "id-bob", "DisplayName": "Bob"},
    }


def test_what_was_deleted_leaves_no_marker() -> None:
    world = world_of(["a", "b"])
    world.store.objects.delete("abc", "a")
    found = listed(world)
    assert keys(found) == ["b"]
    assert "DeleteMarkers" not in found


def test_order_of_the_elements() -> None:
    query = {
        "prefix": "a",
        "key-marker": "a",
        "version-id-marker": "null",
        "max-keys": "2",
        "delimiter": "/",
        "encoding-type": "url",
    }
    assert outline(world_of(["aa", "ab/c", "ac"]).run(ACTION, "abc", query=query)) == [
        "ListVersionsResult",
        "Name",
        "Prefix",
        "KeyMarker",
        "VersionIdMarker",
        "NextKeyMarker",
        "NextVersionIdMarker",
        "MaxKeys",
        "Delimiter",
        "EncodingType",
        "IsTruncated",
        "Version",
        "CommonPrefixes",
    ]


def test_what_nobody_put_is_the_bucket_owners() -> None:
    world = world_of([])
    world.put("abc", "file")
    assert listed(world)["Versions"][0]["Owner"]["ID"] == "id-alice"
    world = world_of([], owner=None)
    world.put("abc", "file")
    assert "Owner" not in listed(world)["Versions"][0]


@pytest.mark.parametrize("version", [{}, {"version-id-marker": "null"}], ids=["absent", "null"])
@pytest.mark.parametrize(
    ("marker", "rest"),
    [("a", ["b", "c"]), ("aa", ["b", "c"]), ("b", ["c"]), ("c", []), ("0", ["a", "b", "c"])],
)
def test_markers_are_exclusive(marker: str, rest: list[str], version: dict[str, str]) -> None:
    """With the only version of a key as without one, and for keys that are not there."""
    found = listed(world_of(["a", "b", "c"]), {"key-marker": marker, **version})
    assert keys(found) == rest
    assert found["KeyMarker"] == marker
    assert found["VersionIdMarker"] == version.get("version-id-marker", "")


def pages(world: World, **query: str) -> list[tuple[list[str], list[str]]]:
    """All pages, each asked for with the markers of the one before, as clients do."""
    found = listed(world, query)
    walked = [(keys(found), prefixes(found))]
    while found["IsTruncated"]:
        assert found["NextVersionIdMarker"] == "null"
        markers = {
            "key-marker": found["NextKeyMarker"],
            "version-id-marker": found["NextVersionIdMarker"],
        }
        found = listed(world, {**query, **markers})
        walked.append((keys(found), prefixes(found)))
    assert "NextKeyMarker" not in found
    assert "NextVersionIdMarker" not in found
    return walked


def test_pages() -> None:
    world = world_of(["a", "b", "c", "d"])
    assert pages(world, **{"max-keys": "2"}) == [(["a", "b"], []), (["c", "d"], [])]
    assert pages(world, **{"max-keys": "3"}) == [(["a", "b", "c"], []), (["d"], [])]
    assert pages(world, **{"max-keys": "4"}) == [(["a", "b", "c", "d"], [])]


def test_pages_with_a_delimiter() -> None:
    world = world_of(["asdf", "boo/bar", "boo/baz/xyzzy", "cquux/bla", "cquux/thud"])
    assert pages(world, delimiter="/", **{"max-keys": "1"}) == [
        (["asdf"], []),
        ([], ["boo/"]),
        ([], ["cquux/"]),
    ]
    assert pages(world, delimiter="/", prefix="boo/", **{"max-keys": "1"}) == [
        (["boo/bar"], []),
        ([], ["boo/baz/"]),
    ]
    assert listed(world, {"delimiter": "/", "max-keys": "2"})["NextKeyMarker"] == "boo/"
    assert listed(world, {"delimiter": "/"})["Delimiter"] == "/"
    assert "Delimiter" not in listed(world, {"delimiter": ""})


@pytest.mark.parametrize(
    ("given", "echoed", "count"), [("0", 0, 0), ("2", 2, 2), ("5000", 1000, 3)]
)
def test_max_keys(given: str, echoed: int, count: int) -> None:
    found = listed(world_of(["a", "b", "c"]), {"max-keys": given})
    assert (found["MaxKeys"], len(keys(found))) == (echoed, count)
    assert found["IsTruncated"] is (given == "2")


def test_url_encoding() -> None:
    world = world_of(["foo+1/bar", "foo+2", "foo+3"])
    query = {"delimiter": "/", "encoding-type": "url", "key-marker": "a b", "prefix": "foo+"}
    found = listed(world, {**query, "max-keys": "2"})
    assert found["EncodingType"] == "url"
    assert (found["KeyMarker"], found["Prefix"]) == ("a%20b", "foo%2B")
    assert (keys(found), prefixes(found)) == (["foo%2B2"], ["foo%2B1/"])
    assert found["NextKeyMarker"] == "foo%2B2"
    assert listed(world, {"encoding-type": "url", "delimiter": " "})["Delimiter"] == "%20"


@pytest.mark.parametrize("key", ["<&>\"'", " lead and trail ", "%41", "a\nb\tc"])
def test_keys_come_back(key: str) -> None:
    assert keys(listed(world_of([key]))) == [key]


def test_directories_are_listed_by_the_alluxio_proxy_only() -> None:
    world = world_of(["dir/file"])
    assert keys(listed(world)) == ["dir/file"]
    found = listed(world, personality=Personality.ALLUXIO)
    assert keys(found) == ["dir/", "dir/file"]
    assert found["Versions"][0]["VersionId"] == "null"


@pytest.mark.parametrize(
    ("query", "name", "message"),
    [
        ({"version-id-marker": "null"}, "version-id-marker", "without a key marker"),
        ({"version-id-marker": ""}, "version-id-marker", "without a key marker"),
        ({"key-marker": "k", "version-id-marker": ""}, "version-id-marker", "cannot be empty"),
        ({"key-marker": "k", "version-id-marker": "x"}, "version-id-marker", "Invalid version id"),
        ({"max-keys": "-1"}, "max-keys", "max-keys"),
        ({"encoding-type": "foo"}, "encoding-type", "Encoding Method"),
        # the first of several, in S3's order
        (
            {"max-keys": "x", "version-id-marker": "x", "encoding-type": "x"},
            "max-keys",
            "not an integer",
        ),
        (
            {"version-id-marker": "x", "encoding-type": "x"},
            "version-id-marker",
            "without a key marker",
        ),
    ],
)
def test_refused(query: dict[str, str], name: str, message: str) -> None:
    with pytest.raises(errors.InvalidArgument, match=message) as caught:
        listed(world_of([]), query)
    assert caught.value.detail == {"ArgumentName": name, "ArgumentValue": query[name]}


def test_whose() -> None:
    world = world_of([])
    with pytest.raises(errors.AccessDenied):
        listed(world, caller="bob")
    with pytest.raises(NoSuchBucket):
        world.run(ACTION, "missing")
