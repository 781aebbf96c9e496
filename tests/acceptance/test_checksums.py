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
