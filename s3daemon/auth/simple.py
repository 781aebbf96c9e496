"""Mode simple: the access key is the user's name, and nothing is verified.

It is what the Alluxio proxy does, and right only where everybody who can reach the port may be
anybody: behind an authenticating proxy, or on the loopback address.
"""

from __future__ import annotations

from collections.abc import Callable

from twisted.cred.checkers import ICredentialsChecker
from zope.interface import implementer

from s3daemon.auth.credentials import ISignedRequest
from s3daemon.auth.identity import Identity
from s3daemon.auth.users import Directory
from s3daemon.wire.errors import InvalidAccessKeyId


@implementer(ICredentialsChecker)
class SimpleChecker:
    """Takes everybody at their word.

    An access key that the directory knows stands for its user; any other is a user of that name.

    :param clock: seconds since the epoch.
    """

    credentialInterfaces = (ISignedRequest,)

    def __init__(self, directory: Directory, clock: Callable[[], float]) -> None:
        self._directory = directory
        self._clock = clock

    # twisted.cred says bytes in a Deferred; its portal takes any value that the realm understands,
    # and a value at once costs a request less.
    def requestAvatarId(self, credentials: ISignedRequest) -> Identity:  # type: ignore[override]
        """The identity itself: at once, and without asking anybody.

        :raises InvalidAccessKeyId: the key is somebody's, and may not be used (any more).
        """
        access_key = credentials.claim.access_key
        found = self._directory.find(access_key)
        if found is None:
            return Identity(access_key, access_key, access_key)
        user, key = found
        if not user.enabled or not key.usable(self._clock()):
            raise InvalidAccessKeyId
        return user.identity
