"""Claims of signature version 4: what has to be there, and in which form.

Sources: S3 API reference, "Authenticating requests: using the Authorization header" and "... using
query parameters"; the order in which faults are named, and their words, are those of S3's answers.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Mapping

from s3daemon.wire import dates
from s3daemon.wire.claim import V4, AccessClaim
from s3daemon.wire.errors import (
    AuthorizationHeaderMalformed,
    AuthorizationQueryParametersError,
    InvalidArgument,
    InvalidRequest,
    S3Error,
)
from s3daemon.wire.request_time import request_date

#: A presigned URL is good for a week at most; in seconds.
MAX_EXPIRES = 7 * 24 * 3600

UNSIGNED = "UNSIGNED-PAYLOAD"
UNSIGNED_TRAILER = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
STREAMING = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
STREAMING_TRAILER = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"
_STREAMING_4A = (
    "STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD",
    "STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD-TRAILER",
)
_FORMS = (UNSIGNED, UNSIGNED_TRAILER, STREAMING, STREAMING_TRAILER, *_STREAMING_4A)
_SHA256 = re.compile(r"[0-9a-fA-F]{64}")

_HEADER_FAULT = "The authorization header is malformed; "
_QUERY_FAULT = "Error parsing the X-Amz-Credential parameter; "
_NAME = r"[!#$%&'*+.^_`|~0-9a-z-]+"
_SIGNED_HEADERS = re.compile(rf"{_NAME}(?:;{_NAME})*")
#: The three parts as nearly every client writes them.
_USUAL = re.compile(
    r"Credential=([^\s,=]+), ?SignedHeaders=([0-9a-z;-]+), ?Signature=([0-9a-f]{64})"
)
_DATE = re.compile("[0-9]{8}")
_NUMBER = re.compile("[+-]?[0-9]+")
_PARAMETERS = ("credential", "signature", "date", "signedheaders", "expires")


def check_payload_hash(value: str) -> None:
    """Refuse an x-amz-content-sha256 that is none of those S3 defines.

    :raises InvalidArgument:
    """
    if _SHA256.fullmatch(value) is None and value not in _FORMS:
        raise InvalidArgument(
            f"x-amz-content-sha256 must be {', '.join(_FORMS)} or a valid sha256 value.",
            detail={"ArgumentName": "x-amz-content-sha256", "ArgumentValue": value},
        )


def from_header(rest: str, headers: Mapping[str, str]) -> AccessClaim:
    """The claim of an Authorization header, which is ``rest`` after the name of the scheme.

    :param headers: of the request; the time and the hash of the body are among them.
    :raises InvalidRequest, InvalidArgument: x-amz-content-sha256 is missing, or no such value.
    :raises AccessDenied: there is no date, or it is none.
    :raises AuthorizationHeaderMalformed:
    """
    payload = headers.get("x-amz-content-sha256")
    if payload is None:
        raise InvalidRequest("Missing required header for this request: x-amz-content-sha256")
    check_payload_hash(payload)
    signed_at, time = request_date(headers)
    usual = _USUAL.fullmatch(rest)
    credential, names, signature = _three_parts(rest) if usual is None else usual.groups()
    return _claim(credential, names, signature, signed_at, time, None, AuthorizationHeaderMalformed)


def _three_parts(rest: str) -> tuple[str, str, str]:
    """Credential, SignedHeaders and Signature, in whatever order and with whatever besides."""
    parts: dict[str, str] = {}
    for part in rest.split(","):
        name, _, value = part.partition("=")
        parts.setdefault(name.strip(), value.strip())
    try:
        return parts["Credential"], parts["SignedHeaders"], parts["Signature"]
    except KeyError:
        raise AuthorizationHeaderMalformed(
            f"{_HEADER_FAULT}the authorization header requires three components: Credential, "
            "SignedHeaders, and Signature."
        ) from None


def from_query(query: Mapping[str, str]) -> AccessClaim:
    """The claim of a presigned URL.

    :param query: by lower-case name; ``x-amz-algorithm`` has been looked at.
    :raises AuthorizationQueryParametersError:
    """
    error = AuthorizationQueryParametersError
    if any("x-amz-" + name not in query for name in _PARAMETERS):
        raise error(
            "Query-string authentication version 4 requires the X-Amz-Algorithm, "
            "X-Amz-Credential, X-Amz-Signature, X-Amz-Date, X-Amz-SignedHeaders, and "
            "X-Amz-Expires parameters."
        )
    sent = query["x-amz-date"]
    time = dates.parse_basic(sent)
    if time is None:
        raise error("X-Amz-Date must be in the ISO8601 Long Format \"yyyyMMdd'T'HHmmss'Z'\"")
    expires = query["x-amz-expires"]
    if _NUMBER.fullmatch(expires) is None:
        raise error("X-Amz-Expires should be a number")
    # A number of any length: what is longer than seven digits is over a week or leading zeros.
    number = int(expires) if len(expires) <= 18 else MAX_EXPIRES + 1
    if expires.startswith("-") and expires.strip("-0"):
        raise error("X-Amz-Expires must be non-negative")
    if number > MAX_EXPIRES:
        raise error(
            "X-Amz-Expires must be less than a week (in seconds); that is, the given X-Amz-Expires "
            f"must be less than {MAX_EXPIRES} seconds"
        )
    return _claim(
        query["x-amz-credential"],
        query["x-amz-signedheaders"],
        query["x-amz-signature"],
        sent,
        time,
        number,
        error,
    )


def _claim(
    credential: str,
    names: str,
    signature: str,
    signed_at: str,
    time: int,
    expires: int | None,
    error: type[S3Error],
) -> AccessClaim:
    # The access key may hold slashes, so the scope is read from the end.
    parts = credential.rsplit("/", 4)
    fault = _fault_of(error)
    if len(parts) != 5:
        raise error(
            f"{fault}the Credential is mal-formed; expecting "
            '"<YOUR-AKID>/YYYYMMDD/REGION/SERVICE/aws4_request".'
        )
    access_key, date, region, service, terminal = parts
    if not access_key:
        raise error(f"{fault}a non-empty Access Key (AKID) must be provided in the credential.")
    if date != signed_at[:8] and not _is_date(date):
        raise error(
            f'{fault}incorrect date format "{date}". This date in the credential must be in the '
            'format "yyyyMMdd".'
        )
    if not region:
        raise error(f"{fault}a non-empty region must be provided in the credential.")
    if _SIGNED_HEADERS.fullmatch(names) is None:
        whose = _HEADER_FAULT if error is AuthorizationHeaderMalformed else "X-Amz-"
        raise error(
            f"{whose}SignedHeaders has to be a list of lower-case names, separated by semicolons."
        )
    return AccessClaim(
        access_key,
        V4,
        expires is not None,
        date,
        region,
        service,
        terminal,
        tuple(names.split(";")),
        signature,
        signed_at,
        time,
        expires,
    )


def check_scope(claim: AccessClaim, region: str) -> None:
    """Refuse a credential scope that is not for this place, or not for the day of the request.

    :param region: the one that is served here.
    :raises AuthorizationHeaderMalformed, AuthorizationQueryParametersError:
    """
    # The beginning of an HTTP date is no day of a scope, so this holds for the basic form only.
    same_day = claim.date == claim.signed_at[:8] or claim.date == dates.basic(claim.time or 0)[:8]
    if (
        claim.region == region
        and claim.service == "s3"
        and claim.terminal == "aws4_request"
        and same_day
    ):
        return
    error: type[S3Error] = (
        AuthorizationQueryParametersError if claim.presigned else AuthorizationHeaderMalformed
    )
    fault = _fault_of(error)
    if claim.region != region:
        raise error(
            f"{fault}the region '{claim.region}' is wrong; expecting '{region}'",
            detail={"Region": region},
        )
    if claim.service != "s3":
        raise error(f'{fault}incorrect service "{claim.service}". This endpoint belongs to "s3".')
    if claim.terminal != "aws4_request":
        raise error(
            f'{fault}incorrect terminal "{claim.terminal}". This endpoint uses "aws4_request".'
        )
    if claim.presigned:
        raise error(
            f'Invalid credential date "{claim.date}". This date is not the same as X-Amz-Date: '
            f'"{claim.signed_at[:8]}".'
        )
    raise error(f"{fault}Invalid credential date. Date is not the same as X-Amz-Date.")


def _fault_of(error: type[S3Error]) -> str:
    return _HEADER_FAULT if error is AuthorizationHeaderMalformed else _QUERY_FAULT


def _is_date(text: str) -> bool:
    if _DATE.fullmatch(text) is None:
        return False
    try:
        datetime.date(int(text[:4]), int(text[4:6]), int(text[6:]))
    except ValueError:
        return False
    return True
