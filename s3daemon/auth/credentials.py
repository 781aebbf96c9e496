"""What a request brings to prove who sends it, as ``twisted.cred`` passes it to a checker."""

from __future__ import annotations

from collections.abc import Sequence

import attrs
from twisted.cred.credentials import ICredentials
from zope.interface import Attribute, implementer

from s3daemon.wire.claim import AccessClaim
from s3daemon.wire.message import S3Request


class ISignedRequest(ICredentials):
    """A request and the claim in it.  Nothing has been verified."""

    request: S3Request = Attribute("S3Request: the head, decoded.")
    target: bytes = Attribute("bytes: the target as it was sent; signatures are made over it.")
    fields: Sequence[tuple[bytes, bytes]] = Attribute(
        "Sequence[tuple[bytes, bytes]]: header fields as sent, names in lower case."
    )
    claim: AccessClaim = Attribute("AccessClaim: who the request says it is from.")


@implementer(ISignedRequest)
@attrs.frozen
class SignedRequest:
    """See :class:`ISignedRequest`.  The signature is not shown."""

    request: S3Request
    target: bytes = attrs.field(repr=False)
    fields: Sequence[tuple[bytes, bytes]] = attrs.field(repr=False)
    claim: AccessClaim
