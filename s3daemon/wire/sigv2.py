"""Signature version 2: HMAC-SHA1 over a few fields and the resource.

Source: S3 user guide, "Signing and authenticating REST requests" (appendix on signature version 2).
It says nothing about the body, nor about most header fields, which is why it is off by default.
"""

from __future__ import annotations

import base64
import hmac
import re
from collections.abc import Iterator, Mapping
from urllib.parse import unquote_to_bytes

from s3daemon.wire.claim import V2, AccessClaim
from s3daemon.wire.errors import (
    AccessDenied,
    InvalidArgument,
    SignatureDoesNotMatch,
)
from s3daemon.wire.message import S3Request
from s3daemon.wire.request_time import request_date
from s3daemon.wire.target import split

#: Query names that select a sub-resource, and so are signed by their name alone ...
_SIGNED_BY_NAME = (
    "abac accelerate acl analytics annotation attributes cors delete encryption "
    "intelligent-tiering inventory legal-hold lifecycle location logging metadataAnnotationTable "
    "metadataConfiguration metadataInventoryTable metadataJournalTable metadataTable metrics "
    "notification object-lock ownershipControls policy policyStatus publicAccessBlock "
    "renameObject replication requestPayment restore retention select session tagging torrent "
    "uploads versioning versions website"
)
#: ... and those that are signed with their decoded value.
_SIGNED_WITH_VALUE = (
    "partNumber response-cache-control response-content-disposition response-content-encoding "
    "response-content-language response-content-type response-expires select-type uploadId "
    "versionId"
)
_NAMED = frozenset(_SIGNED_BY_NAME.split())
_VALUED = frozenset(_SIGNED_WITH_VALUE.split())
#: All of them.
SIGNED = _NAMED | _VALUED
_EXPIRES = re.compile("[+-]?[0-9]{1,18}")


def from_header(rest: str, headers: Mapping[str, str]) -> AccessClaim:
    """The claim of an Authorization header, which is ``rest`` after ``AWS``.

    :raises InvalidArgument:
    :raises AccessDenied: there is no date, or it is none.
    """
    access_key, _, signature = rest.rpartition(":")
    if not access_key or not signature or rest.startswith(" "):
        raise InvalidArgument(
            "AWS authorization header is invalid.  Expected AwsAccessKeyId:signature",
            detail={"ArgumentName": "Authorization"},
        )
    signed_at, time = request_date(headers)
    return AccessClaim(access_key, V2, signature=signature, signed_at=signed_at, time=time)


def from_query(query: Mapping[str, str], lenient: bool) -> AccessClaim:
    """The claim of a presigned URL.

    :param query: by lower-case name.
    :param lenient: the access key is all that is needed.
    :raises AccessDenied:
    """
    access_key, signature = query.get("awsaccesskeyid", ""), query.get("signature", "")
    expires = query.get("expires")
    if not access_key or (not lenient and (not signature or expires is None)):
        raise AccessDenied(
            "Query-string authentication requires the Signature, Expires and AWSAccessKeyId "
            "parameters"
        )
    if lenient:
        return AccessClaim(access_key, V2, presigned=True, signature=signature)
    if expires is None or _EXPIRES.fullmatch(expires) is None or int(expires) >= 1 << 31:
        raise AccessDenied(f"Invalid date (should be seconds since epoch): {expires}")
    return AccessClaim(
        access_key,
        V2,
        presigned=True,
        signature=signature,
        signed_at=expires,
        expires=int(expires),
    )


def sign(secret: str, string: bytes) -> str:
    """The signature of a string to sign, in base64."""
    return base64.b64encode(hmac.digest(secret.encode(), string, "sha1")).decode("ascii")


def verify(request: S3Request, target: bytes, claim: AccessClaim, secret: str) -> None:
    """Check the signature.

    :param target: as in the request line.
    :raises SignatureDoesNotMatch: with the string that was signed here; never with the secret.
    """
    claimed = claim.signature.encode("utf-8", "surrogateescape")
    for string in strings_to_sign(request, target, claim):
        if hmac.compare_digest(sign(secret, string).encode("ascii"), claimed):
            return
    string = next(strings_to_sign(request, target, claim))
    raise SignatureDoesNotMatch(
        detail={
            "AWSAccessKeyId": claim.access_key,
            "StringToSign": string.decode("utf-8", "replace"),
            "SignatureProvided": claim.signature,
            "StringToSignBytes": string.hex(" "),
        }
    )


def strings_to_sign(request: S3Request, target: bytes, claim: AccessClaim) -> Iterator[bytes]:
    """What S3 signs; then what clients sign that differ from it in how they write the resource.

    Each of them stands for the same bucket, key and sub-resources, and for no others.
    """
    headers = request.headers
    date = claim.signed_at
    if not claim.presigned and "x-amz-date" in headers:
        date = ""
    head = [
        request.method,
        headers.get("content-md5", "").strip(),
        headers.get("content-type", "").strip(),
        date,
        *(
            f"{name}:{headers[name].strip()}"
            for name in sorted(headers)
            if name.startswith("x-amz-")
        ),
    ]
    start = "\n".join(head).encode("utf-8", "surrogateescape") + b"\n"
    path, query = split(target)
    for resource in _resources(request, path):
        for selected in dict.fromkeys((_selected(query, False), _selected(query, True))):
            yield start + resource + selected


def _resources(request: S3Request, path: bytes) -> Iterator[bytes]:
    """``/bucket/key``, encoded as in the request line.

    Where it is behind a base path, clients sign either with it or without; and of a bucket some
    sign ``/bucket`` and some ``/bucket/``.
    """
    below = path[len(request.base.encode()) :]
    bucket, key = request.bucket.encode(), request.key.encode()
    if not bucket or unquote_to_bytes(below) in (b"/" + bucket, b"/" + bucket + b"/" + key):
        forms = [path, below]
    else:
        forms = [b"/" + bucket + below]
    for form in list(forms):
        if not key:
            forms.append(form + b"/" if not form.endswith(b"/") else form.rstrip(b"/"))
    yield from dict.fromkeys(form or b"/" for form in forms)


def _selected(query: bytes, with_values: bool) -> bytes:
    """The sub-resources of a query, sorted, with the question mark; "" for none.

    :param with_values: also of those that S3 signs by their name.
    """
    found: dict[bytes, bytes] = {}
    for pair in query.split(b"&"):
        raw_name, equals, raw_value = pair.partition(b"=")
        name = unquote_to_bytes(raw_name.replace(b"+", b" "))
        text = name.decode("utf-8", "replace")
        if text in _VALUED or (with_values and equals and text in _NAMED):
            value = unquote_to_bytes(raw_value.replace(b"+", b" "))
            found.setdefault(name, name + b"=" + value)
        elif text in _NAMED:
            found.setdefault(name, name)
    return b"?" + b"&".join(found[name] for name in sorted(found)) if found else b""
