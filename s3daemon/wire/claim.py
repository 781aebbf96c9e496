"""What a request says about its sender, in whichever way it was signed."""

from __future__ import annotations

import attrs

V4 = "AWS4-HMAC-SHA256"
V4A = "AWS4-ECDSA-P256-SHA256"
V2 = "AWS"


@attrs.frozen
class AccessClaim:
    """What a request says about its sender.  Nothing is verified here.

    What follows ``presigned`` is "", None or empty where the scheme has no such thing or the claim
    was read leniently.

    :ivar scheme: :data:`V4` or :data:`V2`.
    :ivar presigned: it came in the query.
    :ivar date: of the credential scope, as sent: ``yyyymmdd``.
    :ivar terminal: the end of the credential scope; ``aws4_request``.
    :ivar signed_headers: lower-case names, in the order given.
    :ivar signature: hex for version 4, base64 for version 2.
    :ivar signed_at: the date and time of the request, as sent.
    :ivar time: the same in seconds since the epoch.
    :ivar expires: of a presigned query: seconds after ``time`` for version 4, seconds since the
        epoch for version 2.
    """

    access_key: str
    scheme: str = V4
    presigned: bool = False
    date: str = ""
    region: str = ""
    service: str = ""
    terminal: str = ""
    signed_headers: tuple[str, ...] = ()
    signature: str = attrs.field(default="", repr=False)
    signed_at: str = ""
    time: int | None = None
    expires: int | None = None
