"""Checksums as a stock boto3 client uses them, over the whole gateway."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from s3daemon.wire import checksums
from s3daemon.wire.checksums import ALGORITHMS, DEFAULT
from tests.support.boto import make_client
from tests.support.gateway import make_wire
from tests.support.inmemory import Wire

COMPUTABLE = [name for name, found in ALGORITHMS.items() if found.make]
#: Those that botocore computes itself; CRC32C and CRC64NVME with awscrt alone.
SDK = ["CRC32", "SHA1", "SHA256"]
SDK += [name for name in ("CRC32C", "CRC64NVME") if ALGORITHMS[name].cheap]
WHENS = ("when_supported", "when_required")
BODY = b"The quick brown fox. " * 10_000


def of(algorithm: str, data: bytes) -> str:
    """The checksum of bytes."""
    hasher = checksums.hasher(algorithm)
    hasher.update(data)
    return checksums.encode(hasher.digest())


@pytest.fixture
def wire(tmp_path: Path) -> Wire:
    """A gateway with the bucket ``b``."""
    made = make_wire(tmp_path)
    make_client(made).create_bucket(Bucket="b")
    return made


@pytest.mark.parametrize("body", [b"", b"123456789", BODY], ids=["none", "small", "large"])
@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("when", WHENS)
def test_put_and_get_with_no_algorithm_named(
    wire: Wire, when: str, stream: bool, body: bytes
) -> None:
    """What the client adds on its own is kept, or else S3's default is."""
    client = make_client(wire, request_checksum_calculation=when, response_checksum_validation=when)
    put = client.put_object(Bucket="b", Key="k", Body=io.BytesIO(body) if stream else body)
    algorithm = "CRC32" if when == "when_supported" else DEFAULT and DEFAULT.name
    assert put.get("ChecksumType") == (algorithm and "FULL_OBJECT")
    if algorithm:
        assert put[f"Checksum{algorithm}"] == of(algorithm, body)
    got = client.get_object(Bucket="b", Key="k")
    assert got["Body"].read() == body
    assert (f"Checksum{algorithm}" in got) == (when == "when_supported")
    head = client.head_object(Bucket="b", Key="k", ChecksumMode="ENABLED")
    assert head.get(f"Checksum{algorithm}") == (algorithm and of(algorithm, body))
    (listed,) = client.list_objects_v2(Bucket="b")["Contents"]
    assert listed.get("ChecksumAlgorithm") == (algorithm and [algorithm])
    assert listed.get("ChecksumType") == (algorithm and "FULL_OBJECT")


@pytest.mark.parametrize("when", WHENS)
@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("algorithm", SDK)
def test_an_algorithm_for_the_client_to_compute(
    wire: Wire, when: str, stream: bool, algorithm: str
) -> None:
    """In a header field for bytes, in a trailer for a stream."""
    client = make_client(wire, request_checksum_calculation=when)
    body = io.BytesIO(BODY) if stream else BODY
    put = client.put_object(Bucket="b", Key="k", Body=body, ChecksumAlgorithm=algorithm)
    assert put[f"Checksum{algorithm}"] == of(algorithm, BODY)
    got = client.get_object(Bucket="b", Key="k", ChecksumMode="ENABLED")
    assert got["Body"].read() == BODY
    assert got[f"Checksum{algorithm}"] == of(algorithm, BODY)
    part = client.get_object(Bucket="b", Key="k", ChecksumMode="ENABLED", Range="bytes=0-9")
    assert part["Body"].read() == BODY[:10]
    assert f"Checksum{algorithm}" not in part


@pytest.mark.parametrize("algorithm", COMPUTABLE)
def test_a_value_that_the_program_gives(wire: Wire, algorithm: str) -> None:
    """A good one is kept, another one refuses the object."""
    client = make_client(wire)
    given = {f"Checksum{algorithm}": of(algorithm, BODY)}
    put = client.put_object(Bucket="b", Key="k", Body=BODY, **given)
    assert put[f"Checksum{algorithm}"] == given[f"Checksum{algorithm}"]
    with pytest.raises(ClientError) as caught:
        client.put_object(Bucket="b", Key="k", Body=b"other", **given)
    error = caught.value.response["Error"]
    assert error["Code"] == "BadDigest"
    assert error["Message"] == (
        f"The {algorithm} you specified did not match the calculated checksum."
    )
    assert client.get_object(Bucket="b", Key="k")["Body"].read() == BODY


@pytest.mark.parametrize("algorithm", SDK)
def test_copies(wire: Wire, algorithm: str) -> None:
    """Keep the source's, or have the one that is asked for."""
    client = make_client(wire)
    client.put_object(Bucket="b", Key="k", Body=BODY, ChecksumAlgorithm="SHA1")
    kept = client.copy_object(Bucket="b", Key="kept", CopySource="b/k")["CopyObjectResult"]
    assert (kept["ChecksumSHA1"], kept["ChecksumType"]) == (of("SHA1", BODY), "FULL_OBJECT")
    anew = client.copy_object(
        Bucket="b", Key="anew", CopySource="b/k", ChecksumAlgorithm=algorithm
    )["CopyObjectResult"]
    assert anew[f"Checksum{algorithm}"] == of(algorithm, BODY)
    got = client.get_object(Bucket="b", Key="anew", ChecksumMode="ENABLED")
    assert got["Body"].read() == BODY


