"""ListBuckets: whose buckets, and paging."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs
import pytest

from s3daemon.actions.list_buckets import ACTION
from s3daemon.auth.identity import Identity
from s3daemon.auth.policy import Policy
from s3daemon.store.memory import MemoryStore
from s3daemon.wire import errors
from tests.support.actions import World, outline, parsed


@pytest.fixture
def world() -> World:
    made = World(MemoryStore(clock=lambda: 1_795_493_562_627_000_000))
    for name, owner in [("b1", "id-alice"), ("b2", "id-bob"), ("b3", "id-alice"), ("c1", None)]:
        made.store.buckets.create(name, owner)
    return made


def listed(world: World, query: Mapping[str, str] | None = None, caller: str = "alice") -> Any:
    return parsed("ListBuckets", world.run(ACTION, query=query, caller=caller))


def names(found: Any) -> list[str]:
    return [bucket["Name"] for bucket in found["Buckets"]]


def test_own_buckets_and_those_of_nobody(world: World) -> None:
    found = listed(world)
    assert names(found) == ["b1", "b3", "c1"]
    assert found["Owner"] == {"ID": "id-alice", "DisplayName": "Alice"}
    assert found["Buckets"][0]["CreationDate"].isoformat() == "2026-11-24T04:12:42.627000+00:00"
    assert set(found["Buckets"][0]) == {"Name", "CreationDate"}
    assert set(found) == {"Owner", "Buckets"}
    assert names(listed(world, caller="bob")) == ["b2", "c1"]


def test_a_directory_of_nobody_that_the_caller_may_not_use(world: World) -> None:
    may = Policy(unowned_for_all=False).may
    assert names(listed(World(world.store, may=may))) == ["b1", "b3"]


def test_nothing() -> None:
    answer = World(MemoryStore()).run(ACTION)
    assert parsed("ListBuckets", answer)["Buckets"] == []
    assert outline(answer) == ["ListAllMyBucketsResult", "Owner", "Buckets"]


def test_pages(world: World) -> None:
    first = listed(world, {"max-buckets": "1"})
    assert names(first) == ["b1"]
    second = listed(world, {"max-buckets": "1", "continuation-token": first["ContinuationToken"]})
    assert names(second) == ["b3"]
    third = listed(world, {"max-buckets": "1", "continuation-token": second["ContinuationToken"]})
    assert names(third) == ["c1"]
    assert "ContinuationToken" not in third


def test_a_page_that_is_just_full_is_the_last(world: World) -> None:
    found = listed(world, {"max-buckets": "3"})
    assert names(found) == ["b1", "b3", "c1"]
    assert "ContinuationToken" not in found


def test_others_buckets_do_not_make_another_page(world: World) -> None:
    assert "ContinuationToken" not in listed(world, {"max-buckets": "1", "prefix": "b3"})
    assert "ContinuationToken" not in listed(world, {"max-buckets": "2"}, caller="bob")


def test_prefix(world: World) -> None:
    found = listed(world, {"prefix": "b"})
    assert names(found) == ["b1", "b3"]
    assert found["Prefix"] == "b"
    assert [bucket["BucketRegion"] for bucket in found["Buckets"]] == ["us-east-1"] * 2


@pytest.mark.parametrize(
    ("region", "expected"), [("us-east-1", ["b1", "b3", "c1"]), ("eu-west-1", [])]
)
def test_region(world: World, region: str, expected: list[str]) -> None:
    assert names(listed(world, {"bucket-region": region})) == expected


@pytest.mark.parametrize("value", ["0", "-1", "10001", "x"])
def test_max_buckets_refused(world: World, value: str) -> None:
    with pytest.raises(errors.InvalidArgument) as caught:
        listed(world, {"max-buckets": value})
    assert caught.value.detail == {"ArgumentName": "max-buckets", "ArgumentValue": value}


def test_token_refused(world: World) -> None:
    with pytest.raises(errors.InvalidArgument):
        listed(world, {"continuation-token": "garbage"})


@pytest.mark.parametrize(
    ("scopes", "shown"),
    [
        (("b1",), ["b1"]),
        (("b1/a/prefix", "c1/"), ["b1", "c1"]),
        (("b2", "b", "B1", "*", ""), []),
    ],
)
def test_what_is_outside_the_scopes_is_not_shown(
    world: World, scopes: tuple[str, ...], shown: list[str]
) -> None:
    """Somebody else's bucket is not either, in scope or not."""

    def may(caller: Identity, *question: Any) -> None:
        world.may(attrs.evolve(caller, scopes=scopes), *question)

    assert names(listed(World(world.store, may=may))) == shown
