"""What a client says its body is: Content-MD5 (RFC 1864), and the SHA-256 that it signed."""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Mapping

from s3daemon.wire.errors import BadDigest, InvalidDigest, XAmzContentSHA256Mismatch


def content_md5(headers: Mapping[str, str]) -> bytes | None:
    """The 16 bytes of the Content-MD5 field; None when there is none.

    :raises InvalidDigest: not base64, or not of 16 bytes (also when the field is blank).
    """
    value = headers.get("content-md5")
    if value is None:
        return None
    try:
        digest = base64.b64decode(value.encode("ascii"), validate=True)
    except (UnicodeEncodeError, binascii.Error):
        digest = b""
    if len(digest) != 16:
        raise InvalidDigest(detail={"Content-MD5": value})
    return digest


def check(expected: bytes | None, actual: bytes) -> None:
    """Compare the MD5 of a body with what the client said; None says nothing.

    :raises BadDigest: they differ.
    """
    if expected is not None and expected != actual:
        raise BadDigest(
            detail={
                "ExpectedDigest": base64.b64encode(expected).decode("ascii"),
                "CalculatedDigest": base64.b64encode(actual).decode("ascii"),
            }
        )


def check_document(headers: Mapping[str, str], document: bytes) -> None:
    """Check a whole document against the Content-MD5 field, if there is one.

    :raises InvalidDigest, BadDigest:
    """
    expected = content_md5(headers)
    if expected is not None:
        check(expected, hashlib.md5(document, usedforsecurity=False).digest())


def check_sha256(expected: bytes | None, actual: bytes) -> None:
    """Compare the SHA-256 of a body with the one that was signed; None says nothing.

    :raises XAmzContentSHA256Mismatch: they differ.
    """
    if expected is not None and expected != actual:
        raise XAmzContentSHA256Mismatch(
            detail={
                "ClientComputedContentSHA256": expected.hex(),
                "S3ComputedContentSHA256": actual.hex(),
            }
        )
