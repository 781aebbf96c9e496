"""Signature version 4: time, scope, and the signature itself.

Sources: S3 API reference, "Authenticating requests (AWS signature version 4)" and its pages, and
"Error responses" for what S3 says about a signature that it refuses.

Nothing here asks a clock or knows a secret: time and signing key are arguments.
"""

from __future__ import annotations

import functools
import hashlib
import hmac
import itertools
from collections.abc import Mapping, Sequence

import attrs

from s3daemon.wire import canonical, dates, digests, sigv4_claim
from s3daemon.wire.chunk_signatures import ChunkSignatures
from s3daemon.wire.claim import V4, AccessClaim
from s3daemon.wire.errors import (
    AccessDenied,
    InvalidToken,
    SignatureDoesNotMatch,
)
from s3daemon.wire.message import UNVERIFIED, Payload, S3Request
from s3daemon.wire.request_time import check_time
from s3daemon.wire.sigv4_claim import STREAMING, STREAMING_TRAILER, UNSIGNED, UNSIGNED_TRAILER
from s3daemon.wire.target import split

#: SHA-256 of no bytes.
EMPTY_SHA256 = hashlib.sha256().digest()


def signing_key(secret: str, date: str, region: str, service: str = "s3") -> bytes:
    """The key that signs on one day, in one region, for one service.

    :param date: ``yyyymmdd``.
    """
    key = ("AWS4" + secret).encode()
    for part in (date, region, service, "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    return key


@attrs.frozen
class Unverified:
    """A request of which everything has been checked that needs no key.

    :ivar parts: of the canonical request.
    """

    request: S3Request
    claim: AccessClaim
    parts: canonical.Parts = attrs.field(repr=False)


def examine(
    request: S3Request,
    target: bytes,
    fields: Sequence[tuple[bytes, bytes]],
    claim: AccessClaim,
    region: str,
    now: float,
) -> Unverified:
    """Check time, scope and what has to be signed; everything that needs no key.

    :param target: as in the request line.
    :param fields: as sent, names in lower case.
    :param claim: of version 4, read strictly.
    :param region: the one that is served here.
    :param now: seconds since the epoch.
    :raises RequestTimeTooSkewed: the request was signed over 15 minutes ago, or ahead.
    :raises AccessDenied: a presigned URL has expired or is not valid yet; a field that has to be
        signed is not.
    :raises AuthorizationHeaderMalformed, AuthorizationQueryParametersError: the scope is wrong.
    :raises InvalidToken: there is a session token, and there are no sessions here.
    :raises InvalidArgument: x-amz-content-sha256 has a value that does not exist.
    """
    check_time(claim, now)
    sigv4_claim.check_scope(claim, region)
    signed = ";".join(claim.signed_headers).encode("ascii")
    signed_fields, unsigned = canonical.signed_fields(fields, signed.split(b";"))
    if unsigned:
        raise AccessDenied(
            "There were headers present in the request which were not signed",
            detail={"HeadersNotSigned": b", ".join(sorted({*unsigned})).decode("latin-1")},
        )
    check_token(request.headers)
    payload = request.headers.get("x-amz-content-sha256", UNSIGNED)
    if claim.presigned:
        sigv4_claim.check_payload_hash(payload)
    path, query = split(target)
    parts = canonical.Parts(
        request.method,
        path or b"/",
        canonical.query_of(query, claim.presigned) if query else b"",
        signed_fields,
        signed,
        payload,
    )
    return Unverified(request, claim, parts)


def check_token(headers: Mapping[str, str]) -> None:
    """Refuse a session token: nobody here gave one out.

    :raises InvalidToken:
    """
    if headers.get("x-amz-security-token"):
        raise InvalidToken


def verify(unverified: Unverified, key: bytes) -> Payload:
    """What a good signature says about the body.

    :param key: the signing key of the claim's access key and scope.
    :raises SignatureDoesNotMatch: with the strings that were signed here; never with a key.
    :raises XAmzContentSHA256Mismatch: the request has no body, and signs the hash of another one.
    """
    claim, parts = unverified.claim, unverified.parts
    claimed = claim.signature.encode("utf-8", "surrogateescape")
    first = parts.request()
    stamps = _stamps(claim)
    string = _string_to_sign(claim, stamps[0], first)
    if _is_signature(claimed, key, string):
        return _payload(unverified, key, stamps[0])
    for canonical_request in itertools.chain((first,), parts.others()):
        for stamp in stamps:
            if _is_signature(claimed, key, _string_to_sign(claim, stamp, canonical_request)):
                return _payload(unverified, key, stamp)
    raise SignatureDoesNotMatch(
        detail={
            "AWSAccessKeyId": claim.access_key,
            "StringToSign": string.decode(),
            "SignatureProvided": claim.signature,
            "StringToSignBytes": string.hex(" "),
            "CanonicalRequest": first.decode("utf-8", "replace"),
            "CanonicalRequestBytes": first.hex(" "),
        }
    )


def _is_signature(claimed: bytes, key: bytes, string: bytes) -> bool:
    return hmac.compare_digest(hmac.digest(key, string, "sha256").hex().encode(), claimed)


def _stamps(claim: AccessClaim) -> Sequence[str]:
    """The time as it may stand in the string to sign.

    Of a time that is sent as an HTTP date some clients sign the basic form, others what they send.
    """
    if claim.signed_at[8:9] == "T":
        return (claim.signed_at,)
    return (dates.basic(claim.time or 0), claim.signed_at)


def _string_to_sign(claim: AccessClaim, stamp: str, canonical_request: bytes) -> bytes:
    digest = hashlib.sha256(canonical_request).hexdigest()
    return f"{V4}\n{stamp}\n{scope_of(claim)}\n{digest}".encode()


def scope_of(claim: AccessClaim) -> str:
    """The credential scope: ``yyyymmdd/region/s3/aws4_request``."""
    return f"{claim.date}/{claim.region}/{claim.service}/{claim.terminal}"


def _payload(unverified: Unverified, key: bytes, stamp: str) -> Payload:
    payload, request, claim = unverified.parts.payload, unverified.request, unverified.claim
    if payload in (UNSIGNED, UNSIGNED_TRAILER):
        return UNVERIFIED
    if payload in (STREAMING, STREAMING_TRAILER):
        return Payload(
            verifier=functools.partial(
                ChunkSignatures, key, stamp, scope_of(claim), claim.signature, claim.access_key
            )
        )
    digest = bytes.fromhex(payload)
    if _has_body(request):
        return Payload(sha256=digest)
    digests.check_sha256(digest, EMPTY_SHA256)
    return UNVERIFIED


def _has_body(request: S3Request) -> bool:
    return bool(request.length) or request.chunked_body or "transfer-encoding" in request.headers
