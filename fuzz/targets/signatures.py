"""Who says they are who: claims of every kind, and what is signed."""

from __future__ import annotations

import attrs

from fuzz import requests
from fuzz.target import Target, promise
from s3daemon.wire import authorization, claim, dates, sigv2, sigv4
from s3daemon.wire.errors import S3Error

_NOW = dates.parse_basic("20240101T000000Z") or 0
_KEY = bytes(range(100, 132))
_SECRET = "a secret that nobody may see"


def _authorization(data: bytes) -> str:
    found = requests.read(data)
    if isinstance(found, str):
        return found
    head, request = found
    outcome = ""
    for lenient in (True, False):
        try:
            said = authorization.parse_claim(request, lenient)
        except S3Error as error:
            outcome += f"{error.code} "
            continue
        if said is None:
            return outcome + "nobody"
        promise(said.access_key, "somebody has a name")
        shown = repr(attrs.evolve(said, signature="to be seen"))
        promise("to be seen" not in shown, "a signature is not shown")
        if lenient:
            continue
        try:
            if said.scheme == claim.V2:
                sigv2.verify(request, head.target, said, _SECRET)
            else:
                unverified = sigv4.examine(
                    request, head.target, head.fields, said, "us-east-1", _NOW
                )
                sigv4.verify(unverified, _KEY)
            outcome += "verified"
        except S3Error as error:
            shown = f"{error} {dict(error.detail)}"
            promise(_SECRET not in shown and _KEY.hex() not in shown, "a secret is not shown")
            outcome += error.code
    return outcome


_SCOPE = b"Credential=AKID/20240101/us-east-1/s3/aws4_request"
_HASH = b"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

TARGETS = (
    Target(
        "authorization",
        _authorization,
        (
            *requests.WORDS,
            b"\nAuthorization: AWS4-HMAC-SHA256 " + _SCOPE + b", SignedHeaders=host, Signature=",
            b"\nAuthorization: AWS AKID:c2ln",
            b"\nx-amz-date: 20240101T000000Z",
            b"\nDate: Mon, 01 Jan 2024 00:00:00 GMT",
            b"\nx-amz-content-sha256: " + _HASH,
            b"\nx-amz-content-sha256: STREAMING-AWS4-HMAC-SHA256-PAYLOAD",
            b"?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=A/20240101/us-east-1/s3/",
            b"aws4_request&X-Amz-Date=20240101T000000Z&X-Amz-Expires=60&X-Amz-SignedHeaders=host",
            b"&X-Amz-Signature=" + _HASH,
            b"?AWSAccessKeyId=A&Signature=c2ln&Expires=1704067300",
        ),
        8192,
    ),
)
