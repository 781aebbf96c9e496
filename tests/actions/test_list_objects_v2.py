"""ListObjectsV2: tokens, owners, counts, elements."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from s3daemon.actions.list_objects_v2 import ACTION
from s3daemon.store.interfaces import NoSuchBucket
from s3daemon.store.memory import MemoryStore
from s3daemon.wire import errors
from s3daemon.wire.message import Personality
from tests.support.actions import World, outline, parsed


def world_of(keys: Sequence[str]) -> World:
    world = World(MemoryStore())
    world.store.buckets.create("abc", "id-alice")
    for key in keys:
        world.put("abc", key, owner="id-bob")
    return world


def listed(world: World, query: Mapping[str, str] | None = None, **options: Any) -> Any:
    return parsed("ListObjectsV2", world.run(ACTION, "abc", query=query, **options))


def keys(found: Any) -> list[str]:
    return [entry["Key"] for entry in found.get("Contents", ())]


def prefixes(found: Any) -> list[str]:
    return [entry["Prefix"] for entry in found.get("CommonPrefixes", ())]


def test_a_plain_listing() -> None:
    found = listed(world_of(["bar", "foo"]))
    assert keys(found) == ["bar", "foo"]
    del found["Contents"]
    assert found == {
        "Name": "abc",
        "Prefix": "",
        "KeyCount": 2,
        "MaxKeys": 1000,
        "IsTruncated": False,
    }


def test_order_of_the_elements() -> None:
    world = world_of(["aa", "ab/c", "ac", "ad"])
    token = listed(world, {"max-keys": "1"})["NextContinuationToken"]
    query = {
        "prefix": "a",
        "start-after": "a",
        "max-keys": "2",
        "delimiter": "/",
        "encoding-type": "url",
        "continuation-token": token,
    }
    assert outline(world.run(ACTION, "abc", query=query)) == [
        "ListBucketResult",
        "Name",
        "Prefix",
        "ContinuationToken",
        "NextContinuationToken",
        "StartAfter",
        "KeyCount",
        "MaxKeys",
        "Delimiter",
        "EncodingType",
        "IsTruncated",
        "Contents",
        "CommonPrefixes",
    ]


@pytest.mark.parametrize("size", ["1", "2", "3", "4", "7"])
@pytest.mark.parametrize("delimiter", ["", "/"])
def test_all_pages_together(size: str, delimiter: str) -> None:
    world = world_of(["a", "b/1", "b/2", "c+ d", "e/f", "g"])
    whole = listed(world, {"delimiter": delimiter})
    query = {"delimiter": delimiter, "max-keys": size}
    found_keys: list[str] = []
    found_prefixes: list[str] = []
    while True:
        page = listed(world, query)
        assert page["KeyCount"] == len(keys(page)) + len(prefixes(page)) <= int(size)
        assert page.get("ContinuationToken") == query.get("continuation-token")
        found_keys += keys(page)
        found_prefixes += prefixes(page)
        assert page["IsTruncated"] is ("NextContinuationToken" in page)
        if not page["IsTruncated"]:
            break
        query["continuation-token"] = page["NextContinuationToken"]
    assert (found_keys, found_prefixes) == (keys(whole), prefixes(whole))


def test_start_after() -> None:
    world = world_of(["bar", "baz", "foo", "quxx"])
    found = listed(world, {"start-after": "blah"})
    assert (found["StartAfter"], keys(found)) == ("blah", ["foo", "quxx"])
    assert keys(listed(world, {"start-after": "\n"})) == ["bar", "baz", "foo", "quxx"]
    assert "StartAfter" not in listed(world, {"start-after": ""})
    assert listed(world, {"start-after": "a b", "encoding-type": "url"})["StartAfter"] == "a%20b"


def test_a_token_wins_over_start_after() -> None:
    world = world_of(["bar", "baz", "foo", "quxx"])
    first = listed(world, {"start-after": "bar", "max-keys": "1"})
    assert keys(first) == ["baz"]
    token = first["NextContinuationToken"]
    second = listed(world, {"start-after": "bar", "continuation-token": token})
    assert (second["ContinuationToken"], second["StartAfter"]) == (token, "bar")
    assert keys(second) == ["foo", "quxx"]


def test_an_empty_token_is_the_first_page() -> None:
    found = listed(world_of(["bar", "foo"]), {"continuation-token": ""})
    assert found["ContinuationToken"] == ""
    assert keys(found) == ["bar", "foo"]


def test_another_token_is_refused() -> None:
    with pytest.raises(
        errors.InvalidArgument, match="The continuation token provided is incorrect"
    ):
        listed(world_of(["bar"]), {"continuation-token": "bar"})


@pytest.mark.parametrize(
    ("query", "shown"),
    [({}, False), ({"fetch-owner": "false"}, False), ({"fetch-owner": "true"}, True)],
)
def test_owners_only_when_asked_for(query: dict[str, str], shown: bool) -> None:
    first = listed(world_of(["bar"]), query)["Contents"][0]
    assert first.get("Owner") == ({"ID": "id-bob", "DisplayName": "Bob"} if shown else None)


def test_directories_are_listed_by_the_alluxio_proxy_only() -> None:
    world = world_of(["dir/file"])
    assert keys(listed(world)) == ["dir/file"]
    assert keys(listed(world, personality=Personality.ALLUXIO)) == ["dir/", "dir/file"]


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
