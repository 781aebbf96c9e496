"""DeleteObject."""

from __future__ import annotations

from typing import Any

import pytest

from s3daemon.actions.base import Answer
from s3daemon.actions.delete_object import ACTION
from s3daemon.store.interfaces import NoSuchBucket, NoSuchKey
from s3daemon.wire.errors import AccessDenied
from s3daemon.wire.message import Personality


def test_delete(world: Any, make_request: Any) -> None:
    """204, the first time and the second."""
    world.put("k", b"x")
    world.put("other", b"x")
    for _ in range(2):
        assert world.perform(ACTION, make_request("DELETE", key="k")) == Answer(204)
        assert world.keys() == ["other"]
    assert world.asked == [("alice", "DeleteObject", "b", "k")] * 2


@pytest.mark.parametrize(
    ("personality", "stays"), [(Personality.AWS, False), (Personality.ALLUXIO, True)]
)
def test_parents(world: Any, make_request: Any, personality: Personality, stays: bool) -> None:
    """They go with the last object, except where they are objects themselves."""
    world.put("a/b/c")
    world.perform(ACTION, make_request("DELETE", key="a/b/c", personality=personality))
    for key in ("a/b/", "a/"):
        if stays:
            assert world.store.objects.stat("b", key).folder
        else:
            with pytest.raises(NoSuchKey):
                world.store.objects.stat("b", key)


@pytest.mark.parametrize("personality", Personality)
def test_directory_with_children(world: Any, make_request: Any, personality: Personality) -> None:
    """Stays with its children, and that is no error."""
    world.put("a/")
    world.put("a/b")
    request = make_request("DELETE", key="a/", personality=personality)
    assert world.perform(ACTION, request) == Answer(204)
    assert world.keys() == ["a/b"]


def test_directory_that_was_put(world: Any, make_request: Any) -> None:
    """Goes."""
    world.put("a/")
    world.perform(ACTION, make_request("DELETE", key="a/"))
    assert world.keys() == []


def test_refusals(world: Any, make_request: Any) -> None:
    """Bucket and permission."""
    with pytest.raises(NoSuchBucket):
        world.perform(ACTION, make_request("DELETE", "none", "k"))
    world.put("secret")
    with pytest.raises(AccessDenied):
        world.perform(ACTION, make_request("DELETE", key="secret"))
    assert world.keys() == ["secret"]
