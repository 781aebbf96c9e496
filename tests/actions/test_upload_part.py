"""UploadPart."""

from __future__ import annotations

import base64
import hashlib
from typing import Any

import pytest

from s3daemon.actions.base import Answer
from s3daemon.actions.sink import MAX_PART
from s3daemon.actions.upload_part import ACTION
from s3daemon.store.interfaces import (
    Attributes,
    Checksum,
    NoSuchBucket,
    NoSuchUpload,
    PartInfo,
)
from s3daemon.store.memory import MemoryStore
from s3daemon.wire import checksums, errors
from s3daemon.wire.message import S3Request
from tests.support.actions import World, parsed

MD5 = hashlib.md5(b"hello").hexdigest()


def checksum_of(algorithm: str, data: bytes = b"hello") -> Checksum:
    hasher = checksums.hasher(algorithm)
    hasher.update(data)
    return Checksum(algorithm, checksums.encode(hasher.digest()))


#: Of a part whose upload has named nothing.
DEFAULT = None if checksums.DEFAULT is None else checksum_of(checksums.DEFAULT.name)


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
    assert parts(world, upload_id) == (PartInfo(int(number), 5, MD5, 7, DEFAULT),)


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


# ---------------------------------------------------------------- checksums


def begin(world: World, algorithm: str | None, kind: str | None) -> str:
    created: str = world.store.uploads.create(
        "abc", "k", Attributes(), "id-alice", algorithm, kind
    ).upload_id
    return created


@pytest.mark.parametrize(
    ("algorithm", "kind"),
    [("SHA256", "COMPOSITE"), ("CRC32", "COMPOSITE"), ("CRC32", "FULL_OBJECT")],
)
def test_a_checksum(world: World, algorithm: str, kind: str) -> None:
    upload_id, checksum = begin(world, algorithm, kind), checksum_of(algorithm)
    headers = {f"x-amz-checksum-{algorithm.lower()}": checksum.value}
    answer = upload(world, upload_id, headers=headers)
    assert parsed("UploadPart", answer) == {
        "ETag": f'"{MD5}"',
        f"Checksum{algorithm}": checksum.value,
    }
    assert parts(world, upload_id) == (PartInfo(1, 5, MD5, 7, checksum),)


def test_a_checksum_in_a_trailer(world: World) -> None:
    upload_id, checksum = begin(world, "CRC32", "COMPOSITE"), checksum_of("CRC32")
    body = f"5\r\nhello\r\n0\r\nx-amz-checksum-crc32:{checksum.value}\r\n\r\n".encode()
    request = S3Request(
        "PUT",
        "abc",
        "k",
        {"partNumber": "1", "uploadId": upload_id},
        {
            "x-amz-content-sha256": "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
            "x-amz-trailer": "x-amz-checksum-crc32",
            "x-amz-sdk-checksum-algorithm": "CRC32",
        },
        length=5,
        chunked_body=True,
    )
    sink = ACTION.begin(world.context("UploadPart", "alice"), ACTION.parse(request))
    sink.write((body,))
    assert parsed("UploadPart", sink.finish())["ChecksumCRC32"] == checksum.value
    assert parts(world, upload_id)[0].checksum == checksum


def test_a_checksum_that_the_client_leaves_to_the_server(world: World) -> None:
    """Of all bytes: Complete does not need it from the client."""
    upload_id = begin(world, "CRC32", "FULL_OBJECT")
    found = parsed("UploadPart", upload(world, upload_id))
    assert found["ChecksumCRC32"] == checksum_of("CRC32").value
    assert parts(world, upload_id)[0].checksum == checksum_of("CRC32")


def test_a_checksum_that_the_upload_has_not_asked_for(world: World, upload_id: str) -> None:
    value = checksum_of("SHA1").value
    answer = upload(world, upload_id, headers={"x-amz-checksum-sha1": value})
    assert parsed("UploadPart", answer)["ChecksumSHA1"] == value
    assert parts(world, upload_id)[0].checksum == DEFAULT
    with pytest.raises(errors.BadDigest):
        wrong = {"x-amz-checksum-sha1": checksum_of("SHA1", b"other").value}
        upload(world, upload_id, headers=wrong)


@pytest.mark.parametrize(
    ("algorithm", "kind", "given", "message"),
    [
        (
            "SHA256",
            "COMPOSITE",
            "CRC32",
            "expected checksum Type: sha256, actual checksum Type: crc32",
        ),
        ("SHA256", "COMPOSITE", None, "expected checksum Type: sha256, actual checksum Type: null"),
        ("CRC32", "COMPOSITE", None, "expected checksum Type: crc32, actual checksum Type: null"),
        (
            "CRC32",
            "FULL_OBJECT",
            "SHA1",
            "expected checksum Type: crc32, actual checksum Type: sha1",
        ),
    ],
)
def test_another_checksum_than_the_uploads(
    world: World, algorithm: str, kind: str, given: str | None, message: str
) -> None:
    upload_id = begin(world, algorithm, kind)
    headers = {}
    if given is not None:
        headers[f"x-amz-checksum-{given.lower()}"] = checksum_of(given).value
    with pytest.raises(errors.InvalidRequest) as caught:
        upload(world, upload_id, headers=headers)
    assert str(caught.value) == f"Checksum Type mismatch occurred, {message}"
    assert parts(world, upload_id) == ()


def test_a_wrong_checksum(world: World) -> None:
    upload_id = begin(world, "CRC32", "COMPOSITE")
    with pytest.raises(errors.BadDigest):
        wrong = {"x-amz-checksum-crc32": checksum_of("CRC32", b"other").value}
        upload(world, upload_id, headers=wrong)
    assert parts(world, upload_id) == ()


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
