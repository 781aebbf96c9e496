"""Who a request claims to come from.  Nothing is verified here.

Sources: S3 API reference, "Authenticating requests: using the Authorization header" and "... using
query parameters" (signature version 4); "Signing and authenticating REST requests" (version 2).
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import attrs

from s3daemon.wire.errors import (
    AccessDenied,
    AuthorizationHeaderMalformed,
    AuthorizationQueryParametersError,
    InvalidArgument,
    S3Error,
)
from s3daemon.wire.message import S3Request

V4 = "AWS4-HMAC-SHA256"
V2 = "AWS"

#: A presigned URL is good for a week at most; in seconds.
MAX_EXPIRES = 7 * 24 * 3600

# The access key may hold slashes, so the scope is read from the end.
_CREDENTIAL = re.compile(r"([^\s,]+)/([0-9]{8})/([^/\s,]+)/([^/\s,]+)/aws4_request")
_SIGNED_HEADERS = re.compile(r"[!#$%&'*+.^_`|~0-9a-z-]+(?:;[!#$%&'*+.^_`|~0-9a-z-]+)*")
_SIGNATURE = re.compile(r"[0-9a-f]{64}")
_TIME = re.compile(r"[0-9]{8}T[0-9]{6}Z")
_LENIENT = re.compile(r"AWS4-HMAC-SHA256\s(?:.*?[\s,])??Credential=([^/\s,]+)/", re.ASCII)
_EXPECTED = (
    f"The authorization header has to be: {V4} Credential=<access key>/<yyyymmdd>/<region>/s3/"
    "aws4_request, SignedHeaders=<names>, Signature=<64 hex digits>"
)


@attrs.frozen
class AccessClaim:
    """What a request says about its sender.

    :ivar scheme: :data:`V4` or :data:`V2`.
    :ivar presigned: it came in the query.
    :ivar date: of the credential scope, ``yyyymmdd``.  This and what follows is "" or empty where
        the scheme has no such thing or the claim was read leniently.
    :ivar signed_headers: lower-case names, in the order given.
    :ivar signature: hex for version 4, base64 for version 2.
    """

    access_key: str
    scheme: str = V4
    presigned: bool = False
    date: str = ""
    region: str = ""
    service: str = ""
    signed_headers: tuple[str, ...] = ()
    signature: str = attrs.field(default="", repr=False)


def parse_claim(request: S3Request, lenient: bool = False) -> AccessClaim | None:
    """The claim in the Authorization header or in the query; None when there is none.

    :param lenient: of a version 4 claim read only the name in front of the first slash of
        Credential; the rest may be anything.

    :raises AuthorizationHeaderMalformed: any other header.
    :raises AuthorizationQueryParametersError: a presigned version 4 query that is not whole.
    :raises AccessDenied: a version 2 query that is not whole.
    :raises InvalidArgument: more than one claim.
    """
    header = request.headers.get("authorization")
    query = _folded(request.query) if request.query else {}
    by_v4 = "x-amz-algorithm" in query or "x-amz-credential" in query
    by_v2 = "awsaccesskeyid" in query
    if (header is not None) + by_v4 + by_v2 > 1:
        raise InvalidArgument(
            "A request may be signed in one way only: by an Authorization header, or by the query "
            "parameters of signature version 4, or by those of version 2."
        )
    if header is not None:
        return _from_header(header, lenient)
    if by_v4:
        return _from_query(query, lenient)
    if by_v2:
        return _from_v2_query(query, lenient)
    return None


def _folded(query: Mapping[str, str]) -> dict[str, str]:
    """The parameters of signatures, by lower-case name: S3 takes both spellings of X-Amz-."""
    folded: dict[str, str] = {}
    for name, value in query.items():
        if name in ("AWSAccessKeyId", "Signature", "Expires") or name[:6].lower() == "x-amz-":
            folded.setdefault(name.lower(), value)
    return folded


def _from_header(header: str, lenient: bool) -> AccessClaim:
    scheme, _, rest = header.partition(" ")
    if scheme == V2:
        access_key, _, signature = rest.strip().rpartition(":")
        if not access_key or not signature:
            raise AuthorizationHeaderMalformed(
                "The authorization header has to be: AWS <access key>:<signature>"
            )
        return AccessClaim(access_key, V2, signature=signature)
    if lenient:
        found = _LENIENT.match(header)
        if found is None:
            raise AuthorizationHeaderMalformed(
                f"The authorization header has to begin: {V4} Credential=<user name>/"
            )
        return AccessClaim(found[1])
    if scheme != V4:
        raise AuthorizationHeaderMalformed(
            f"The authorization scheme is not supported. {_EXPECTED}"
        )
    parts: dict[str, str] = {}
    for part in rest.split(","):
        name, equals, value = part.strip(" \t").partition("=")
        if not equals or name in parts:
            raise AuthorizationHeaderMalformed(_EXPECTED)
        parts[name] = value
    if parts.keys() != {"Credential", "SignedHeaders", "Signature"}:
        raise AuthorizationHeaderMalformed(_EXPECTED)
    return _claim(
        parts["Credential"],
        parts["SignedHeaders"],
        parts["Signature"],
        False,
        AuthorizationHeaderMalformed,
    )


def _claim(
    credential: str,
    signed_headers: str,
    signature: str,
    presigned: bool,
    error: type[S3Error],
) -> AccessClaim:
    found = _CREDENTIAL.fullmatch(credential)
    if found is None:
        raise error("The credential has to be: <access key>/<yyyymmdd>/<region>/s3/aws4_request")
    if not _SIGNED_HEADERS.fullmatch(signed_headers):
        raise error("SignedHeaders has to be a list of lower-case names, separated by semicolons.")
    if not _SIGNATURE.fullmatch(signature):
        raise error("The signature has to be 64 lower-case hex digits.")
    access_key, date, region, service = found.groups()
    return AccessClaim(
        access_key,
        V4,
        presigned,
        date,
        region,
        service,
        tuple(signed_headers.split(";")),
        signature,
    )


def _from_query(query: Mapping[str, str], lenient: bool) -> AccessClaim:
    if query.get("x-amz-algorithm") != V4:
        raise AuthorizationQueryParametersError(f"X-Amz-Algorithm only supports {V4}.")
    if lenient:
        access_key, slash, _ = query.get("x-amz-credential", "").partition("/")
        if not access_key or not slash:
            raise AuthorizationQueryParametersError("X-Amz-Credential has to begin: <user name>/")
        return AccessClaim(access_key, presigned=True)
    names = ("credential", "date", "expires", "signedheaders", "signature")
    if any("x-amz-" + name not in query for name in names):
        raise AuthorizationQueryParametersError(
            "A presigned query needs X-Amz-Algorithm, X-Amz-Credential, X-Amz-Date, X-Amz-Expires, "
            "X-Amz-SignedHeaders and X-Amz-Signature."
        )
    if not _TIME.fullmatch(query["x-amz-date"]):
        raise AuthorizationQueryParametersError("X-Amz-Date has to be: yyyymmddThhmmssZ")
    expires = query["x-amz-expires"]
    if not re.fullmatch("[0-9]{1,9}", expires) or int(expires) > MAX_EXPIRES:
        raise AuthorizationQueryParametersError(
            f"X-Amz-Expires has to be a number of seconds, at most {MAX_EXPIRES} (a week)."
        )
    return _claim(
        query["x-amz-credential"],
        query["x-amz-signedheaders"],
        query["x-amz-signature"],
        True,
        AuthorizationQueryParametersError,
    )


def _from_v2_query(query: Mapping[str, str], lenient: bool) -> AccessClaim:
    access_key, signature = query["awsaccesskeyid"], query.get("signature", "")
    if not access_key or not (lenient or (signature and query.get("expires", "").isdecimal())):
        raise AccessDenied(
            "A query signed with version 2 needs AWSAccessKeyId, Expires and Signature."
        )
    return AccessClaim(access_key, V2, presigned=True, signature=signature)
