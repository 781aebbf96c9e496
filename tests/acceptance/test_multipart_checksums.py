"""Multipart uploads with checksums, from the first request to the last, as clients send them."""

from __future__ import annotations

import base64
import hashlib
import zlib

import pytest

from s3daemon.wire import checksums
from tests.acceptance.conftest import texts

DATA = [b"first part, ", b"second, ", b"end"]


def crc32(data: bytes) -> str:
    return base64.b64encode(zlib.crc32(data).to_bytes(4, "big")).decode()


def sha256(data: bytes) -> str:
    return base64.b64encode(hashlib.sha256(data).digest()).decode()


def composite(parts: list[bytes]) -> str:
    digests = b"".join(hashlib.sha256(part).digest() for part in parts)
    return f"{sha256(digests)}-{len(parts)}"


@pytest.fixture
def b(api):
    api.bucket("b")
    return api


def begin(api, algorithm, kind):
    got = api.ok(
        "POST",
        "b",
        "k",
        "uploads",
        headers={"x-amz-checksum-algorithm": algorithm, "x-amz-checksum-type": kind},
    )
    assert got.headers["x-amz-checksum-algorithm"] == algorithm
    assert got.headers["x-amz-checksum-type"] == kind
    return texts(got.body, "UploadId")[0]


def document(etags, element="", sums=()):
    parts = "".join(
        f"<Part><PartNumber>{number}</PartNumber><ETag>{etag}</ETag>"
        + (f"<{element}>{sums[number - 1]}</{element}>" if sums else "")
        + "</Part>"
        for number, etag in enumerate(etags, 1)
    )
    return f"<CompleteMultipartUpload>{parts}</CompleteMultipartUpload>".encode()


def test_composite(b):
    upload = begin(b, "SHA256", "COMPOSITE")
    sums = [sha256(piece) for piece in DATA]
    etags = []
    for number, piece in enumerate(DATA, 1):
        got = b.ok(
            "PUT",
            "b",
            "k",
            f"partNumber={number}&uploadId={upload}",
            headers={"x-amz-checksum-sha256": sums[number - 1]},
            body=piece,
        )
        assert got.headers["x-amz-checksum-sha256"] == sums[number - 1]
        assert "x-amz-checksum-type" not in got.headers
        etags.append(got.headers["etag"])

    listed = b.ok("GET", "b", "k", f"uploadId={upload}").body
    assert texts(listed, "ChecksumAlgorithm") == ["SHA256"]
    assert texts(listed, "ChecksumType") == ["COMPOSITE"]
    assert texts(listed, "Part/ChecksumSHA256") == sums
    uploads = b.ok("GET", "b", query="uploads").body
    assert texts(uploads, "Upload/ChecksumAlgorithm") == ["SHA256"]

    whole = {"x-amz-checksum-sha256": composite(DATA)}
    body = document(etags, "ChecksumSHA256", sums)
    b.refused(
        400,
        "BadDigest",
        "POST",
        "b",
        "k",
        f"uploadId={upload}",
        headers={"x-amz-checksum-sha256": composite(DATA[::-1])},
        body=body,
    )
    b.refused(400, "InvalidRequest", "POST", "b", "k", f"uploadId={upload}", body=document(etags))
    # The checksum in the head is the object's, and not that of the document.
    for _ in range(2):
        done = b.ok("POST", "b", "k", f"uploadId={upload}", headers=whole, body=body).body
        assert texts(done, "ChecksumSHA256") == [composite(DATA)]
        assert texts(done, "ChecksumType") == ["COMPOSITE"]

    asked = {"x-amz-checksum-mode": "ENABLED"}
    got = b.ok("GET", "b", "k", headers=asked)
    assert got.body == b"".join(DATA)
    assert got.headers["x-amz-checksum-sha256"] == composite(DATA)
    assert got.headers["x-amz-checksum-type"] == "COMPOSITE"
    for method in ("GET", "HEAD"):
        part = b.ok(method, "b", "k", "partNumber=2", headers=asked, status=206)
        assert part.headers["x-amz-checksum-sha256"] == sums[1]
        assert part.headers["x-amz-mp-parts-count"] == "3"

    page = {"x-amz-object-attributes": "Checksum,ObjectParts", "x-amz-max-parts": "2"}
    found = b.ok("GET", "b", "k", "attributes", headers=page).body
    assert texts(found, "Checksum/ChecksumSHA256") == [composite(DATA)]
    assert texts(found, "ObjectParts/Part/ChecksumSHA256") == sums[:2]
    assert texts(found, "ObjectParts/IsTruncated") == ["true"]
    assert texts(found, "ObjectParts/NextPartNumberMarker") == ["2"]


@pytest.mark.parametrize("named", [True, False])
def test_of_all_bytes(b, named):
    """The parts come as new clients send them: chunked, and the checksum behind."""
    if not named and checksums.DEFAULT is None:
        pytest.skip("no library for it is installed")
    upload = begin(b, "CRC32", "FULL_OBJECT") if named else b.begin("b", "k")
    etags = []
    for number, piece in enumerate(DATA, 1):
        chunked = (
            f"{len(piece):x}\r\n".encode()
            + piece
            + f"\r\n0\r\nx-amz-checksum-crc32:{crc32(piece)}\r\n\r\n".encode()
        )
        got = b.ok(
            "PUT",
            "b",
            "k",
            f"partNumber={number}&uploadId={upload}",
            headers={
                "x-amz-content-sha256": "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
                "x-amz-decoded-content-length": str(len(piece)),
                "x-amz-sdk-checksum-algorithm": "CRC32",
                "x-amz-trailer": "x-amz-checksum-crc32",
                "content-encoding": "aws-chunked",
            },
            body=chunked,
        )
        assert got.headers["x-amz-checksum-crc32"] == crc32(piece)
        etags.append(got.headers["etag"])
    done = b.ok("POST", "b", "k", f"uploadId={upload}", body=document(etags)).body
    content = b"".join(DATA)
    if named:
        header, value = "x-amz-checksum-crc32", crc32(content)
    else:
        header = "x-amz-checksum-crc64nvme"
        hasher = checksums.hasher("CRC64NVME")
        hasher.update(content)
        value = checksums.encode(hasher.digest())
        assert texts(done, "ChecksumCRC64NVME") == [value]
    assert texts(done, "ChecksumType") == ["FULL_OBJECT"]
    got = b.ok("GET", "b", "k", headers={"x-amz-checksum-mode": "ENABLED"})
    assert (got.body, got.headers[header]) == (content, value)


def test_outside_changes(b):
    """What another program has changed has no checksum any more, nor has any part of it."""
    upload = b.begin("b", "k")
    etags = [b.part("b", "k", upload, number, piece) for number, piece in enumerate(DATA, 1)]
    assert b.complete("b", "k", upload, list(enumerate(etags, 1))).status == 200
    (b.root / "b" / "k").write_bytes(b"other")
    got = b.ok("GET", "b", "k", headers={"x-amz-checksum-mode": "ENABLED"})
    assert not [name for name in got.headers if "checksum" in name]
    found = b.ok("GET", "b", "k", "attributes", headers={"x-amz-object-attributes": "ObjectParts"})
    assert texts(found.body, "ObjectParts") == []
