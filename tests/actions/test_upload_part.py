"""UploadPart."""

from __future__ import annotations

import base64
import hashlib
from typing import Any

import pytest

from s3daemon.actions.base import Answer
from s3daemon.actions.sink import MAX_PART
from s3daemon.actions.upload_part import ACTION
from s3daemon.store.interfaces import Attributes, NoSuchBucket, NoSuchUpload, PartInfo
from s3daemon.store.memory import MemoryStore
from s3daemon.wire import errors
from tests.support.actions import World, parsed

MD5 = hashlib.md5(b"hello").hexdigest()


@pytest.fixture
def world() -> World:
    made = World(MemoryStore(clock=lambda: 7))
    made.store.buckets.create("abc", "id-alice")
    return made


@pytest.fixture
def upload_id(world: World) -> str:
    created: str = world.store.uploads.create("abc", "k", Attributes(), "id-alice").upload_id
    return created


def upload(world: World, upload_id: str, number: str = "1", **options: Any) -> Answer:
    options.setdefault("body", b"hello")
    query = {"partNumber": number, "uploadId": upload_id}
    return world.run(ACTION, "abc", "k", query=query, **options)


def parts(world: World, upload_id: str) -> tuple[PartInfo, ...]:
    found: tuple[PartInfo, ...] = world.store.uploads.list_parts(
        "abc", "k", upload_id, 0, 1000
    ).parts
    return found


@pytest.mark.parametrize("number", ["1", "10000"])
def test_a_part(world: World, upload_id: str, number: str) -> None:
    answer = upload(world, upload_id, number)
    assert answer.status == 200
    assert parsed("UploadPart", answer) == {"ETag": f'"{MD5}"'}
    assert parts(world, upload_id) == (PartInfo(int(number), 5, MD5, 7),)


def test_the_last_of_a_number_stays(world: World, upload_id: str) -> None:
    upload(world, upload_id, body=b"first")
    upload(world, upload_id)
    assert [part.etag for part in parts(world, upload_id)] == [MD5]


@pytest.mark.parametrize("number", ["", "0", "-1", "10001", "abc", "1.0", "\u0661", "9" * 30])
def test_number_refused(world: World, upload_id: str, number: str) -> None:
    with pytest.raises(errors.InvalidArgument) as caught:
        upload(world, upload_id, number)
    assert str(caught.value) == "Part number must be an integer between 1 and 10000, inclusive"
    assert caught.value.detail == {"ArgumentName": "partNumber", "ArgumentValue": number}


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"length": None}, errors.MissingContentLength),
        ({"length": MAX_PART + 1}, errors.EntityTooLarge),
        ({"length": 6}, errors.IncompleteBody),
        ({"length": 4}, errors.IncompleteBody),
        ({"headers": {"content-md5": "x"}}, errors.InvalidDigest),
        (
            {"headers": {"content-md5": base64.b64encode(b"\0" * 16).decode()}},
            errors.BadDigest,
        ),
        (
            {"headers": {"x-amz-server-side-encryption-customer-algorithm": "AES256"}},
            errors.NotImplemented,
        ),
    ],
)
def test_body_refused(
    world: World, upload_id: str, options: dict[str, Any], error: type[errors.S3Error]
) -> None:
    upload(world, upload_id, "2")
    with pytest.raises(error):
        upload(world, upload_id, "2", **{"body": b"other", **options})
    assert [part.etag for part in parts(world, upload_id)] == [MD5]


def test_no_such_upload(world: World, upload_id: str) -> None:
    for query in ({"uploadId": "56788"}, {"uploadId": ""}, {}):
        with pytest.raises(NoSuchUpload):
            world.run(ACTION, "abc", "k", query={"partNumber": "1", **query}, body=b"x")
    with pytest.raises(NoSuchUpload):
        world.run(
            ACTION, "abc", "other", query={"partNumber": "1", "uploadId": upload_id}, body=b"x"
        )


def test_whose(world: World, upload_id: str) -> None:
    with pytest.raises(errors.AccessDenied):
        upload(world, upload_id, caller="bob")
    with pytest.raises(NoSuchBucket):
        world.run(ACTION, "missing", "k", query={"partNumber": "1", "uploadId": upload_id})
