"""Where the keys come from that signatures are verified with.

A signing key is what version 4 derives from a secret for one day, region and service (S3 API
reference, "Signature calculations", task 3).  Who gives out signing keys need not give out secrets,
so a service elsewhere can be asked for them.
"""

from __future__ import annotations

import attrs
from twisted.internet.defer import Deferred
from zope.interface import Interface

from s3daemon.auth.identity import Identity


@attrs.frozen
class SigningKey:
    """A key, and who signs with it.

    :ivar key: 32 bytes.
    """

    identity: Identity
    key: bytes = attrs.field(repr=False)


class ISigningKeys(Interface):
    """A source of signing keys."""

    def find(
        access_key: str, date: str, region: str, service: str
    ) -> SigningKey | Deferred[SigningKey]:
        """The signing key of an access key for one scope, at once or later.

        It is asked for every request, on the reactor's thread: it must not block, and does well to
        remember.

        :param date: ``yyyymmdd``; near to now for requests, up to a week old for presigned URLs.
            Whoever asks has checked it against the clock.
        :raises s3daemon.wire.errors.InvalidAccessKeyId: there is no such key, or it may not be used
            (any more).
        :raises s3daemon.wire.errors.ServiceUnavailable: it cannot be told now.  Either may as well
            be what the Deferred fails with.
        """
