"""Where the keys come from that signatures are verified with.

A signing key is what version 4 derives from a secret for one day, region and service (S3 API
reference, "Signature calculations", task 3).  Who gives out signing keys need not give out secrets,
so a service elsewhere can be asked for them.
"""

from __future__ import annotations

from collections.abc import Callable

import attrs
from twisted.internet.defer import Deferred
from zope.interface import Interface, implementer

from s3daemon.auth.identity import Identity
from s3daemon.auth.users import Directory, Key, User
from s3daemon.wire.errors import InvalidAccessKeyId
from s3daemon.wire.sigv4 import signing_key


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


class ISecrets(Interface):
    """A source of secrets, for what cannot be verified without: signatures of version 2."""

    def secret(access_key: str) -> tuple[Identity, str]:
        """Whose access key it is, and the secret that belongs to it.

        :raises s3daemon.wire.errors.InvalidAccessKeyId: there is no such key, or it may not be used
            (any more).
        """


#: Derived keys that are remembered: a day of this many access keys, about a megabyte.
REMEMBERED = 4096


@implementer(ISigningKeys, ISecrets)
class LocalKeys:
    """Keys derived from the secrets of users we know.

    Deriving one takes four HMACs, so it is remembered for its scope; what is remembered of a key
    that was replaced or removed in the directory counts no more.

    :param now: the wall clock, in seconds: keys expire.
    """

    def __init__(self, directory: Directory, now: Callable[[], float]) -> None:
        self._directory = directory
        self._now = now
        self._derived: dict[tuple[str, str, str, str], tuple[Key, bytes]] = {}

    def find(self, access_key: str, date: str, region: str, service: str) -> SigningKey:
        """See :class:`ISigningKeys`; at once."""
        user, key = self._usable(access_key)
        scope = access_key, date, region, service
        known = self._derived.get(scope)
        if known is None or known[0] is not key:
            known = key, signing_key(key.secret_key, date, region, service)
            if len(self._derived) >= REMEMBERED:
                del self._derived[next(iter(self._derived))]
            self._derived[scope] = known
        return SigningKey(user.identity, known[1])

    def secret(self, access_key: str) -> tuple[Identity, str]:
        """See :class:`ISecrets`."""
        user, key = self._usable(access_key)
        return user.identity, key.secret_key

    def _usable(self, access_key: str) -> tuple[User, Key]:
        found = self._directory.find(access_key)
        if found is not None:
            user, key = found
            if user.enabled and key.usable(self._now()):
                return user, key
        # The same words in every case: who guesses learns nothing about keys that were.
        raise InvalidAccessKeyId(detail={"AWSAccessKeyId": access_key})
