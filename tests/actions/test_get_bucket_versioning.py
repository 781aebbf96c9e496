"""GetBucketVersioning."""

from __future__ import annotations

import pytest

from s3daemon.actions.get_bucket_versioning import ACTION
from s3daemon.store.interfaces import NoSuchBucket
from s3daemon.store.memory import MemoryStore
from s3daemon.wire import errors
from tests.support.actions import World, outline, parsed


def test_never_enabled() -> None:
    world = World(MemoryStore())
    world.store.buckets.create("abc", "id-alice")
    answer = world.run(ACTION, "abc")
    assert answer.status == 200
    assert parsed("GetBucketVersioning", answer) == {}
    assert outline(answer) == ["VersioningConfiguration"]


def test_whose() -> None:
    world = World(MemoryStore())
    world.store.buckets.create("abc", "id-alice")
    with pytest.raises(errors.AccessDenied):
        world.run(ACTION, "abc", caller="bob")
    with pytest.raises(NoSuchBucket):
        world.run(ACTION, "missing")
