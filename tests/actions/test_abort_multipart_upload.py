"""AbortMultipartUpload."""

from __future__ import annotations

import pytest

from s3daemon.actions.abort_multipart_upload import ACTION
from s3daemon.store.interfaces import Attributes, NoSuchBucket, NoSuchUpload
from s3daemon.store.memory import MemoryStore
from s3daemon.wire import errors
from tests.support.actions import World


@pytest.fixture
def world() -> World:
    made = World(MemoryStore())
    made.store.buckets.create("abc", "id-alice")
    return made


@pytest.fixture
def query(world: World) -> dict[str, str]:
    return {"uploadId": world.store.uploads.create("abc", "k", Attributes(), "me").upload_id}


def test_abort(world: World, query: dict[str, str]) -> None:
    world.put("abc", "k", b"old")
    answer = world.run(ACTION, "abc", "k", query=query)
    assert (answer.status, answer.body) == (204, b"")
    assert world.store.objects.stat("abc", "k").size == 3
    with pytest.raises(NoSuchUpload):
        world.run(ACTION, "abc", "k", query=query)


def test_refused(world: World, query: dict[str, str]) -> None:
    with pytest.raises(NoSuchUpload):
        world.run(ACTION, "abc", "k", query={"uploadId": "56788"})
    with pytest.raises(NoSuchUpload):
        world.run(ACTION, "abc", "other", query=query)
    with pytest.raises(NoSuchBucket):
        world.run(ACTION, "missing", "k", query=query)
    with pytest.raises(errors.AccessDenied):
        world.run(ACTION, "abc", "k", query=query, caller="bob")
    condition = {"x-amz-if-match-initiated-time": "Tue, 24 Nov 2026 04:12:42 GMT"}
    with pytest.raises(errors.NotImplemented):
        world.run(ACTION, "abc", "k", query=query, headers=condition)
    assert world.store.uploads.get("abc", "k", query["uploadId"])
