"""Signing keys of a service elsewhere: each asked for once, remembered for a while."""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from s3daemon.auth.signing_keys import ISigningKeys, SigningKey
from s3daemon.auth.user_tables import is_text
from s3daemon.checkers.http_protocol import Found, Scope
from s3daemon.checkers.remembered import Remembered
from s3daemon.wire.errors import InvalidAccessKeyId, ServiceUnavailable, SlowDown

#: Keys that are remembered, and as many that are not there.
REMEMBERED = 4096


class ServiceFailed(Exception):
    """The service gave no answer that could be used.  Its text says why, and shows no secret."""


@implementer(ISigningKeys)
class HttpKeys:
    """What the service says is remembered, good or bad; when it says nothing, nobody gets in.

    Keys that are not there have a room of their own, so that whoever makes them up drives out no
    key that is there.

    :param ask: asks the service; None where there is no such key, and fails with
        :class:`ServiceFailed`.
    :param now: a clock, in seconds.
    :param keep: seconds for which a key is good without asking again.
    :param keep_unknown: seconds for which a key that is not there is not asked for again.
    :param at_once: questions under way; further ones are refused with SlowDown.
    """

    def __init__(
        self,
        ask: Callable[[Scope], Deferred[Found | None]],
        now: Callable[[], float],
        keep: float,
        keep_unknown: float,
        at_once: int,
    ) -> None:
        self._ask = ask
        self._keep = keep
        self._keep_unknown = keep_unknown
        self._at_once = at_once
        self._known: Remembered[Scope, SigningKey] = Remembered(REMEMBERED, now)
        self._unknown: Remembered[str, bool] = Remembered(REMEMBERED, now)
        self._waiting: dict[Scope, list[Deferred[SigningKey]]] = {}
        self._down = False
        self._log = Logger(namespace="s3daemon.checker.http")

    def find(
        self, access_key: str, date: str, region: str, service: str
    ) -> SigningKey | Deferred[SigningKey]:
        """See :class:`ISigningKeys`.

        :raises SlowDown: too many are being asked for.
        """
        scope = Scope(access_key, date, region, service)
        known = self._known.get(scope)
        if known is not None:
            return known
        if self._unknown.get(access_key) or not is_text(access_key):
            raise _unknown(access_key)
        done: Deferred[SigningKey] = Deferred()
        if scope in self._waiting:
            self._waiting[scope].append(done)
            return done
        if len(self._waiting) >= self._at_once:
            raise SlowDown
        self._waiting[scope] = [done]
        self._ask(scope).addBoth(self._answered, scope).addErrback(
            lambda failure: self._log.failure("an answer was lost", failure)
        )
        return done

    def _answered(self, result: Found | Failure | None, scope: Scope) -> None:
        waiting = self._waiting.pop(scope)
        if isinstance(result, Failure):
            self._failed(result, waiting)
            return
        if self._down:
            self._down = False
            self._log.info("the key service answers again")
        if result is None:
            self._unknown.put(scope.access_key, True, self._keep_unknown)
            for done in waiting:
                done.errback(_unknown(scope.access_key))
            return
        lasts = self._keep if result.lasts is None else min(self._keep, result.lasts)
        self._known.put(scope, result.key, lasts)
        for done in waiting:
            done.callback(result.key)

    def _failed(self, failure: Failure, waiting: list[Deferred[SigningKey]]) -> None:
        if not failure.check(ServiceFailed):
            for done in waiting:
                done.errback(failure)
            return
        if not self._down:
            # Once: the requests that are refused meanwhile are in the access log.
            self._down = True
            self._log.error(
                "the key service fails, and whoever needs it is refused: {reason}",
                reason=failure.value,
            )
        for done in waiting:
            done.errback(ServiceUnavailable())


def _unknown(access_key: str) -> InvalidAccessKeyId:
    return InvalidAccessKeyId(detail={"AWSAccessKeyId": access_key})
