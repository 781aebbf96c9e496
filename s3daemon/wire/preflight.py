"""What a browser asks before it sends a request to another origin: OPTIONS.

Source: S3 API reference, "OPTIONS object"; Fetch standard, "CORS-preflight fetch".  A preflight is
never signed, so the answer must not depend on who asks, nor on what there is.
"""

from __future__ import annotations

from s3daemon.wire.errors import AccessForbidden, BadRequest, S3Error
from s3daemon.wire.message import S3Request


def refusal(request: S3Request) -> S3Error:
    """Why this OPTIONS is refused: no bucket allows other origins."""
    if not request.headers.get("origin"):
        return BadRequest("Insufficient information. Origin request header needed.")
    if not request.headers.get("access-control-request-method"):
        return BadRequest("Invalid Access-Control-Request-Method: null")
    return AccessForbidden("CORSResponse: CORS is not enabled for this bucket.")