@pytest.mark.parametrize("algorithm", SDK)
@pytest.mark.parametrize("when", WHENS)
def test_documents(wire: Wire, when: str, algorithm: str) -> None:
    """Have checksums too."""
    client = make_client(wire, request_checksum_calculation=when)
    client.put_object(Bucket="b", Key="k", Body=BODY)
    client.put_object_tagging(
        Bucket="b",
        Key="k",
        Tagging={"TagSet": [{"Key": "a", "Value": "b"}]},
        ChecksumAlgorithm=algorithm,
    )
    gone = client.delete_objects(
        Bucket="b", Delete={"Objects": [{"Key": "k"}]}, ChecksumAlgorithm=algorithm
    )
    assert gone["Deleted"] == [{"Key": "k"}]


def test_a_document_that_is_not_what_it_should_be(wire: Wire) -> None:
    """Deletes nothing."""
    client = make_client(wire)
    client.put_object(Bucket="b", Key="k", Body=BODY)

    def spoil(request: Any, **_: Any) -> None:
        del request.headers["x-amz-checksum-crc32"]
        request.headers["x-amz-checksum-crc32"] = "AAAAAA=="

    client.meta.events.register_first("before-send.s3.DeleteObjects", spoil)
    with pytest.raises(ClientError, match="BadDigest"):
        client.delete_objects(Bucket="b", Delete={"Objects": [{"Key": "k"}]})
    assert client.head_object(Bucket="b", Key="k")["ContentLength"] == len(BODY)


# -- what boto3 does not send -------------------------------------------------------------------

AUTHORIZATION = {"authorization": "AWS4-HMAC-SHA256 Credential=alice/1/1/1/1, Signature=1"}
TAGS = b"<Tagging><TagSet><Tag><Key>a</Key><Value>b</Value></Tag></TagSet></Tagging>"


def chunked(document: bytes, trailers: bytes, **headers: str) -> dict[str, Any]:
    """A request with an aws-chunked body."""
    return {
        "headers": AUTHORIZATION
        | {
            "x-amz-content-sha256": "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
            "x-amz-decoded-content-length": str(len(document)),
        }
        | {name.replace("_", "-"): value for name, value in headers.items()},
        "body": b"%x\r\n%b\r\n0\r\n%b\r\n" % (len(document), document, trailers),
    }


@pytest.mark.parametrize(
    ("trailers", "announced", "status", "code"),
    [
        (b"x-amz-checksum-crc32:%b\r\n" % of("CRC32", TAGS).encode(), True, 200, ""),
        (b"x-amz-checksum-crc32:AAAAAA==\r\n", True, 400, "BadDigest"),
        (b"", True, 400, "MalformedTrailerError"),
        (b"x-amz-checksum-crc32:AAAAAA==\r\n", False, 400, "MalformedTrailerError"),
        (b"", False, 200, ""),
    ],
)
def test_a_document_with_trailers(
    wire: Wire, trailers: bytes, announced: bool, status: int, code: str
) -> None:
    """Is held to them as an object is."""
    wire.request("PUT", "/b/k", AUTHORIZATION, b"body")
    head = {"x_amz_trailer": "x-amz-checksum-crc32"} if announced else {}
    answer = wire.request("PUT", "/b/k?tagging", **chunked(TAGS, trailers, **head))
    assert (answer.status, code in answer.body.decode()) == (status, True)
    tagged = b"<Key>a</Key>" in wire.request("GET", "/b/k?tagging", AUTHORIZATION).body
    assert tagged == (status == 200)


@pytest.mark.parametrize("target", ["/b/k?tagging", "/b/k"])
@pytest.mark.parametrize(
    "headers",
    [
        {"x-amz-sdk-checksum-algorithm": "CRC32"},
        {"x-amz-checksum-crc32": "AAAAAA==", "x-amz-checksum-sha1": "AAAAAA=="},
        {"x-amz-checksum-crc32": "bad"},
    ],
)
def test_a_head_that_contradicts_itself(wire: Wire, target: str, headers: dict[str, str]) -> None:
    """Is refused before its body is asked for."""
    asked = wire.begin("PUT", target, AUTHORIZATION | headers | {"expect": "100-continue"}, TAGS)
    assert asked.response().status == 400
    assert b"<Code>InvalidRequest</Code>" in asked.response().body
    assert wire.request("HEAD", "/b/k", AUTHORIZATION).status == 404


def test_the_checksum_of_a_complete_is_not_that_of_its_document(wire: Wire) -> None:
    """It is that of the object."""
    client = make_client(wire)
    upload = client.create_multipart_upload(Bucket="b", Key="k", ChecksumAlgorithm="CRC32")
    names = {"Bucket": "b", "Key": "k", "UploadId": upload["UploadId"]}
    part = client.upload_part(PartNumber=1, Body=BODY, ChecksumAlgorithm="CRC32", **names)
    listed = {"PartNumber": 1, "ETag": part["ETag"], "ChecksumCRC32": part["ChecksumCRC32"]}
    given = checksums.composite("CRC32", [checksums.decode("CRC32", part["ChecksumCRC32"])])
    done = client.complete_multipart_upload(
        MultipartUpload={"Parts": [listed]}, ChecksumCRC32=given, **names
    )
    assert done["ChecksumCRC32"] == given
