"""The door: a request goes in, an identity or an S3 error comes out.

It is ``twisted.cred``'s: a :class:`~twisted.cred.portal.Portal` with checkers for
:class:`~s3daemon.auth.credentials.ISignedRequest`, and a realm whose avatars are identities.  A
further way to prove who one is, is a further checker; nothing else changes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from twisted.cred.error import LoginFailed, UnhandledCredentials
from twisted.cred.portal import IRealm, Portal
from twisted.internet.defer import Deferred, fail
from twisted.python.failure import Failure
from zope.interface import Interface, implementer

from s3daemon.auth.credentials import SignedRequest
from s3daemon.auth.identity import Identity, IIdentity
from s3daemon.auth.users import Directory
from s3daemon.wire import authorization
from s3daemon.wire.errors import AccessDenied, AuthorizationHeaderMalformed, S3Error
from s3daemon.wire.message import Personality, S3Request


@implementer(IRealm)
class Realm:
    """Gives the identity for an avatar id.

    The id is an :class:`Identity`, or, from a checker that is not ours, a name: the canonical id
    of a user we know, or of one we learn of now.
    """

    def __init__(self, directory: Directory) -> None:
        self._directory = directory

    def requestAvatar(  # type: ignore[override]  # the id is a value here, see above
        self, avatarId: Identity | bytes | str, mind: object, *interfaces: type[Interface]
    ) -> tuple[type[Interface], Identity, Callable[[], None]]:
        """See :class:`IRealm`.

        :raises NotImplementedError: an avatar other than :class:`IIdentity` is asked for, or the
            checker let somebody in without a name.
        """
        if IIdentity not in interfaces or not avatarId:
            raise NotImplementedError("there are only identities here, and nobody is anonymous")
        if isinstance(avatarId, Identity):
            return IIdentity, avatarId, _logout
        name = avatarId.decode("utf-8") if isinstance(avatarId, bytes) else avatarId
        return IIdentity, self._directory.by_id(name) or Identity(name, name, name), _logout


def _logout() -> None:
    """Nothing is kept for an identity between two requests."""


class Authenticator:
    """Asks the portal who sends a request.

    :param lenient: claims are read for the name in them only, because nobody verifies the rest.
    """

    def __init__(self, portal: Portal, lenient: bool) -> None:
        self._portal = portal
        self._lenient = lenient

    def __call__(
        self, request: S3Request, target: bytes, fields: Sequence[tuple[bytes, bytes]]
    ) -> Deferred[Identity]:
        """Who sends this request.

        Fails with an :class:`S3Error`: AccessDenied, AuthorizationHeaderMalformed,
        AuthorizationQueryParametersError, or what a checker says.
        """
        try:
            claim = self._claim(request)
        except S3Error as error:
            return fail(error)
        return self._portal.login(
            SignedRequest(request, target, fields, claim), None, IIdentity
        ).addCallbacks(_identity, _refuse)

    def _claim(self, request: S3Request) -> authorization.AccessClaim:
        claim = authorization.parse_claim(request, lenient=self._lenient)
        if request.personality is Personality.ALLUXIO and (
            claim is None or (claim.scheme == authorization.V2 and not claim.presigned)
        ):
            raise AuthorizationHeaderMalformed
        if claim is None:
            raise AccessDenied
        return claim


def _identity(avatar: tuple[type[Interface], Identity, object]) -> Identity:
    return avatar[1]


def _refuse(failure: Failure) -> Failure:
    """A checker that refuses in ``twisted.cred``'s words."""
    if isinstance(failure.value, LoginFailed | UnhandledCredentials):
        raise AccessDenied from failure.value
    return failure
