"""What a request says of the checksum of its body: every form, and every error with its text."""

from __future__ import annotations

import base64
import hashlib
import zlib
from collections.abc import Mapping

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from s3daemon.wire import checksums, errors, integrity
from s3daemon.wire.checksums import ALGORITHMS
from s3daemon.wire.errors import BadDigest, InvalidRequest, MalformedTrailerError, S3Error
from s3daemon.wire.integrity import NOTHING, Announced, announced, requested
from s3daemon.wire.message import S3Request

CRC32 = ALGORITHMS["CRC32"]
GOOD = base64.b64encode(zlib.crc32(b"body").to_bytes(4, "big")).decode()
SDK = "x-amz-sdk-checksum-algorithm"


def head(chunked: bool = False, **headers: str) -> S3Request:
    """``_`` stands for ``-``."""
    fields = {name.replace("_", "-"): value for name, value in headers.items()}
    return S3Request("PUT", "b", "k", headers=fields, length=4, chunked_body=chunked)


def test_nothing() -> None:
    """The other fields of that prefix are no values."""
    assert announced(head()) == NOTHING
    assert (
        announced(
            head(
                x_amz_checksum_mode="ENABLED",
                x_amz_checksum_type="FULL_OBJECT",
                x_amz_checksum_algorithm="CRC32",
            )
        )
        == NOTHING
    )


@pytest.mark.parametrize("name", [name for name, found in ALGORITHMS.items() if found.make])
@pytest.mark.parametrize("spelling", [str.upper, str.lower, None])
def test_header(name: str, spelling: object) -> None:
    """With and without its algorithm said once more."""
    algorithm = ALGORITHMS[name]
    value = base64.b64encode(bytes(algorithm.size)).decode()
    headers = {algorithm.header: value}
    if callable(spelling):
        headers[SDK] = spelling(name)
    request = S3Request("PUT", "b", "k", headers=headers)
    assert announced(request) == Announced(algorithm, bytes(algorithm.size))


@pytest.mark.parametrize(
    "trailer",
    [
        "x-amz-checksum-crc32",
        " X-Amz-Checksum-CRC32 ",
        "x-amz-checksum-crc32,x-amz-trailer-signature",
        "x-amz-checksum-crc32,",
    ],
)
def test_trailer(trailer: str) -> None:
    """Is announced by its name."""
    assert announced(head(True, x_amz_trailer=trailer)) == Announced(CRC32)
    request = head(True, x_amz_trailer=trailer, x_amz_sdk_checksum_algorithm="crc32")
    assert announced(request) == Announced(CRC32)


_SEVERAL = "Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed."
_SDK_ALONE = (
    "x-amz-sdk-checksum-algorithm specified, but no corresponding x-amz-checksum-* or "
    "x-amz-trailer headers were found."
)
_SDK_WRONG = "Value for x-amz-sdk-checksum-algorithm header is invalid."
_TRAILER = "The value specified in the x-amz-trailer header is not supported"


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        (head(x_amz_checksum_crc32=GOOD, x_amz_checksum_crc32c=GOOD), _SEVERAL),
        (
            head(True, x_amz_checksum_crc32=GOOD, x_amz_trailer="x-amz-checksum-crc32"),
            _SEVERAL,
        ),
        (head(True, x_amz_trailer="x-amz-checksum-crc32,x-amz-checksum-sha1"), _SEVERAL),
        (head(x_amz_checksum_crc32="bad"), "Value for x-amz-checksum-crc32 header is invalid."),
        (head(x_amz_checksum_crc32=""), "Value for x-amz-checksum-crc32 header is invalid."),
        (head(x_amz_checksum_sha1=GOOD), "Value for x-amz-checksum-sha1 header is invalid."),
        (
            head(x_amz_checksum_crc32=f"{GOOD},{GOOD}"),
            "Value for x-amz-checksum-crc32 header is invalid.",
        ),
        (
            head(x_amz_checksum_crc16=GOOD),
            "The algorithm type you specified in x-amz-checksum- header is invalid.",
        ),
        (head(x_amz_sdk_checksum_algorithm="CRC32"), _SDK_ALONE),
        (head(x_amz_sdk_checksum_algorithm="crc16"), _SDK_WRONG),
        (head(x_amz_sdk_checksum_algorithm=""), _SDK_WRONG),
        (head(x_amz_sdk_checksum_algorithm="SHA1", x_amz_checksum_crc32=GOOD), _SDK_WRONG),
        (head(x_amz_sdk_checksum_algorithm="crc16", x_amz_checksum_crc32=GOOD), _SDK_WRONG),
        (
            head(True, x_amz_sdk_checksum_algorithm="SHA1", x_amz_trailer="x-amz-checksum-crc32"),
            _SDK_WRONG,
        ),
        (head(True, x_amz_trailer="x-amz-meta-late"), _TRAILER),
        (head(True, x_amz_trailer="x-amz-checksum-crc16"), _TRAILER),
        (head(True, x_amz_trailer="x-amz-checksum-type"), _TRAILER),
    ],
)
def test_refused(request_: S3Request, message: str) -> None:
    """Before any byte is asked for."""
    with pytest.raises(InvalidRequest) as caught:
        announced(request_)
    assert str(caught.value) == message
    assert caught.value.status == 400


