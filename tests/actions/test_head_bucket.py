"""HeadBucket."""

from __future__ import annotations

import pytest

from s3daemon.actions.head_bucket import ACTION
from s3daemon.store.interfaces import NoSuchBucket
from s3daemon.store.memory import MemoryStore
from s3daemon.wire import errors
from tests.support.actions import World, parsed


def test_head_bucket() -> None:
    world = World(MemoryStore(), region="eu-west-1")
    world.store.buckets.create("abc", "id-alice")
    answer = world.run(ACTION, "abc")
    assert (answer.status, answer.body) == (200, b"")
    assert parsed("HeadBucket", answer) == {"BucketRegion": "eu-west-1"}
    with pytest.raises(errors.AccessDenied):
        world.run(ACTION, "abc", caller="bob")
    with pytest.raises(NoSuchBucket):
        world.run(ACTION, "missing")
