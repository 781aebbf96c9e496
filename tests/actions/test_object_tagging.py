"""GetObjectTagging, PutObjectTagging, DeleteObjectTagging."""

from __future__ import annotations

from typing import Any

import pytest

from s3daemon.actions.base import Answer
from s3daemon.actions.object_tagging import ACTIONS
from s3daemon.store.interfaces import NoSuchBucket, NoSuchKey
from s3daemon.wire import tagging
from s3daemon.wire.errors import AccessDenied, BadDigest, InvalidDigest, InvalidTag, MalformedXML
from s3daemon.wire.message import Personality

GET, PUT, DELETE = ACTIONS
TAGS = (("foo", "bar"), ("bar", ""))
DOCUMENT = tagging.render(TAGS)


@pytest.fixture
def ask(world: Any, make_request: Any) -> Any:
    """``ask(action, key, document, ...)``: the answer."""

    def perform(action: Any, key: str = "k", document: bytes = b"", **head: Any) -> Answer:
        request = make_request(key=key, query={"tagging": ""}, **head)
        answer: Answer = world.perform(action, request, document)
        return answer

    return perform


def test_life(world: Any, ask: Any, parsed: Any) -> None:
    """Empty, put, replaced, deleted; the content and its time stay."""
    before = world.put("k", b"content")
    assert parsed("GetObjectTagging", ask(GET))["TagSet"] == []
    assert ask(PUT, document=DOCUMENT) == Answer(200)
    assert parsed("GetObjectTagging", ask(GET))["TagSet"] == [
        {"Key": "bar", "Value": ""},
        {"Key": "foo", "Value": "bar"},
    ]
    ask(PUT, document=tagging.render((("only", "one"),)))
    info = world.store.objects.stat("b", "k")
    assert info.attributes.tags == (("only", "one"),)
    assert (info.etag, info.modified_ns) == (before.etag, before.modified_ns)
    assert world.content("k") == b"content"
    assert ask(DELETE) == Answer(204)
    assert ask(DELETE) == Answer(204)
    assert parsed("GetObjectTagging", ask(GET))["TagSet"] == []
    assert {operation for _, operation, _, _ in world.asked} == {
        "GetObjectTagging",
        "PutObjectTagging",
        "DeleteObjectTagging",
    }


@pytest.mark.parametrize("action", ACTIONS, ids=lambda action: action.name)
def test_missing(world: Any, ask: Any, action: Any) -> None:
    """Key, bucket, permission."""
    with pytest.raises(NoSuchKey):
        ask(action, "none", DOCUMENT)
    with pytest.raises(NoSuchBucket):
        ask(action, "k", DOCUMENT, bucket="none")
    world.put("secret")
    with pytest.raises(AccessDenied):
        ask(action, "secret", DOCUMENT)


@pytest.mark.parametrize("action", ACTIONS, ids=lambda action: action.name)
def test_directories(world: Any, ask: Any, action: Any) -> None:
    """Only the alluxio personality knows one that nobody put."""
    world.put("dir/below")
    with pytest.raises(NoSuchKey):
        ask(action, "dir/", DOCUMENT)
    assert ask(action, "dir/", DOCUMENT, personality=Personality.ALLUXIO).status in (200, 204)
    world.put("put/")
    assert ask(action, "put/", DOCUMENT).status in (200, 204)


def test_bad_documents(world: Any, ask: Any) -> None:
    """Leave the tags as they are."""
    world.put("k", tags=TAGS)
    with pytest.raises(MalformedXML):
        ask(PUT, document=b"<Tagging/>")
    with pytest.raises(InvalidTag):
        ask(PUT, document=tagging.render((str(n), "") for n in range(11)))
    with pytest.raises(BadDigest):
        ask(PUT, document=DOCUMENT, headers={"content-md5": "rL0Y20xC+Fzt72VPzMSk2A=="})
    with pytest.raises(InvalidDigest):
        ask(PUT, document=DOCUMENT, headers={"content-md5": "x"})
    assert world.store.objects.stat("b", "k").attributes.tags == TAGS
