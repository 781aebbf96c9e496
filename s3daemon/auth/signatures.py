"""Mode sigv4: whoever signs with a key is the key's user; everybody else stays out."""

from __future__ import annotations

import functools
from collections.abc import Callable

from twisted.cred.checkers import ICredentialsChecker
from twisted.internet.defer import Deferred
from zope.interface import implementer

from s3daemon.auth.caller import Caller
from s3daemon.auth.credentials import ISignedRequest
from s3daemon.auth.signing_keys import ISecrets, ISigningKeys, SigningKey
from s3daemon.wire import sigv2, sigv4
from s3daemon.wire.claim import V2
from s3daemon.wire.errors import InvalidRequest
from s3daemon.wire.request_time import check_time


@implementer(ICredentialsChecker)
class SignatureChecker:
    """Verifies signatures of version 4, and of version 2 where that is wanted.

    :param region: the one that scopes have to name.
    :param now: the wall clock, in seconds.
    :param secrets: for version 2, which cannot be verified without; None: it is refused.
    """

    credentialInterfaces = (ISignedRequest,)

    def __init__(
        self,
        keys: ISigningKeys,
        region: str,
        now: Callable[[], float],
        secrets: ISecrets | None = None,
    ) -> None:
        self._keys = keys
        self._region = region
        self._now = now
        self._secrets = secrets

    # twisted.cred says bytes in a Deferred; its portal takes any value that the realm understands,
    # and a value at once costs a request less.
    def requestAvatarId(  # type: ignore[override]
        self, credentials: ISignedRequest
    ) -> Caller | Deferred[Caller]:
        """The caller, at once where the key is at hand.

        :raises s3daemon.wire.errors.S3Error: what S3 answers to what is wrong with the request.
        """
        claim = credentials.claim
        if claim.scheme == V2:
            return self._version_2(credentials)
        unverified = sigv4.examine(
            credentials.request,
            credentials.target,
            credentials.fields,
            claim,
            self._region,
            self._now(),
        )
        found = self._keys.find(claim.access_key, claim.date, claim.region, claim.service)
        if isinstance(found, Deferred):
            return found.addCallback(functools.partial(_verified, unverified))
        return _verified(unverified, found)

    def _version_2(self, credentials: ISignedRequest) -> Caller:
        if self._secrets is None:
            raise InvalidRequest(
                "The authorization mechanism you have provided is not supported. Please use "
                "AWS4-HMAC-SHA256."
            )
        claim = credentials.claim
        check_time(claim, self._now())
        sigv4.check_token(credentials.request.headers)
        identity, secret = self._secrets.secret(claim.access_key)
        sigv2.verify(credentials.request, credentials.target, claim, secret)
        return Caller(identity)


def _verified(unverified: sigv4.Unverified, found: SigningKey) -> Caller:
    return Caller(found.identity, sigv4.verify(unverified, found.key))
