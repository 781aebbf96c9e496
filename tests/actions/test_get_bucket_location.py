"""GetBucketLocation."""

from __future__ import annotations

import pytest

from s3daemon.actions.get_bucket_location import ACTION
from s3daemon.store.interfaces import NoSuchBucket
from s3daemon.store.memory import MemoryStore
from s3daemon.wire import errors
from tests.support.actions import NAMESPACE, World


@pytest.mark.parametrize(("region", "text"), [("us-east-1", b""), ("eu-west-1", b"eu-west-1")])
def test_location(region: str, text: bytes) -> None:
    world = World(MemoryStore(), region=region)
    world.store.buckets.create("abc", "id-alice")
    body = world.run(ACTION, "abc").body
    assert isinstance(body, bytes)
    expected = b'<LocationConstraint xmlns="%s">%s</LocationConstraint>'
    assert body.endswith(expected % (NAMESPACE.encode(), text))


def test_whose() -> None:
    world = World(MemoryStore())
    world.store.buckets.create("abc", "id-alice")
    with pytest.raises(errors.AccessDenied):
        world.run(ACTION, "abc", caller="bob")
    with pytest.raises(NoSuchBucket):
        world.run(ACTION, "missing")
