"""CreateMultipartUpload."""

from __future__ import annotations

import pytest

from s3daemon.actions.create_multipart_upload import ACTION
from s3daemon.store.interfaces import Attributes, NoSuchBucket, UploadsQuery
from s3daemon.store.memory import MemoryStore
from s3daemon.wire import errors
from tests.support.actions import World, outline, parsed


@pytest.fixture
def world() -> World:
    made = World(MemoryStore())
    made.store.buckets.create("abc", "id-alice")
    return made


def test_an_upload_keeps_what_its_head_says(world: World) -> None:
    answer = world.run(
        ACTION,
        "abc",
        "dir/k&y",
        headers={
            "content-type": "text/bla",
            "x-amz-meta-foo": "bar",
            "x-amz-tagging": "Hello=World&foo=bar",
        },
    )
    found = parsed("CreateMultipartUpload", answer)
    assert (found["Bucket"], found["Key"]) == ("abc", "dir/k&y")
    upload = world.store.uploads.get("abc", "dir/k&y", found["UploadId"])
    assert upload.owner == "id-alice"
    assert upload.attributes == Attributes(
        {"content-type": "text/bla"}, {"foo": "bar"}, (("Hello", "World"), ("foo", "bar"))
    )
    assert outline(answer) == ["InitiateMultipartUploadResult", "Bucket", "Key", "UploadId"]


def test_each_is_another(world: World) -> None:
    ids = {parsed("CreateMultipartUpload", world.run(ACTION, "abc", "k"))["UploadId"] for _ in "ab"}
    assert len(ids) == 2


@pytest.mark.parametrize(
    ("headers", "error"),
    [
        ({"x-amz-server-side-encryption": "AES256"}, errors.NotImplemented),
        ({"x-amz-acl": "public-read"}, errors.NotImplemented),
        ({"x-amz-storage-class": "NONE"}, errors.InvalidStorageClass),
        ({"x-amz-meta-foo": "x" * 2048}, errors.MetadataTooLarge),
    ],
)
def test_refused(world: World, headers: dict[str, str], error: type[errors.S3Error]) -> None:
    with pytest.raises(error):
        world.run(ACTION, "abc", "k", headers=headers)
    assert world.store.uploads.list("abc", UploadsQuery()).uploads == ()


def test_whose(world: World) -> None:
    with pytest.raises(errors.AccessDenied):
        world.run(ACTION, "abc", "k", caller="bob")
    with pytest.raises(NoSuchBucket):
        world.run(ACTION, "missing", "k")
