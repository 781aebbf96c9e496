"""The checker of mode sigv4, behind the door: who comes in, and with what."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest
from twisted.cred.checkers import ICredentialsChecker
from twisted.cred.portal import Portal
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure
from zope.interface import implementer
from zope.interface.verify import verifyObject

from s3daemon.auth.caller import Caller
from s3daemon.auth.credentials import SignedRequest
from s3daemon.auth.identity import Identity
from s3daemon.auth.portal import Authenticator, Realm
from s3daemon.auth.signatures import SignatureChecker
from s3daemon.auth.signing_keys import ISigningKeys, LocalKeys, SigningKey
from s3daemon.auth.users import Directory, Key, User
from s3daemon.wire import errors, sigv4
from s3daemon.wire.authorization import parse_claim
from s3daemon.wire.message import Payload, Personality
from s3daemon.wire.target import Endpoint, request_from
from tests.support.signing import Signer, signature_of

ALICE = Identity("0f3a", "alice", "Alice A.")
BOB = Identity("0f3b", "bob", "Bob B.")
SIGNER = Signer()
USERS = [
    User(ALICE, {SIGNER.access_key: Key(SIGNER.secret_key)}),
    User(BOB, {"BOB": Key("b"), "OLD": Key("o", active=False)}),
]
ENDPOINTS = [Endpoint("", Personality.AWS), Endpoint("/api/v1/s3", Personality.ALLUXIO)]


def ask(
    method: str,
    target: str,
    headers: dict[str, str],
    *,
    keys: ISigningKeys | None = None,
    sigv2: bool = False,
    length: int | None = None,
) -> Deferred[Caller]:
    directory = Directory(USERS)
    local = LocalKeys(directory, lambda: SIGNER.now)
    checker = SignatureChecker(
        keys or local, "us-east-1", lambda: SIGNER.now, local if sigv2 else None
    )
    fields = [(b"host", b"gateway.test")] + [
        (name.encode(), value.encode()) for name, value in headers.items()
    ]
    request = request_from(method.encode(), target.encode(), fields, ENDPOINTS, length=length)
    portal = Portal(Realm(directory), [checker])
    return Authenticator(portal, lenient=False)(request, target.encode(), fields)


def result(done: Deferred[Caller]) -> Any:
    got: list[Any] = []
    done.addBoth(got.append)
    assert got, "there is nothing to wait for"
    return got[0].value if isinstance(got[0], Failure) else got[0]


def test_who_signs_is_let_in() -> None:
    assert result(ask("GET", "/b/k", SIGNER.headers("GET", "/b/k"))) == Caller(ALICE)
    bob = Signer("BOB", "b")
    assert result(ask("GET", "/b/k", bob.headers("GET", "/b/k"))) == Caller(BOB)
    assert result(ask("GET", SIGNER.presigned("GET", "/b/k"), {})) == Caller(ALICE)


def test_what_is_known_of_the_body_comes_along() -> None:
    headers = SIGNER.headers("PUT", "/b/k", body=b"hello")
    caller = result(ask("PUT", "/b/k", headers, length=5))
    assert caller == Caller(ALICE, Payload(sha256=hashlib.sha256(b"hello").digest()))


@pytest.mark.parametrize("signer", [Signer("NOBODY"), Signer("OLD", "o")])
def test_keys_that_let_nobody_in(signer: Signer) -> None:
    error = result(ask("GET", "/b/k", signer.headers("GET", "/b/k")))
    assert type(error) is errors.InvalidAccessKeyId
    assert error.status == 403
    assert error.detail == {"AWSAccessKeyId": signer.access_key}


def test_a_wrong_secret() -> None:
    wrong = Signer(secret_key="x")
    for done in (
        ask("GET", "/b/k", wrong.headers("GET", "/b/k")),
        ask("GET", wrong.presigned("GET", "/b/k"), {}),
    ):
        error = result(done)
        assert type(error) is errors.SignatureDoesNotMatch
        assert SIGNER.secret_key not in str(error.detail)
        assert SIGNER.key.hex() not in str(error.detail)


@pytest.mark.parametrize(
    ("target", "error"),
    [("/b/k", errors.AccessDenied), ("/api/v1/s3/b/k", errors.AuthorizationHeaderMalformed)],
)
def test_nobody_is_anonymous(target: str, error: type[Exception]) -> None:
    assert type(result(ask("GET", target, {}))) is error
    assert type(result(ask("GET", target, {"authorization": ""}))) is error


def test_mode_simple_is_not_to_be_had() -> None:
    header = {"authorization": f"AWS4-HMAC-SHA256 Credential={SIGNER.access_key}/..."}
    for target in ("/b/k", "/api/v1/s3/b/k"):
        assert isinstance(result(ask("GET", target, header)), errors.S3Error)


# ---------------------------------------------------------------- keys from elsewhere


@implementer(ISigningKeys)
class Elsewhere:
    """A service that takes its time."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, ...]] = []
        self.answer: Deferred[SigningKey] = Deferred()

    def find(self, *what: str) -> Deferred[SigningKey]:
        self.asked.append(what)
        return self.answer


