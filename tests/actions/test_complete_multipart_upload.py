"""CompleteMultipartUpload: the document, the conditions, the answer."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable
from typing import Any

import pytest

from s3daemon.actions.base import Answer, Limits
from s3daemon.actions.complete_multipart_upload import ACTION, listed_parts
from s3daemon.store.interfaces import (
    Attributes,
    ConditionFailed,
    InvalidPart,
    IReader,
    NoSuchBucket,
    NoSuchKey,
    NoSuchUpload,
    ObjectExists,
    PartTooSmall,
)
from s3daemon.store.memory import MemoryStore
from s3daemon.wire import errors
from s3daemon.wire.message import Personality
from tests.support.actions import NAMESPACE, World, outline, parsed

CONTENTS = {1: b"first", 2: b"second", 4: b"end"}
ETAGS = {number: hashlib.md5(content).hexdigest() for number, content in CONTENTS.items()}
ALL = tuple(ETAGS.items())


@pytest.fixture
def world() -> World:
    made = World(MemoryStore())
    made.store.buckets.create("abc", "id-alice")
    return made


@pytest.fixture
def upload_id(world: World) -> str:
    uploads = world.store.uploads
    attributes = Attributes(metadata={"foo": "bar"})
    created: str = uploads.create("abc", "dir/k&y", attributes, "id-alice").upload_id
    for number, content in CONTENTS.items():
        writer = uploads.write_part("abc", "dir/k&y", created, number, None)
        writer.write((content,))
        writer.commit(ETAGS[number])
    return created


def listing(parts: Iterable[tuple[object, str]], namespace: str = NAMESPACE) -> bytes:
    xmlns = f' xmlns="{namespace}"' if namespace else ""
    listed = "".join(
        f"<Part><ETag>{etag}</ETag><PartNumber>{number}</PartNumber></Part>"
        for number, etag in parts
    )
    return f"<CompleteMultipartUpload{xmlns}>{listed}</CompleteMultipartUpload>".encode()


def complete(world: World, upload_id: str, body: bytes, **options: Any) -> Answer:
    return world.run(ACTION, "abc", "dir/k&y", query={"uploadId": upload_id}, body=body, **options)


def content(world: World) -> bytes:
    reader: IReader = world.store.objects.open("abc", "dir/k&y")
    found: bytes = reader.read(0, reader.info.size)
    reader.close()
    return found


def test_complete(world: World, upload_id: str) -> None:
    answer = complete(world, upload_id, listing(ALL))
    assert answer.status == 200
    joined = hashlib.md5(b"".join(bytes.fromhex(etag) for etag in ETAGS.values())).hexdigest()
    assert parsed("CompleteMultipartUpload", answer) == {
        "Location": "http://s3.example.com/abc/dir/k%26y",
        "Bucket": "abc",
        "Key": "dir/k&y",
        "ETag": f'"{joined}-3"',
    }
    assert outline(answer) == [
        "CompleteMultipartUploadResult",
        "Location",
        "Bucket",
        "Key",
        "ETag",
    ]
    assert content(world) == b"firstsecondend"
    assert world.store.objects.stat("abc", "dir/k&y").attributes.metadata == {"foo": "bar"}


def test_again(world: World, upload_id: str) -> None:
    first = complete(world, upload_id, listing(ALL), headers={"x-amz-mp-object-size": "14"})
    again = complete(world, upload_id, listing(ALL), headers={"x-amz-mp-object-size": "14"})
    assert first == again


@pytest.mark.parametrize(
    ("options", "location"),
    [
        ({"secure": True}, "https://s3.example.com/abc/dir/k%26y"),
        (
            {"base": "/api/v1/s3", "personality": Personality.ALLUXIO},
            "http://s3.example.com/api/v1/s3/abc/dir/k%26y",
        ),
        ({"host": ""}, "/abc/dir/k%26y"),
    ],
)
def test_location(world: World, upload_id: str, options: dict[str, Any], location: str) -> None:
    answer = complete(world, upload_id, listing(ALL), **options)
    assert parsed("CompleteMultipartUpload", answer)["Location"] == location


def test_unlisted_parts_are_forgotten(world: World, upload_id: str) -> None:
    complete(world, upload_id, listing([(1, ETAGS[1]), (4, ETAGS[4])]))
    assert content(world) == b"firstend"


@pytest.mark.parametrize(
    "form", ["{}", '"{}"', "&quot;{}&quot;", "&amp;quot;{}&amp;quot;", " {}\n"]
)
@pytest.mark.parametrize("namespace", [NAMESPACE, ""])
def test_forms_of_etags(form: str, namespace: str) -> None:
    body = listing([(f" {number} ", form.format(etag)) for number, etag in ALL], namespace)
    assert listed_parts(body) == [(*pair, None) for pair in ALL]


@pytest.mark.parametrize(
    ("element", "checksum"),
    [
        ("<ChecksumCRC32>y/Q5Jg==</ChecksumCRC32>", ("CRC32", "y/Q5Jg==")),
        ("<ChecksumCRC64NVME> rosUhgp5mIg=\n</ChecksumCRC64NVME>", ("CRC64NVME", "rosUhgp5mIg=")),
        ("<ChecksumCRC32/>", None),
        ("<ChecksumCRC16>AAA=</ChecksumCRC16>", None),
    ],
)
def test_checksums_in_the_document(element: str, checksum: tuple[str, str] | None) -> None:
    body = listing(ALL).replace(b"<ETag>", element.encode() + b"<ETag>")
    assert listed_parts(body) == [(*pair, checksum) for pair in ALL]


@pytest.mark.parametrize(
    ("elements", "value"),
    [
        ("<ChecksumCRC32>y/Q5Jg</ChecksumCRC32>", "CRC32:y/Q5Jg;"),
        ("<ChecksumCRC32>rosUhgp5mIg=</ChecksumCRC32>", "CRC32:rosUhgp5mIg=;"),
        ("<ChecksumSHA1>\u00e9</ChecksumSHA1>", "SHA1:\u00e9;"),
        (
            "<ChecksumCRC32>y/Q5Jg==</ChecksumCRC32><ChecksumCRC64NVME>rosUhgp5mIg="
            "</ChecksumCRC64NVME>",
            "CRC32:y/Q5Jg==;CRC64NVME:rosUhgp5mIg=;",
        ),
    ],
)
def test_checksums_that_are_none(elements: str, value: str) -> None:
    body = listing(ALL).replace(b"<ETag>", elements.encode() + b"<ETag>")
    with pytest.raises(errors.InvalidArgument) as caught:
        listed_parts(body)
    assert str(caught.value) == "Invalid Base64 or multiple checksums present in request"
    assert caught.value.detail == {"ArgumentName": "Checksum", "ArgumentValue": value}


def test_as_many_parts_as_there_can_be() -> None:
    assert len(listed_parts(listing([(number, "x") for number in range(1, 10001)]))) == 10000


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (b"", errors.MalformedXML),
        (b"  ", errors.MalformedXML),
        (b"garbage", errors.MalformedXML),
        (listing([]), errors.MalformedXML),
        (listing(ALL)[:-1], errors.MalformedXML),
        (listing(ALL).replace(b"CompleteMultipartUpload", b"Other"), errors.MalformedXML),
        (listing([(1, "")]), errors.MalformedXML),
        (listing([("", ETAGS[1])]), errors.MalformedXML),
        (listing([("x", ETAGS[1])]), errors.MalformedXML),
        (listing(ALL).replace(b"<PartNumber>1</PartNumber>", b""), errors.MalformedXML),
        (listing(ALL).replace(b"<ETag>", b"<ETag>x</ETag><ETag>"), errors.MalformedXML),
        (listing([(-1, ETAGS[1])]), errors.InvalidArgument),
        (listing([(0, ETAGS[1])]), errors.InvalidArgument),
        (listing([(10001, ETAGS[1])]), errors.InvalidArgument),
        (listing([(number, "x") for number in range(1, 10002)]), errors.MalformedXML),
        (listing([(2, ETAGS[2]), (1, ETAGS[1])]), errors.InvalidPartOrder),
        (listing([(1, ETAGS[1]), (1, ETAGS[1])]), errors.InvalidPartOrder),
        (listing([*ALL, (9999, ETAGS[1])]), InvalidPart),
        (listing([(1, "f" * 32)]), InvalidPart),
    ],
)
def test_list_refused(world: World, upload_id: str, body: bytes, error: type[Exception]) -> None:
    with pytest.raises(error):
        complete(world, upload_id, body)
    with pytest.raises(NoSuchKey):
        world.store.objects.stat("abc", "dir/k&y")
    complete(world, upload_id, listing(ALL))


def test_least_size_of_a_part(world: World, upload_id: str) -> None:
    strict = World(world.store, limits=Limits(min_part=6))
    with pytest.raises(PartTooSmall) as caught:
        complete(strict, upload_id, listing(ALL))
    assert (caught.value.number, caught.value.size) == (1, 5)
    complete(strict, upload_id, listing([(2, ETAGS[2]), (4, ETAGS[4])]))
    assert content(world) == b"secondend"


def test_create_only(world: World, upload_id: str) -> None:
    world.put("abc", "dir/k&y", b"old")
    with pytest.raises(ObjectExists):
        complete(world, upload_id, listing(ALL), headers={"if-none-match": "*"})
    assert content(world) == b"old"
    world.store.objects.delete("abc", "dir/k&y")
    complete(world, upload_id, listing(ALL), headers={"if-none-match": "*"})
    assert content(world) == b"firstsecondend"


def test_compare(world: World, upload_id: str) -> None:
    """An upload whose condition does not hold stays what it was, and repeating is not judged."""
    done = {"if-match": '"another"'}
    with pytest.raises(NoSuchKey):
        complete(world, upload_id, listing(ALL), headers=done)
    world.put("abc", "dir/k&y", b"other")
    with pytest.raises(ConditionFailed):
        complete(world, upload_id, listing(ALL), headers=done)
    world.put("abc", "dir/k&y", b"old")
    etag = world.store.objects.stat("abc", "dir/k&y").etag
    with pytest.raises(ConditionFailed):
        complete(world, upload_id, listing(ALL), headers={"if-none-match": etag})
    answer = complete(world, upload_id, listing(ALL), headers={"if-match": etag})
    assert content(world) == b"firstsecondend"
    assert complete(world, upload_id, listing(ALL), headers={"if-match": etag}) == answer


@pytest.mark.parametrize(
    ("name", "value", "error"),
    [
        ("if-match", '"a", "b"', errors.NotImplemented),
        ("if-unmodified-since", "Sun, 06 Nov 1994 08:49:37 GMT", errors.NotImplemented),
        ("x-amz-server-side-encryption-customer-key", "k", errors.NotImplemented),
        ("x-amz-mp-object-size", "many", errors.InvalidRequest),
        ("x-amz-mp-object-size", "-1", errors.InvalidRequest),
        ("x-amz-mp-object-size", "13", errors.InvalidRequest),
        ("content-md5", "x", errors.InvalidDigest),
        ("content-md5", base64.b64encode(b"\0" * 16).decode(), errors.BadDigest),
    ],
)
def test_headers_refused(
    world: World, upload_id: str, name: str, value: str, error: type[errors.S3Error]
) -> None:
    with pytest.raises(error):
        complete(world, upload_id, listing(ALL), headers={name: value})
    with pytest.raises(NoSuchKey):
        world.store.objects.stat("abc", "dir/k&y")


def test_expected_size(world: World, upload_id: str) -> None:
    listed = listing([(1, ETAGS[1]), (4, ETAGS[4])])
    complete(world, upload_id, listed, headers={"x-amz-mp-object-size": "8"})
    assert content(world) == b"firstend"


def test_expected_size_and_a_missing_part(world: World, upload_id: str) -> None:
    with pytest.raises(InvalidPart):
        complete(world, upload_id, listing([(9, ETAGS[1])]), headers={"x-amz-mp-object-size": "5"})


def test_content_md5(world: World, upload_id: str) -> None:
    digest = base64.b64encode(hashlib.md5(listing(ALL)).digest()).decode()
    complete(world, upload_id, listing(ALL), headers={"content-md5": digest})


def test_no_such_upload(world: World, upload_id: str) -> None:
    with pytest.raises(NoSuchUpload):
        complete(world, "abc1234def", listing([(1, "1234")]))
    with pytest.raises(NoSuchUpload):
        world.run(ACTION, "abc", "other", query={"uploadId": upload_id}, body=listing(ALL))


def test_whose(world: World, upload_id: str) -> None:
    with pytest.raises(errors.AccessDenied):
        complete(world, upload_id, listing(ALL), caller="bob")
    with pytest.raises(NoSuchBucket):
        world.run(ACTION, "missing", "k", query={"uploadId": upload_id}, body=listing(ALL))
