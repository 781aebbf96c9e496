"""Who a request claims to come from.  Nothing is verified here.

Sources: S3 API reference, "Authenticating requests: using the Authorization header" and "... using
query parameters" (signature version 4); "Signing and authenticating REST requests" (version 2).
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from s3daemon.wire import errors, sigv2, sigv4_claim
from s3daemon.wire.claim import V2, V4, V4A, AccessClaim
from s3daemon.wire.errors import (
    AuthorizationHeaderMalformed,
    AuthorizationQueryParametersError,
    InvalidArgument,
)
from s3daemon.wire.message import S3Request

_LENIENT = re.compile(r"AWS4-HMAC-SHA256\s(?:.*?[\s,])??Credential=([^/\s,]+)/", re.ASCII)
_V2_NAMES = ("AWSAccessKeyId", "Signature", "Expires")
_ARGUMENT = {"ArgumentName": "Authorization"}


def parse_claim(request: S3Request, lenient: bool = False) -> AccessClaim | None:
    """The claim in the Authorization header or in the query; None when there is none.

    :param lenient: read only who it is, and of a version 4 claim only the name in front of the
        first slash of Credential; the rest may be anything.  For where nobody verifies it.

    :raises AuthorizationHeaderMalformed, InvalidArgument, InvalidRequest: a header that is not what
        it has to be.
    :raises AuthorizationQueryParametersError: a presigned version 4 query that is not whole.
    :raises AccessDenied: a version 2 query that is not whole; no date.
    :raises InvalidArgument: more than one claim, or a scheme that S3 does not have.
    :raises NotImplemented: signature version 4A.
    """
    header = request.headers.get("authorization")
    query = _folded(request.query) if request.query else {}
    by_v4 = "x-amz-algorithm" in query or (lenient and "x-amz-credential" in query)
    by_v2 = "awsaccesskeyid" in query or "signature" in query
    if (header is not None) + by_v4 + by_v2 > 1:
        raise InvalidArgument(
            "Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter, Signature "
            "query string parameter or the Authorization header should be specified",
            detail=_ARGUMENT,
        )
    if header:
        return _lenient_header(header) if lenient else _from_header(header, request.headers)
    if by_v4:
        return _lenient_query(query) if lenient else _from_query(query)
    if by_v2:
        return sigv2.from_query(query, lenient)
    return None


def _folded(query: Mapping[str, str]) -> dict[str, str]:
    """The parameters of signatures, by lower-case name: S3 takes both spellings of X-Amz-."""
    folded: dict[str, str] = {}
    for name, value in query.items():
        if name in _V2_NAMES or name[:6].lower() == "x-amz-":
            folded.setdefault(name.lower(), value)
    return folded


def _from_header(header: str, headers: Mapping[str, str]) -> AccessClaim:
    scheme, space, rest = header.partition(" ")
    if not space:
        raise InvalidArgument(
            "Authorization header is invalid -- one and only one ' ' (space) required",
            detail=_ARGUMENT,
        )
    if scheme == V4:
        return sigv4_claim.from_header(rest, headers)
    if scheme == V2:
        return sigv2.from_header(rest, headers)
    if scheme == V4A:
        raise _no_version_4a()
    # What is in it may be a token of another service, so it is not repeated.
    raise InvalidArgument("Unsupported Authorization Type", detail=_ARGUMENT)


def _from_query(query: Mapping[str, str]) -> AccessClaim:
    algorithm = query["x-amz-algorithm"]
    if algorithm == V4A:
        raise _no_version_4a()
    if algorithm != V4:
        raise AuthorizationQueryParametersError(f'X-Amz-Algorithm only supports "{V4}"')
    return sigv4_claim.from_query(query)


def _no_version_4a() -> errors.NotImplemented:
    return errors.NotImplemented(
        f"Signature version 4A ({V4A}) is not implemented. Please use {V4}."
    )


def _lenient_header(header: str) -> AccessClaim:
    scheme, _, rest = header.partition(" ")
    if scheme == V2:
        access_key, _, signature = rest.strip().rpartition(":")
        if not access_key or not signature:
            raise AuthorizationHeaderMalformed(
                "The authorization header has to be: AWS <access key>:<signature>"
            )
        return AccessClaim(access_key, V2, signature=signature)
    found = _LENIENT.match(header)
    if found is None:
        raise AuthorizationHeaderMalformed(
            f"The authorization header has to begin: {V4} Credential=<user name>/"
        )
    return AccessClaim(found[1])


def _lenient_query(query: Mapping[str, str]) -> AccessClaim:
    if query.get("x-amz-algorithm") != V4:
        raise AuthorizationQueryParametersError(f'X-Amz-Algorithm only supports "{V4}"')
    access_key, slash, _ = query.get("x-amz-credential", "").partition("/")
    if not access_key or not slash:
        raise AuthorizationQueryParametersError("X-Amz-Credential has to begin: <user name>/")
    return AccessClaim(access_key, presigned=True)
