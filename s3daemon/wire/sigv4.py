"""Signature version 4: time, scope, and the signature itself.

Sources: S3 API reference, "Authenticating requests (AWS signature version 4)" and its pages, and
"Error responses" for what S3 says about a signature that it refuses.

Nothing here asks a clock or knows a secret: time and signing key are arguments.
"""

from __future__ import annotations

import functools
import hashlib
import hmac
from collections.abc import Iterator, Mapping, Sequence

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

    :ivar target: as in the request line.
    :ivar payload: what is signed of the body: the value of x-amz-content-sha256, or what stands for
        it.
    """

    request: S3Request
    target: bytes
    fields: Sequence[tuple[bytes, bytes]]
    claim: AccessClaim
    signed_headers: bytes
    payload: str


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
    signed = ";".join(claim.signed_headers).encode("latin-1")
    unsigned = canonical.unsigned_fields(fields, signed)
    if unsigned:
        raise AccessDenied(
            "There were headers present in the request which were not signed",
            detail={"HeadersNotSigned": b", ".join(unsigned).decode("latin-1")},
        )
    check_token(request.headers)
    payload = request.headers.get("x-amz-content-sha256", UNSIGNED)
    if claim.presigned:
        sigv4_claim.check_payload_hash(payload)
    return Unverified(request, target, fields, claim, signed, payload)


def check_token(headers: Mapping[str, str]) -> None:
    """Refuse a session token: nobody here gave one out.

    :raises InvalidToken:
    """
    token = headers.get("x-amz-security-token")
    if token:
        raise InvalidToken


def verify(unverified: Unverified, key: bytes) -> Payload:
    """What a good signature says about the body.

    :param key: the signing key of the claim's access key and scope.
    :raises SignatureDoesNotMatch: with the strings that were signed here; never with a key.
    :raises XAmzContentSHA256Mismatch: the request has no body, and signs the hash of another one.
    """
    claim = unverified.claim
    claimed = claim.signature.encode("utf-8", "surrogateescape")
    for canonical_request in _canonical(unverified):
        for string, stamp in _strings(claim, canonical_request):
            signature = hmac.digest(key, string, "sha256").hex()
            if hmac.compare_digest(signature.encode(), claimed):
                return _payload(unverified, key, stamp)
    raise _mismatch(unverified)


def _canonical(unverified: Unverified) -> Iterator[bytes]:
    path, query = split(unverified.target)
    return canonical.requests(
        unverified.request.method,
        path or b"/",
        canonical.query_of(query, unverified.claim.presigned),
        unverified.fields,
        unverified.signed_headers,
        unverified.payload,
    )


def _strings(claim: AccessClaim, canonical_request: bytes) -> Iterator[tuple[bytes, str]]:
    """The string to sign, and the time in it.

    Of a time that is sent as an HTTP date some clients sign the basic form, others what they send.
    """
    digest = hashlib.sha256(canonical_request).hexdigest()
    stamps = [claim.signed_at]
    if claim.signed_at[8:9] != "T":
        stamps.insert(0, dates.basic(claim.time or 0))
    for stamp in stamps:
        yield f"{V4}\n{stamp}\n{scope_of(claim)}\n{digest}".encode(), stamp


def scope_of(claim: AccessClaim) -> str:
    """The credential scope: ``yyyymmdd/region/s3/aws4_request``."""
    return f"{claim.date}/{claim.region}/{claim.service}/{claim.terminal}"


def _payload(unverified: Unverified, key: bytes, stamp: str) -> Payload:
    payload, request, claim = unverified.payload, unverified.request, unverified.claim
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


def _mismatch(unverified: Unverified) -> SignatureDoesNotMatch:
    canonical_request = next(_canonical(unverified))
    string, _ = next(_strings(unverified.claim, canonical_request))
    return SignatureDoesNotMatch(
        detail={
            "AWSAccessKeyId": unverified.claim.access_key,
            "StringToSign": string.decode(),
            "SignatureProvided": unverified.claim.signature,
            "StringToSignBytes": string.hex(" "),
            "CanonicalRequest": canonical_request.decode("utf-8", "replace"),
            "CanonicalRequestBytes": canonical_request.hex(" "),
        }
    )
