"""Keys of a service: asked for once, remembered for a while, and nobody gets in without."""

from __future__ import annotations

from typing import Any

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.logger import LogLevel, capturedLogs
from twisted.python.failure import Failure
from zope.interface.verify import verifyObject

from s3daemon.auth.identity import Identity
from s3daemon.auth.signing_keys import ISigningKeys, SigningKey
from s3daemon.checkers import http_keys
from s3daemon.checkers.http_keys import HttpKeys, ServiceFailed
from s3daemon.checkers.http_protocol import Found, Scope
from s3daemon.wire.errors import InvalidAccessKeyId, ServiceUnavailable, SlowDown

KEEP, KEEP_UNKNOWN = 60.0, 10.0


def key(name: str = "alice") -> SigningKey:
    return SigningKey(Identity(name, name, name), b"k" * 32)


class Service:
    """Keys of a service that answers when it is told to."""

    def __init__(self, keep: float = KEEP, keep_unknown: float = KEEP_UNKNOWN) -> None:
        self.clock = Clock()
        self.asked: list[tuple[Scope, Deferred[Found | None]]] = []
        self.keys = HttpKeys(self._ask, self.clock.seconds, keep, keep_unknown, 3)

    def _ask(self, scope: Scope) -> Deferred[Found | None]:
        self.asked.append((scope, Deferred()))
        return self.asked[-1][1]

    def find(self, access_key: str = "AK", date: str = "20260131") -> list[Any]:
        """What comes out, as soon as it does."""
        got: list[Any] = []
        try:
            found = self.keys.find(access_key, date, "us-east-1", "s3")
        except Exception as error:
            return [error]
        if isinstance(found, SigningKey):
            return [found]
        found.addBoth(lambda r: got.append(r.value if isinstance(r, Failure) else r))
        return got

    def answer(self, result: Any) -> None:
        """The next question that waits is answered."""
        _, done = next(asked for asked in self.asked if not asked[1].called)
        if isinstance(result, Exception):
            done.errback(result)
        else:
            done.callback(result)


def types(got: list[Any]) -> list[type[Any]]:
    return [type(one) for one in got]


def test_interface() -> None:
    assert verifyObject(ISigningKeys, Service().keys)


def test_a_key_is_asked_for_once_and_remembered() -> None:
    service = Service()
    first, second = service.find(), service.find()
    assert first == second == []
    service.answer(Found(key()))
    assert first == second == [key()]
    service.clock.advance(KEEP - 0.1)
    assert service.find() == [key()]
    assert [scope for scope, _ in service.asked] == [Scope("AK", "20260131", "us-east-1", "s3")]
    service.clock.advance(0.1)
    assert service.find() == []
    assert len(service.asked) == 2


def test_another_day_is_another_key() -> None:
    service = Service()
    service.find()
    service.answer(Found(key()))
    assert service.find(date="20260201") == []


@pytest.mark.parametrize(("lasts", "until"), [(5.0, 5.0), (KEEP * 2, KEEP)])
def test_the_service_may_say_how_long(lasts: float, until: float) -> None:
    service = Service()
    service.find()
    service.answer(Found(key(), lasts))
    service.clock.advance(until - 0.1)
    assert service.find() == [key()]
    service.clock.advance(0.1)
    assert service.find() == []


@pytest.mark.parametrize("lasts", [0.0, None])
def test_a_key_that_may_not_be_remembered(lasts: float | None) -> None:
    service = Service(keep=KEEP if lasts == 0 else 0)
    got = service.find()
    service.answer(Found(key(), lasts))
    assert got == [key()]
    assert service.find() == []


def test_a_key_that_is_not_there_is_not_asked_for_again_for_a_while() -> None:
    service = Service()
    got = service.find()
    service.answer(None)
    assert types(got) == [InvalidAccessKeyId]
    assert got[0].detail == {"AWSAccessKeyId": "AK"}
    assert types(service.find(date="20260201")) == [InvalidAccessKeyId]
    assert len(service.asked) == 1
    service.clock.advance(KEEP_UNKNOWN)
    assert service.find() == []
    service.answer(Found(key()))
    assert service.find() == [key()], "a key that has come is a key"


def test_a_service_that_fails_lets_nobody_in_and_is_asked_again() -> None:
    service = Service()
    first, second = service.find(), service.find()
    with capturedLogs() as events:
        service.answer(ServiceFailed("no answer"))
        third = service.find()
        service.answer(ServiceFailed("no answer"))
        fourth = service.find()
        service.answer(None)
    for got in (first, second, third):
        assert types(got) == [ServiceUnavailable]
    assert first[0] is not second[0]
    assert types(fourth) == [InvalidAccessKeyId]
    assert [event["log_level"] for event in events] == [LogLevel.error, LogLevel.info], "once each"


def test_a_key_that_is_remembered_outlives_a_failure_and_no_longer() -> None:
    service = Service()
    service.find()
    service.answer(Found(key()))
    service.find("OTHER")
    service.answer(ServiceFailed("down"))
    assert service.find() == [key()]
    service.clock.advance(KEEP)
    got = service.find()
    service.answer(ServiceFailed("down"))
    assert types(got) == [ServiceUnavailable]


def test_a_bug_lets_nobody_in() -> None:
    service = Service()
    got = service.find()
    service.answer(ZeroDivisionError())
    assert types(got) == [ZeroDivisionError]


def test_questions_under_way_are_bounded() -> None:
    service = Service()
    waiting = [service.find(f"AK{number}") for number in range(3)]
    assert types(service.find("AK3")) == [SlowDown]
    assert service.find("AK2") == [], "who waits for the same needs no question"
    service.answer(None)
    assert service.find("AK3") == []
    assert types(waiting[0]) == [InvalidAccessKeyId]


def test_made_up_keys_drive_out_no_real_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_keys, "REMEMBERED", 4)
    service = Service()
    service.find()
    service.answer(Found(key()))
    for number in range(20):
        service.find(f"MADE-UP-{number}")
        service.answer(None)
    assert service.find() == [key()]


@pytest.mark.parametrize("access_key", ["", "x" * 257, "a\nb"])
def test_what_can_be_no_key_is_not_asked_for(access_key: str) -> None:
    service = Service()
    assert types(service.find(access_key)) == [InvalidAccessKeyId]
    assert service.asked == []


def test_one_who_gives_up_keeps_nobody_else_waiting() -> None:
    service = Service()
    one = service.keys.find("AK", "20260131", "us-east-1", "s3")
    assert isinstance(one, Deferred)
    one.addErrback(lambda failure: None)
    other = service.find()
    one.cancel()
    service.answer(Found(key()))
    assert other == [key()]