def test_a_key_may_come_later() -> None:
    keys = Elsewhere()
    done = ask("GET", "/b/k", SIGNER.headers("GET", "/b/k"), keys=keys)
    assert keys.asked == [(SIGNER.access_key, "20251124", "us-east-1", "s3")]
    assert not done.called
    keys.answer.callback(SigningKey(BOB, SIGNER.key))
    assert result(done) == Caller(BOB)


def test_a_late_key_may_be_the_wrong_one() -> None:
    keys = Elsewhere()
    done = ask("GET", "/b/k", SIGNER.headers("GET", "/b/k"), keys=keys)
    keys.answer.callback(SigningKey(ALICE, b"0" * 32))
    assert type(result(done)) is errors.SignatureDoesNotMatch


def test_a_key_may_not_be_to_be_had() -> None:
    keys = Elsewhere()
    done = ask("GET", "/b/k", SIGNER.headers("GET", "/b/k"), keys=keys)
    keys.answer.errback(errors.ServiceUnavailable())
    assert type(result(done)) is errors.ServiceUnavailable


def test_nobody_is_asked_for_the_key_of_a_request_that_is_refused_anyway() -> None:
    keys = Elsewhere()
    late = Signer(now=SIGNER.now - 1000)
    assert type(result(ask("GET", "/b/k", late.headers("GET", "/b/k"), keys=keys))) is (
        errors.RequestTimeTooSkewed
    )
    assert keys.asked == []


# ---------------------------------------------------------------- version 2


def test_version_2_is_off() -> None:
    header = {"authorization": "AWS AK:sig", "date": "Mon, 24 Nov 2025 16:00:00 GMT"}
    error = result(ask("GET", "/b/k", header))
    assert type(error) is errors.InvalidRequest
    assert "Please use AWS4-HMAC-SHA256" in str(error)
    query = "/b/k?AWSAccessKeyId=AK&Signature=x&Expires=1764000100"
    assert type(result(ask("GET", query, {}))) is errors.InvalidRequest


def test_interfaces() -> None:
    checker = SignatureChecker(Elsewhere(), "r", lambda: 0)
    assert verifyObject(ICredentialsChecker, checker)


def test_neither_keys_nor_signatures_are_shown() -> None:
    seen: list[str] = []

    @implementer(ISigningKeys)
    class Curious(LocalKeys):
        def find(self, *what: str) -> SigningKey:
            found = super().find(*what)
            seen.append(repr(found))
            return found

    directory = Directory(USERS)
    checker = SignatureChecker(
        Curious(directory, lambda: SIGNER.now), "us-east-1", lambda: SIGNER.now
    )
    target = b"/b/k"
    headers = SIGNER.headers(
        "PUT",
        "/b/k",
        {"x-amz-decoded-content-length": "5"},
        payload="STREAMING-AWS4-HMAC-SHA256-PAYLOAD",
    )
    fields = [(b"host", b"gateway.test")] + [(n.encode(), v.encode()) for n, v in headers.items()]
    request = request_from(b"PUT", target, fields, ENDPOINTS)
    claim = parse_claim(request)
    assert claim is not None
    signed = SignedRequest(request, target, fields, claim)
    caller = checker.requestAvatarId(signed)
    assert isinstance(caller, Caller)
    assert caller.payload.verifier is not None
    unverified = sigv4.examine(request, target, fields, claim, "us-east-1", SIGNER.now)
    shown = "".join(seen) + repr([signed, caller, unverified, USERS])
    assert signature_of(headers) not in shown
    assert SIGNER.secret_key not in shown
    assert repr(SIGNER.key)[2:-1] not in shown
