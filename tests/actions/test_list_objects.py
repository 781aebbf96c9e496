"""ListObjects: parameters, markers, elements."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from s3daemon.actions.list_objects import ACTION
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
    return parsed("ListObjects", world.run(ACTION, "abc", query=query, **options))


def keys(found: Any) -> list[str]:
    return [entry["Key"] for entry in found.get("Contents", ())]


def prefixes(found: Any) -> list[str]:
    return [entry["Prefix"] for entry in found.get("CommonPrefixes", ())]


def test_a_plain_listing() -> None:
    found = listed(world_of(["bar", "foo"]))
    assert {name: value for name, value in found.items() if name != "Contents"} == {
        "Name": "abc",
        "Prefix": "",
        "Marker": "",
        "MaxKeys": 1000,
        "IsTruncated": False,
    }
    first = found["Contents"][0]
    assert first.pop("LastModified").isoformat() == "2026-11-24T04:12:42.627000+00:00"
    assert first == {
        "Key": "bar",
        "ETag": '"827ccb0eea8a706c4c34a16891f84e7b"',
        "Size": 5,
        "StorageClass": "STANDARD",
        "Owner": {"ID": "id-bob", "DisplayName": "Bob"},
    }


def test_order_of_the_elements() -> None:
    query = {
        "prefix": "a",
        "marker": "a",
        "max-keys": "2",
        "delimiter": "/",
        "encoding-type": "url",
    }
    assert outline(world_of(["aa", "ab/c", "ac"]).run(ACTION, "abc", query=query)) == [
        "ListBucketResult",
        "Name",
        "Prefix",
        "Marker",
        "NextMarker",
        "MaxKeys",
        "Delimiter",
        "EncodingType",
        "IsTruncated",
        "Contents",
        "CommonPrefixes",
    ]


def test_what_nobody_put_is_the_bucket_owners() -> None:
    world = world_of([])
    world.put("abc", "file")
    assert listed(world)["Contents"][0]["Owner"]["ID"] == "id-alice"
    world = world_of([], owner=None)
    world.put("abc", "file")
    assert "Owner" not in listed(world)["Contents"][0]


def test_delimiter() -> None:
    world = world_of(["asdf", "foo/bar", "foo/bar/xyzzy", "quux/thud"])
    found = listed(world, {"delimiter": "/"})
    assert (keys(found), prefixes(found)) == (["asdf"], ["foo/", "quux/"])
    assert found["Delimiter"] == "/"
    found = listed(world, {"delimiter": "a"})
    assert (keys(found), prefixes(found)) == (["quux/thud"], ["a", "foo/ba"])
    found = listed(world, {"delimiter": ""})
    assert "Delimiter" not in found
    assert len(keys(found)) == 4


def test_pages_with_a_delimiter() -> None:
    world = world_of(["asdf", "boo/bar", "boo/baz/xyzzy", "cquux/bla", "cquux/thud"])

    def page(marker: str, size: str, prefix: str = "") -> tuple[Any, ...]:
        query = {"prefix": prefix, "delimiter": "/", "marker": marker, "max-keys": size}
        found = listed(world, query)
        assert found["Marker"] == marker
        return keys(found), prefixes(found), found["IsTruncated"], found.get("NextMarker")

    assert page("", "1") == (["asdf"], [], True, "asdf")
    assert page("asdf", "1") == ([], ["boo/"], True, "boo/")
    assert page("boo/", "1") == ([], ["cquux/"], False, None)
    assert page("", "2") == (["asdf"], ["boo/"], True, "boo/")
    assert page("boo/", "2") == ([], ["cquux/"], False, None)
    assert page("", "1", "boo/") == (["boo/bar"], [], True, "boo/bar")
    assert page("boo/bar", "1", "boo/") == ([], ["boo/baz/"], False, None)
    assert page("", "2", "boo/") == (["boo/bar"], ["boo/baz/"], False, None)


def test_without_a_delimiter_the_last_key_is_the_marker() -> None:
    world = world_of(["a", "b", "c"])
    found = listed(world, {"max-keys": "2"})
    assert (keys(found), found["IsTruncated"]) == (["a", "b"], True)
    assert "NextMarker" not in found
    assert keys(listed(world, {"marker": "b"})) == ["c"]
    assert listed(world, {"max-keys": "2"}, personality=Personality.ALLUXIO)["NextMarker"] == "b"
    assert "NextMarker" not in listed(world, personality=Personality.ALLUXIO)


def test_directories_are_listed_by_the_alluxio_proxy_only() -> None:
    world = world_of(["dir/file"])
    assert keys(listed(world)) == ["dir/file"]
    found = listed(world, personality=Personality.ALLUXIO)
    assert keys(found) == ["dir/", "dir/file"]
    assert found["Contents"][0]["Size"] == 0


@pytest.mark.parametrize(
    ("given", "echoed", "count"), [("0", 0, 0), ("2", 2, 2), ("5000", 1000, 3)]
)
def test_max_keys(given: str, echoed: int, count: int) -> None:
    found = listed(world_of(["a", "b", "c"]), {"max-keys": given})
    assert (found["MaxKeys"], len(keys(found))) == (echoed, count)
    assert found["IsTruncated"] is (given == "2")


def test_url_encoding() -> None:
    world = world_of(["asdf+b", "foo+1/bar", "foo/bar/xyzzy", "quux ab/thud"])
    query = {"delimiter": "/", "encoding-type": "url", "marker": "a b", "prefix": ""}
    found = listed(world, query)
    assert found["EncodingType"] == "url"
    assert found["Marker"] == "a%20b"
    assert keys(found) == ["asdf%2Bb"]
    assert prefixes(found) == ["foo%2B1/", "foo/", "quux%20ab/"]
    found = listed(
        world, {"delimiter": " ", "encoding-type": "url", "prefix": "quux", "max-keys": "1"}
    )
    assert (found["Delimiter"], prefixes(found)) == ("%20", ["quux%20"])
    found = listed(world, {"delimiter": "+", "encoding-type": "url", "max-keys": "1"})
    assert found["NextMarker"] == "asdf%2B"
    assert listed(world, {"encoding-type": "url", "prefix": "foo+"})["Prefix"] == "foo+"


@pytest.mark.parametrize(
    "key", ["<&>\"'", " lead and trail ", "%41", "\u00fc\U0001f600", "a\nb\tc"]
)
def test_keys_come_back(key: str) -> None:
    assert keys(listed(world_of([key]))) == [key]


@pytest.mark.parametrize(
    ("name", "value"), [("max-keys", "blah"), ("max-keys", "-1"), ("encoding-type", "foo")]
)
def test_refused(name: str, value: str) -> None:
    with pytest.raises(errors.InvalidArgument) as caught:
        listed(world_of([]), {name: value})
    assert caught.value.detail == {"ArgumentName": name, "ArgumentValue": value}


def test_whose() -> None:
    world = world_of([])
    with pytest.raises(errors.AccessDenied):
        listed(world, caller="bob")
    with pytest.raises(NoSuchBucket):
        world.run(ACTION, "missing")
