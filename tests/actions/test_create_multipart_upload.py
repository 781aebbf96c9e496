"""CreateMultipartUpload."""

from __future__ import annotations

import pytest

from s3daemon.actions.create_multipart_upload import ACTION
from s3daemon.store.interfaces import Attributes, NoSuchBucket, UploadsQuery
from s3daemon.store.memory import MemoryStore
from s3daemon.wire import checksums, errors
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
        ({"x-amz-acl": "nobody"}, errors.InvalidArgument),
        ({"x-amz-storage-class": "NONE"}, errors.InvalidStorageClass),
        ({"x-amz-meta-foo": "x" * 2048}, errors.MetadataTooLarge),
    ],
)
def test_refused(world: World, headers: dict[str, str], error: type[errors.S3Error]) -> None:
    with pytest.raises(error):
        world.run(ACTION, "abc", "k", headers=headers)
    assert world.store.uploads.list("abc", UploadsQuery()).uploads == ()


@pytest.mark.parametrize(
    ("algorithm", "kind", "becomes"),
    [
        ("CRC32", None, "COMPOSITE"),
        ("CRC32", "COMPOSITE", "COMPOSITE"),
        ("CRC32", "FULL_OBJECT", "FULL_OBJECT"),
        ("CRC32C", None, "COMPOSITE"),
        ("CRC32C", "FULL_OBJECT", "FULL_OBJECT"),
        ("CRC64NVME", None, "FULL_OBJECT"),
        ("CRC64NVME", "FULL_OBJECT", "FULL_OBJECT"),
        ("SHA1", None, "COMPOSITE"),
        ("SHA256", "COMPOSITE", "COMPOSITE"),
        ("sha256", None, "COMPOSITE"),
        ("SHA512", None, "COMPOSITE"),
        ("MD5", None, "COMPOSITE"),
    ],
)
def test_checksum(world: World, algorithm: str, kind: str | None, becomes: str) -> None:
    if checksums.ALGORITHMS[algorithm.upper()].make is None:
        pytest.skip("no library for it is installed")
    headers = {"x-amz-checksum-algorithm": algorithm}
    if kind is not None:
        headers["x-amz-checksum-type"] = kind
    found = parsed("CreateMultipartUpload", world.run(ACTION, "abc", "k", headers=headers))
    assert (found["ChecksumAlgorithm"], found["ChecksumType"]) == (algorithm.upper(), becomes)
    upload = world.store.uploads.get("abc", "k", found["UploadId"])
    assert (upload.checksum_algorithm, upload.checksum_type) == (algorithm.upper(), becomes)


def test_no_checksum(world: World) -> None:
    answer = world.run(ACTION, "abc", "k")
    assert answer.fields == ()
    upload = world.store.uploads.list("abc", UploadsQuery()).uploads[0]
    assert (upload.checksum_algorithm, upload.checksum_type) == (None, None)


@pytest.mark.parametrize(
    ("algorithm", "kind", "message"),
    [
        (
            None,
            "FULL_OBJECT",
            "The x-amz-checksum-type header can only be used with the x-amz-checksum-algorithm "
            "header.",
        ),
        ("CRC32", "PARTIAL", "Value for x-amz-checksum-type header is invalid."),
        ("CRC32", "", "Value for x-amz-checksum-type header is invalid."),
        (
            "CRC16",
            None,
            "Checksum algorithm provided is unsupported. Please try again with any of the valid "
            f"types: [{', '.join(checksums.ALGORITHMS)}]",
        ),
        *(
            (
                algorithm,
                kind,
                f"The {kind} checksum type cannot be used with the {algorithm.lower()} checksum "
                "algorithm.",
            )
            for algorithm, kind in [
                ("CRC64NVME", "COMPOSITE"),
                ("SHA1", "FULL_OBJECT"),
                ("SHA256", "FULL_OBJECT"),
                ("SHA512", "FULL_OBJECT"),
            ]
        ),
    ],
)
def test_checksum_refused(
    world: World, algorithm: str | None, kind: str | None, message: str
) -> None:
    given = {"x-amz-checksum-algorithm": algorithm, "x-amz-checksum-type": kind}
    headers = {name: value for name, value in given.items() if value is not None}
    with pytest.raises(errors.InvalidRequest) as caught:
        world.run(ACTION, "abc", "k", headers=headers)
    assert str(caught.value) == message
    assert world.store.uploads.list("abc", UploadsQuery()).uploads == ()


def test_whose(world: World) -> None:
    with pytest.raises(errors.AccessDenied):
        world.run(ACTION, "abc", "k", caller="bob")
    with pytest.raises(NoSuchBucket):
        world.run(ACTION, "missing", "k")
