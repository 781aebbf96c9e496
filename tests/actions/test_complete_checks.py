"""CompleteMultipartUpload: what the client says of the object and its parts has to be so."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from s3daemon.actions.complete_multipart_upload import ACTION
from s3daemon.store.interfaces import Attributes, Checksum, NoSuchKey
from s3daemon.store.memory import MemoryStore
from s3daemon.wire import checksums, errors
from tests.support.actions import World, parsed

DATA = (b"first part", b"second", b"end")
ETAGS = [hashlib.md5(piece).hexdigest() for piece in DATA]


def value(algorithm: str, data: bytes) -> str:
    hasher = checksums.hasher(algorithm)
    hasher.update(data)
    return checksums.encode(hasher.digest())


def composite(algorithm: str, *parts: bytes) -> str:
    """From the definition: base64 of the checksum of the binary checksums, and their number."""
    digests = b"".join(base64.b64decode(value(algorithm, part)) for part in parts)
    return f"{value(algorithm, digests)}-{len(parts)}"


SUMS = {name: [value(name, piece) for piece in DATA] for name in ("CRC32", "SHA256", "CRC64NVME")}
WHOLE = {name: value(name, b"".join(DATA)) for name in SUMS}
BAD = {name: value(name, b"something else") for name in SUMS}


@pytest.fixture
def world() -> World:
    made = World(MemoryStore())
    made.store.buckets.create("abc", "id-alice")
    return made


def begin(world: World, algorithm: str | None, kind: str | None) -> str:
    """An upload with all parts, each with its checksum: CRC64NVME where nothing is named."""
    uploads = world.store.uploads
    upload_id: str = uploads.create("abc", "k", Attributes(), "id-alice", algorithm, kind).upload_id
    made_with = algorithm or "CRC64NVME"
    for number, piece in enumerate(DATA, 1):
        writer = uploads.write_part("abc", "k", upload_id, number, len(piece))
        writer.write((piece,))
        writer.commit(ETAGS[number - 1], Checksum(made_with, value(made_with, piece)))
    return upload_id


def document(algorithm: str = "", sums: Sequence[str | None] = (None, None, None)) -> bytes:
    parts = "".join(
        f"<Part><PartNumber>{number}</PartNumber><ETag>{ETAGS[number - 1]}</ETag>"
        + (f"<Checksum{algorithm}>{said}</Checksum{algorithm}>" if said else "")
        + "</Part>"
        for number, said in enumerate(sums, 1)
    )
    return f"<CompleteMultipartUpload>{parts}</CompleteMultipartUpload>".encode()


def complete(
    world: World, upload_id: str, body: bytes, headers: Mapping[str, str] | None = None
) -> dict[str, Any]:
    answer = world.run(
        ACTION, "abc", "k", query={"uploadId": upload_id}, body=body, headers=headers
    )
    return parsed("CompleteMultipartUpload", answer)


COMPOSITE = composite("SHA256", *DATA)


@pytest.mark.parametrize(
    ("upload", "body", "headers", "shown"),
    [
        pytest.param(
            ("SHA256", "COMPOSITE"),
            document("SHA256", SUMS["SHA256"]),
            headers,
            ("SHA256", COMPOSITE, "COMPOSITE"),
            id=f"composite {number}",
        )
        for number, headers in enumerate(
            [
                {},
                {"x-amz-checksum-sha256": COMPOSITE},
                {"x-amz-checksum-sha256": COMPOSITE.partition("-")[0]},
                {"x-amz-checksum-sha256": COMPOSITE, "x-amz-checksum-type": "COMPOSITE"},
                {"x-amz-checksum-type": "COMPOSITE", "x-amz-mp-object-size": "19"},
            ]
        )
    ]
    + [
        pytest.param(
            ("CRC32", "COMPOSITE"),
            document("CRC32", SUMS["CRC32"]),
            {},
            ("CRC32", composite("CRC32", *DATA), "COMPOSITE"),
            id="composite CRC",
        )
    ]
    + [
        pytest.param(
            ("CRC32", "FULL_OBJECT"),
            body,
            headers,
            ("CRC32", WHOLE["CRC32"], "FULL_OBJECT"),
            id=f"full object {number}",
        )
        for number, (body, headers) in enumerate(
            [
                (document(), {}),
                (document("CRC32", SUMS["CRC32"]), {"x-amz-checksum-crc32": WHOLE["CRC32"]}),
                (document(), {"x-amz-checksum-crc32": f" {WHOLE['CRC32']} "}),
                (document("CRC32", (None, SUMS["CRC32"][1], None)), {}),
                (document(), {"x-amz-checksum-type": "FULL_OBJECT"}),
            ]
        )
    ]
    + [
        pytest.param(
            (None, None),
            document(),
            headers,
            ("CRC64NVME", WHOLE["CRC64NVME"], "FULL_OBJECT"),
            id=f"default {number}",
        )
        for number, headers in enumerate(
            [
                {},
                {"x-amz-checksum-crc64nvme": WHOLE["CRC64NVME"]},
                {"x-amz-checksum-type": "FULL_OBJECT"},
                # Nothing here is made with this algorithm, and S3 lets it pass too.
                {"x-amz-checksum-sha256": BAD["SHA256"]},
            ]
        )
    ],
)
def test_what_is_true(
    world: World,
    upload: tuple[str | None, str | None],
    body: bytes,
    headers: Mapping[str, str],
    shown: tuple[str, str, str],
) -> None:
    upload_id = begin(world, *upload)
    found = complete(world, upload_id, body, headers)
    algorithm, checksum, kind = shown
    assert found[f"Checksum{algorithm}"] == checksum
    assert found["ChecksumType"] == kind
    assert world.store.objects.stat("abc", "k").checksum == Checksum(algorithm, checksum, kind)
    assert complete(world, upload_id, body, headers) == found


MISSING = (
    "The upload was created using a sha256 checksum. The complete request must include the "
    "checksum for each part. It was missing for part {} in the request."
)
NO_PART = errors.InvalidPart.message


@pytest.mark.parametrize(
    ("upload", "body", "headers", "error", "message"),
    [
        # Parts.
        (
            ("SHA256", "COMPOSITE"),
            document(),
            {},
            errors.InvalidRequest,
            MISSING.format(1),
        ),
        (
            ("SHA256", "COMPOSITE"),
            document("SHA256", [*SUMS["SHA256"][:2], None]),
            {"x-amz-checksum-sha256": COMPOSITE},
            errors.InvalidRequest,
            MISSING.format(3),
        ),
        (
            ("SHA256", "COMPOSITE"),
            document("CRC32", SUMS["CRC32"]),
            {},
            errors.BadDigest,
            "The crc32 you specified for part 1 did not match what we received.",
        ),
        (
            ("SHA256", "COMPOSITE"),
            document("SHA256", [SUMS["SHA256"][0], BAD["SHA256"], SUMS["SHA256"][2]]),
            {},
            errors.InvalidPart,
            NO_PART,
        ),
        (
            ("CRC32", "FULL_OBJECT"),
            document("CRC32", [BAD["CRC32"], None, None]),
            {"x-amz-checksum-crc32": WHOLE["CRC32"]},
            errors.InvalidPart,
            NO_PART,
        ),
        ((None, None), document("CRC32", SUMS["CRC32"]), {}, errors.InvalidPart, NO_PART),
        ((None, None), document("CRC64NVME", SUMS["CRC64NVME"]), {}, errors.InvalidPart, NO_PART),
        # The whole.
        (
            ("SHA256", "COMPOSITE"),
            document("SHA256", [SUMS["SHA256"][0], BAD["SHA256"], SUMS["SHA256"][2]]),
            {"x-amz-checksum-sha256": COMPOSITE},
            errors.BadDigest,
            "The sha256 you specified did not match the calculated checksum.",
        ),
        (
            ("SHA256", "COMPOSITE"),
            document("SHA256", SUMS["SHA256"]),
            {"x-amz-checksum-sha256": BAD["SHA256"]},
            errors.BadDigest,
            "The sha256 you specified did not match the calculated checksum.",
        ),
        (
            ("SHA256", "COMPOSITE"),
            document("SHA256", SUMS["SHA256"]),
            {"x-amz-checksum-sha256": WHOLE["SHA256"]},
            errors.BadDigest,
            "The sha256 you specified did not match the calculated checksum.",
        ),
        (
            ("SHA256", "COMPOSITE"),
            document("SHA256", SUMS["SHA256"]),
            {"x-amz-checksum-sha256": COMPOSITE.replace("-3", "-2")},
            errors.BadDigest,
            "The sha256 you specified did not match the calculated checksum.",
        ),
        (
            ("CRC32", "FULL_OBJECT"),
            document(),
            {"x-amz-checksum-crc32": BAD["CRC32"]},
            errors.BadDigest,
            "The crc32 you specified did not match the calculated checksum.",
        ),
        (
            ("CRC32", "FULL_OBJECT"),
            document(),
            {"x-amz-checksum-crc32": WHOLE["CRC32"] + "-3"},
            errors.InvalidRequest,
            "Value for x-amz-checksum-crc32 header is invalid.",
        ),
        (
            ("CRC32", "FULL_OBJECT"),
            document(),
            {"x-amz-checksum-sha256": WHOLE["SHA256"]},
            errors.InvalidRequest,
            "Checksum Type mismatch occurred, expected checksum Type: crc32, actual checksum Type: "
            "sha256",
        ),
        (
            (None, None),
            document(),
            {"x-amz-checksum-crc64nvme": BAD["CRC64NVME"]},
            errors.BadDigest,
            "The crc64nvme you specified did not match the calculated checksum.",
        ),
        # What is no value.
        *(
            (
                ("SHA256", "COMPOSITE"),
                document("SHA256", SUMS["SHA256"]),
                {"x-amz-checksum-sha256": said},
                errors.InvalidRequest,
                "Value for x-amz-checksum-sha256 header is invalid.",
            )
            for said in ("bad", "", BAD["CRC32"], COMPOSITE + "x", COMPOSITE[:-1], "\u00e9" * 44)
        ),
        (
            ("SHA256", "COMPOSITE"),
            document("SHA256", SUMS["SHA256"]),
            {"x-amz-checksum-sha256": COMPOSITE, "x-amz-checksum-crc32": WHOLE["CRC32"]},
            errors.InvalidRequest,
            "Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.",
        ),
        # Types.
        (
            ("SHA256", "COMPOSITE"),
            document("SHA256", SUMS["SHA256"]),
            {"x-amz-checksum-type": "FULL_OBJECT"},
            errors.BadDigest,
            "The upload was created using the COMPOSITE checksum mode. The complete request must "
            "use the same checksum mode.",
        ),
        (
            (None, None),
            document(),
            {"x-amz-checksum-type": "COMPOSITE"},
            errors.BadDigest,
            "The upload was created using the FULL_OBJECT checksum mode. The complete request must "
            "use the same checksum mode.",
        ),
        (
            (None, None),
            document(),
            {"x-amz-checksum-type": "HALF"},
            errors.InvalidRequest,
            "Value for x-amz-checksum-type header is invalid.",
        ),
        # Sizes.
        (
            (None, None),
            document(),
            {"x-amz-mp-object-size": "18"},
            errors.InvalidRequest,
            "The provided 'x-amz-mp-object-size' header value 18 does not match what was computed: "
            "19",
        ),
        (
            (None, None),
            document(),
            {"x-amz-mp-object-size": "many"},
            errors.InvalidRequest,
            "Value for x-amz-mp-object-size header is invalid: 'many'",
        ),
    ],
)
def test_what_is_not_true(
    world: World,
    upload: tuple[str | None, str | None],
    body: bytes,
    headers: Mapping[str, str],
    error: type[errors.S3Error],
    message: str,
) -> None:
    upload_id = begin(world, *upload)
    with pytest.raises(error) as caught:
        complete(world, upload_id, body, headers)
    assert str(caught.value) == message
    with pytest.raises(NoSuchKey):
        world.store.objects.stat("abc", "k")
    algorithm = upload[0] or ""
    complete(world, upload_id, document(algorithm, SUMS[algorithm]) if algorithm else document())


def test_which_part_is_wrong(world: World) -> None:
    upload_id = begin(world, "CRC32", "FULL_OBJECT")
    with pytest.raises(errors.InvalidPart) as caught:
        complete(world, upload_id, document("CRC32", [None, BAD["CRC32"], None]))
    assert caught.value.detail == {"UploadId": upload_id, "PartNumber": "2", "ETag": ETAGS[1]}


def test_a_checksum_that_cannot_be_made(world: World) -> None:
    """A part of an earlier version of the gateway: there is nothing to hold the header against."""
    upload_id = begin(world, None, None)
    writer = world.store.uploads.write_part("abc", "k", upload_id, 1, None)
    writer.write((DATA[0],))
    writer.commit(ETAGS[0])
    with pytest.raises(errors.BadDigest):
        complete(world, upload_id, document(), {"x-amz-checksum-crc64nvme": WHOLE["CRC64NVME"]})
    found = complete(world, upload_id, document())
    assert found.keys() == {"Location", "Bucket", "Key", "ETag"}
