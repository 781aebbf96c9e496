"""The door: a request goes in, a caller or an S3 error comes out.

It is ``twisted.cred``'s: a :class:`~twisted.cred.portal.Portal` with checkers for
:class:`~s3daemon.auth.credentials.ISignedRequest`, and a realm whose avatars are callers.  A
further way to prove who one is, is a further checker; nothing else changes.  A request without a
claim is anonymous, and refused unless a checker for that is among them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from twisted.cred.checkers import ANONYMOUS
from twisted.cred.credentials import Anonymous, ICredentials
from twisted.cred.error import LoginFailed, UnhandledCredentials
from twisted.cred.portal import IRealm, Portal
from twisted.internet.defer import Deferred, fail
from twisted.python.failure import Failure
from zope.interface import Interface, implementer

from s3daemon.auth.caller import Caller, ICaller
from s3daemon.auth.credentials import SignedRequest
from s3daemon.auth.identity import NOBODY, Identity
from s3daemon.auth.users import Directory
from s3daemon.wire.authorization import parse_claim
from s3daemon.wire.claim import V2, AccessClaim
from s3daemon.wire.errors import AccessDenied, AuthorizationHeaderMalformed, S3Error
from s3daemon.wire.message import Personality, S3Request


@implementer(IRealm)
class Realm:
    """Gives the caller for an avatar id.

    The id is ``ANONYMOUS``; or a :class:`Caller`; or an :class:`Identity`, which says nothing about
    the body; or, from a checker that is not ours, a name: the canonical id of a user we know, or of
    one we learn of now.
    """

    def __init__(self, directory: Directory) -> None:
        self._directory = directory

    def requestAvatar(
        self,
        avatarId: Caller | Identity | bytes | str | tuple[()],
        mind: object,
        *interfaces: type[Interface],
    ) -> tuple[type[Interface], Caller, Callable[[], None]]:
        """See :class:`IRealm`.

        :raises NotImplementedError: an avatar other than :class:`ICaller` is asked for, or the
            checker let somebody in without a name.
        """
        if ICaller not in interfaces:
            raise NotImplementedError("there are only callers here")
        if avatarId is ANONYMOUS:
            return ICaller, Caller(NOBODY), _logout
        if not avatarId:
            raise NotImplementedError("a checker has let somebody in without a name")
        if isinstance(avatarId, Caller):
            return ICaller, avatarId, _logout
        if isinstance(avatarId, Identity):
            return ICaller, Caller(avatarId), _logout
        name = avatarId.decode("utf-8") if isinstance(avatarId, bytes) else avatarId
        identity = self._directory.by_id(name) or Identity(name, name, name)
        return ICaller, Caller(identity), _logout


def _logout() -> None:
    """Nothing is kept for a caller between two requests."""


class Authenticator:
    """Asks the portal who sends a request.

    :param lenient: claims are read for the name in them only, because nobody verifies the rest.
    """

    def __init__(self, portal: Portal, lenient: bool) -> None:
        self._portal = portal
        self._lenient = lenient

    def __call__(
        self, request: S3Request, target: bytes, fields: Sequence[tuple[bytes, bytes]]
    ) -> Deferred[Caller]:
        """Who sends this request.

        Fails with an :class:`S3Error`: AccessDenied, what is wrong with the claim, or what a
        checker says.
        """
        try:
            claim = self._claim(request)
        except S3Error as error:
            return fail(error)
        credentials: ICredentials = (
            Anonymous() if claim is None else SignedRequest(request, target, fields, claim)
        )
        return self._portal.login(credentials, None, ICaller).addCallbacks(_caller, _refuse)

    def _claim(self, request: S3Request) -> AccessClaim | None:
        claim = parse_claim(request, lenient=self._lenient)
        # The Alluxio proxy reads a header of version 4 or a presigned query, and nothing else.
        if request.personality is Personality.ALLUXIO and (
            claim is None or (self._lenient and claim.scheme == V2 and not claim.presigned)
        ):
            raise AuthorizationHeaderMalformed
        return claim


def _caller(avatar: tuple[type[Interface], Caller, object]) -> Caller:
    return avatar[1]


def _refuse(failure: Failure) -> Failure:
    """A checker that refuses in ``twisted.cred``'s words."""
    if isinstance(failure.value, LoginFailed | UnhandledCredentials):
        raise AccessDenied from failure.value
    return failure
