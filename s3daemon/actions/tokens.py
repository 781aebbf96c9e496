"""Continuation tokens: where a listing goes on, for any gateway and at any later time.

A token is the last name of the page with a short digest before it, in URL-safe base64.  It is no
secret and guards nothing, since its holder may ask for any place with ``start-after`` too; the
digest only tells a token from text that is none.
"""

from __future__ import annotations

import base64
import binascii
import hashlib

from s3daemon.wire import errors

_DIGEST = 6


def encode(after: str) -> str:
    """The token of the page after ``after``."""
    name = after.encode("utf-8", "surrogatepass")
    return base64.urlsafe_b64encode(_digest(name) + name).decode("ascii").rstrip("=")


def decode(token: str) -> str:
    """What :func:`encode` was given.

    :raises errors.InvalidArgument: it never made this token.
    """
    try:
        raw = base64.b64decode(
            token.encode("ascii") + b"=" * (-len(token) % 4), altchars=b"-_", validate=True
        )
        if raw[:_DIGEST] != _digest(raw[_DIGEST:]):
            raise ValueError
        after = raw[_DIGEST:].decode("utf-8", "surrogatepass")
    except (ValueError, binascii.Error):
        raise errors.InvalidArgument(
            "The continuation token provided is incorrect",
            detail={"ArgumentName": "continuation-token"},
        ) from None
    return after


def _digest(name: bytes) -> bytes:
    return hashlib.blake2b(name, digest_size=_DIGEST, person=b"list-token").digest()