def test_a_trailer_for_a_body_that_cannot_have_one() -> None:
    """It would never come."""
    with pytest.raises(MalformedTrailerError):
        announced(head(x_amz_trailer="x-amz-checksum-crc32"))


def test_an_algorithm_that_cannot_be_computed_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Is refused, not ignored."""
    missing = attrs.evolve(CRC32, make=None, package="p")
    monkeypatch.setattr(integrity, "HEADERS", {CRC32.header: missing})
    with pytest.raises(errors.NotImplemented):
        announced(head(x_amz_checksum_crc32=GOOD))


# -- comparing --------------------------------------------------------------------------------

_HEADER = Announced(CRC32, base64.b64decode(GOOD))
_LATER = Announced(CRC32)


@pytest.mark.parametrize(
    ("given", "trailers"),
    [
        (NOTHING, {}),
        (_HEADER, {}),
        (_LATER, {"x-amz-checksum-crc32": GOOD}),
    ],
)
def test_a_good_document(given: Announced, trailers: Mapping[str, str]) -> None:
    """Passes."""
    given.check_document(b"body", trailers)


@pytest.mark.parametrize(
    ("given", "trailers", "kind", "message"),
    [
        (
            _HEADER,
            {},
            BadDigest,
            "The CRC32 you specified did not match the calculated checksum.",
        ),
        (_HEADER, {"x-amz-checksum-crc32": GOOD}, MalformedTrailerError, ""),
        (NOTHING, {"x-amz-checksum-crc32": GOOD}, MalformedTrailerError, ""),
        (NOTHING, {"x-amz-other": "1"}, MalformedTrailerError, ""),
        (_LATER, {}, MalformedTrailerError, ""),
        (_LATER, {"x-amz-checksum-sha1": GOOD}, MalformedTrailerError, ""),
        (
            _LATER,
            {"x-amz-checksum-crc32": GOOD},
            BadDigest,
            "The CRC32 you specified did not match the calculated checksum.",
        ),
        (
            _LATER,
            {"x-amz-checksum-crc32": "AAA="},
            InvalidRequest,
            "Value for x-amz-checksum-crc32 trailing header is invalid.",
        ),
    ],
)
def test_another_document(
    given: Announced, trailers: Mapping[str, str], kind: type[S3Error], message: str
) -> None:
    """Does not."""
    with pytest.raises(kind) as caught:
        given.check_document(b"another body", trailers)
    assert str(caught.value) == (message or kind.message)


# -- x-amz-checksum-algorithm -----------------------------------------------------------------


def test_requested() -> None:
    """In any case; what is none is refused with what there is."""
    assert requested({}) is None
    assert requested({"x-amz-checksum-algorithm": "sha256"}) is ALGORITHMS["SHA256"]
    for value in ("", "CRC16", "CRC32,SHA1"):
        with pytest.raises(InvalidRequest, match=r"CRC32, CRC32C, CRC64NVME"):
            requested({"x-amz-checksum-algorithm": value})


def test_documents_are_hashed_with_what_was_announced() -> None:
    """Any algorithm."""
    digest = hashlib.sha512(b"body").digest()
    Announced(ALGORITHMS["SHA512"], digest).check_document(b"body", {})
    assert checksums.decode("SHA512", checksums.encode(digest)) == digest


_NAMES = st.sampled_from(
    [
        "x-amz-checksum-crc32",
        "x-amz-checksum-sha1",
        "x-amz-checksum-crc16",
        "x-amz-checksum-type",
        "x-amz-trailer",
        SDK,
    ]
)
_VALUES = st.sampled_from(
    [GOOD, "CRC32", "sha1", "x-amz-checksum-crc32", "x-amz-checksum-sha1,", ",", ""]
) | st.text(max_size=9)


@given(st.dictionaries(_NAMES, _VALUES), st.booleans(), st.dictionaries(_NAMES, _VALUES))
def test_whatever_is_said(headers: dict[str, str], chunked: bool, trailers: dict[str, str]) -> None:
    """Is taken or refused; and what is taken for good is what was said."""
    request = S3Request("PUT", "b", "k", headers=headers, chunked_body=chunked)
    try:
        found = announced(request)
        found.check_document(b"body", trailers)
    except (BadDigest, InvalidRequest, MalformedTrailerError):
        return
    if found.algorithm is not None:
        assert found.algorithm is CRC32 or found.algorithm is ALGORITHMS["SHA1"]
        said = {**headers, **trailers}[found.algorithm.header]
        hasher = checksums.hasher_of(found.algorithm)
        hasher.update(b"body")
        assert checksums.decode(found.algorithm.name, said) == hasher.digest()
