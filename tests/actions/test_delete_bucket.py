"""DeleteBucket."""

from __future__ import annotations

import pytest

from s3daemon.actions.delete_bucket import ACTION
from s3daemon.store.interfaces import BucketNotEmpty, NoSuchBucket
from s3daemon.store.memory import MemoryStore
from s3daemon.wire import errors
from tests.support.actions import World


@pytest.fixture
def world() -> World:
    made = World(MemoryStore())
    made.store.buckets.create("abc", "id-alice")
    return made


def test_delete(world: World) -> None:
    answer = world.run(ACTION, "abc")
    assert (answer.status, answer.body) == (204, b"")
    with pytest.raises(NoSuchBucket):
        world.run(ACTION, "abc")


def test_not_empty(world: World) -> None:
    world.put("abc", "key")
    with pytest.raises(BucketNotEmpty):
        world.run(ACTION, "abc")


def test_not_by_another(world: World) -> None:
    with pytest.raises(errors.AccessDenied):
        world.run(ACTION, "abc", caller="bob")
    assert world.store.buckets.get("abc")
