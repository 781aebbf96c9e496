"""When a request was signed, and whether that is near enough to now.

Source: S3 API reference, "Authenticating requests (AWS signature version 4)"; "Error responses".
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from s3daemon.wire import dates
from s3daemon.wire.claim import V4, AccessClaim
from s3daemon.wire.errors import AccessDenied, RequestTimeTooSkewed

#: How RFC 5322 writes GMT, as clients of version 2 do.
_OTHER_ZONES = re.compile(r" ([+-]0000|UTC?)\Z")

#: Seconds that the clocks of client and server may be apart.
MAX_SKEW = 15 * 60


def request_date(headers: Mapping[str, str]) -> tuple[str, int]:
    """When the request was signed: x-amz-date if it is sent, else Date; as sent, and in seconds.

    :raises AccessDenied: neither is there, or it is no date.
    """
    sent = headers.get("x-amz-date")
    if sent is None:
        sent = headers.get("date", "")
    time = dates.parse_basic(sent)
    if time is None:
        time = dates.parse_http_date(_OTHER_ZONES.sub(" GMT", sent))
    if time is None or time < 0:
        raise AccessDenied("AWS authentication requires a valid Date or x-amz-date header")
    return sent, time


def check_time(claim: AccessClaim, now: float) -> None:
    """Refuse a request that was signed too long ago, or ahead of time.

    :param claim: read strictly.
    :param now: seconds since the epoch.
    :raises RequestTimeTooSkewed: of a header.
    :raises AccessDenied: of a presigned URL.
    """
    if claim.expires is not None:
        _check_expiry(claim, claim.time or 0, claim.expires, now)
    elif abs(now - (claim.time or 0)) > MAX_SKEW:
        raise RequestTimeTooSkewed(
            detail={
                "RequestTime": claim.signed_at,
                "ServerTime": dates.iso8601_seconds(now),
                "MaxAllowedSkewMilliseconds": str(MAX_SKEW * 1000),
            }
        )


def _check_expiry(claim: AccessClaim, time: int, expires: int, now: float) -> None:
    detail = {
        "Expires": dates.iso8601_seconds(max(time + expires, 0)),
        "ServerTime": dates.iso8601_seconds(now),
    }
    if time - now > MAX_SKEW:
        raise AccessDenied(
            "Request is not yet valid", detail={"X-Amz-Date": str(time * 1000)} | detail
        )
    if now >= time + expires:
        if claim.scheme == V4:
            detail = {"X-Amz-Expires": str(expires)} | detail
        raise AccessDenied("Request has expired", detail=detail)
