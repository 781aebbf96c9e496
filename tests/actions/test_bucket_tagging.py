"""PutBucketTagging, GetBucketTagging, DeleteBucketTagging."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable

import pytest

from s3daemon.actions.base import Answer
from s3daemon.actions.bucket_tagging import ACTIONS
from s3daemon.store.interfaces import NoSuchBucket
from s3daemon.store.memory import MemoryStore
from s3daemon.wire import errors, tagging
from s3daemon.wire.message import Personality
from tests.support.actions import World, parsed

PUT, GET, DELETE = ACTIONS


@pytest.fixture
def world() -> World:
    made = World(MemoryStore())
    made.store.buckets.create("abc", "id-alice")
    return made


def test_names() -> None:
    assert [action.name for action in ACTIONS] == [
        "PutBucketTagging",
        "GetBucketTagging",
        "DeleteBucketTagging",
    ]


def tag_set(answer: Answer) -> list[dict[str, str]]:
    found: list[dict[str, str]] = parsed("GetBucketTagging", answer)["TagSet"]
    return found


def put(world: World, tags: Iterable[tuple[str, str]], **options: object) -> Answer:
    return world.run(PUT, "abc", body=tagging.render(tags), **options)  # type: ignore[arg-type]


def test_life_of_a_tag_set(world: World) -> None:
    with pytest.raises(errors.NoSuchTagSet):
        world.run(GET, "abc")
    assert put(world, [("Hello", "World"), ("empty", "")]).status == 204
    assert tag_set(world.run(GET, "abc")) == [
        {"Key": "Hello", "Value": "World"},
        {"Key": "empty", "Value": ""},
    ]
    put(world, [("other", "1")])
    assert tag_set(world.run(GET, "abc")) == [{"Key": "other", "Value": "1"}]
    assert world.run(DELETE, "abc").status == 204
    with pytest.raises(errors.NoSuchTagSet):
        world.run(GET, "abc")
    assert world.run(DELETE, "abc").status == 204


def test_an_empty_tag_set_is_none(world: World) -> None:
    put(world, [("Hello", "World")])
    put(world, [])
    assert world.store.buckets.get("abc").tags is None
    with pytest.raises(errors.NoSuchTagSet):
        world.run(GET, "abc")


def test_as_the_alluxio_proxy(world: World) -> None:
    alluxio = Personality.ALLUXIO
    assert tag_set(world.run(GET, "abc", personality=alluxio)) == []
    assert put(world, [("k", "v")], personality=alluxio).status == 200
    assert tag_set(world.run(GET, "abc", personality=alluxio)) == [{"Key": "k", "Value": "v"}]
    assert world.run(DELETE, "abc", personality=alluxio).status == 204


def test_a_bucket_has_up_to_fifty(world: World) -> None:
    put(world, [(f"k{number:02}", "v") for number in range(50)])
    with pytest.raises(errors.InvalidTag):
        put(world, [(f"k{number:02}", "v") for number in range(51)])
    assert len(tag_set(world.run(GET, "abc"))) == 50


def test_content_md5(world: World) -> None:
    good = base64.b64encode(hashlib.md5(tagging.render([("k", "v")])).digest()).decode()
    put(world, [("k", "v")], headers={"content-md5": good})
    with pytest.raises(errors.BadDigest):
        put(world, [("k", "w")], headers={"content-md5": good})
    with pytest.raises(errors.InvalidDigest):
        put(world, [("k", "w")], headers={"content-md5": "x"})
    assert tag_set(world.run(GET, "abc")) == [{"Key": "k", "Value": "v"}]


def test_malformed(world: World) -> None:
    with pytest.raises(errors.MalformedXML):
        world.run(PUT, "abc", body=b"<Tagging>")


@pytest.mark.parametrize("action", ACTIONS)
def test_whose(world: World, action: object) -> None:
    body = tagging.render([("k", "v")])
    with pytest.raises(errors.AccessDenied):
        world.run(action, "abc", body=body, caller="bob")  # type: ignore[arg-type]
    with pytest.raises(NoSuchBucket):
        world.run(action, "missing", body=body)  # type: ignore[arg-type]
    assert world.store.buckets.get("abc").tags is None
