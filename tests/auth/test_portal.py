"""Who is asking: the claims of both endpoints, in mode simple, and checkers of other kinds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from twisted.cred.checkers import AllowAnonymousAccess, ICredentialsChecker
from twisted.cred.credentials import IAnonymous
from twisted.cred.error import UnauthorizedLogin
from twisted.cred.portal import Portal
from twisted.internet.defer import Deferred, succeed
from twisted.python.failure import Failure
from zope.interface import implementer
from zope.interface.verify import verifyObject

from s3daemon.auth.caller import Caller, ICaller
from s3daemon.auth.credentials import ISignedRequest, SignedRequest
from s3daemon.auth.identity import NOBODY, Identity, IIdentity
from s3daemon.auth.portal import Authenticator, Realm
from s3daemon.auth.simple import SimpleChecker
from s3daemon.auth.users import Directory, Key, User
from s3daemon.wire.claim import AccessClaim
from s3daemon.wire.errors import (
    AccessDenied,
    AuthorizationHeaderMalformed,
    InvalidAccessKeyId,
    InvalidRequest,
    SignatureDoesNotMatch,
)
from s3daemon.wire.message import Personality, S3Request

ALICE = Identity("0f3a", "alice", "Alice A.")
NOW = 1_764_000_000.0
USERS = [
    User(
        ALICE,
        {
            "AK1": Key("secret"),
            "AK2": Key("secret", active=False),
            "AK3": Key("secret", expires=NOW),
            "AK4": Key("secret", expires=NOW + 1),
        },
    ),
    User(Identity("id-z", "zoe", "Zoe"), {"ZK1": Key("secret")}, enabled=False),
]

V4 = (
    "AWS4-HMAC-SHA256 Credential={}/20260101/us-east-1/s3/aws4_request,"
    " SignedHeaders=host, Signature=00"
)


def result(done: Deferred[Caller]) -> Any:
    got: list[Any] = []
    done.addBoth(got.append)
    assert got, "there is nothing to wait for"
    if isinstance(got[0], Failure):
        return got[0].value
    assert isinstance(got[0], Caller)
    return got[0].identity


def ask(request: S3Request, *checkers: Any, lenient: bool = True) -> Any:
    directory = Directory(USERS)
    portal = Portal(Realm(directory), checkers or [SimpleChecker(directory, lambda: NOW)])
    return result(Authenticator(portal, lenient)(request, b"/", []))


def signed(header: str, personality: Personality = Personality.AWS) -> S3Request:
    return S3Request("GET", headers={"authorization": header}, personality=personality)


def named(name: str) -> Identity:
    return Identity(name, name, name)


@pytest.mark.parametrize("personality", Personality)
@pytest.mark.parametrize(
    ("header", "who"),
    [
        (V4.format("bob"), named("bob")),
        (V4.format("AK1"), ALICE),
        (V4.format("alice"), named("alice")),
        ("AWS4-HMAC-SHA256 Credential=bob/... SignedHeaders=... Signature=...", named("bob")),
    ],
)
def test_simple_takes_the_access_key_for_the_name(
    header: str, who: Identity, personality: Personality
) -> None:
    assert ask(signed(header, personality)) == who


@pytest.mark.parametrize("access_key", ["AK2", "AK3", "ZK1"])
def test_simple_knows_keys_that_may_not_be_used(access_key: str) -> None:
    assert type(ask(signed(V4.format(access_key)))) is InvalidAccessKeyId


def test_simple_lets_a_key_in_until_it_expires() -> None:
    assert ask(signed(V4.format("AK4"))) == ALICE


@pytest.mark.parametrize("personality", Personality)
@pytest.mark.parametrize(
    "query",
    [
        {"X-Amz-Algorithm": "AWS4-HMAC-SHA256", "X-Amz-Credential": "bob/20260101/r/s3/x"},
        {"AWSAccessKeyId": "bob", "Signature": "x", "Expires": "1"},
    ],
)
def test_simple_takes_presigned_queries_by_name(
    query: dict[str, str], personality: Personality
) -> None:
    assert ask(S3Request("GET", query=query, personality=personality)) == named("bob")


@pytest.mark.parametrize(
    ("request_", "error"),
    [
        (S3Request("GET"), AccessDenied),
        (S3Request("GET", personality=Personality.ALLUXIO), AuthorizationHeaderMalformed),
        (signed("AWS bob:sig", Personality.ALLUXIO), AuthorizationHeaderMalformed),
        (signed(""), AccessDenied),
        (signed("Bearer x"), AuthorizationHeaderMalformed),
        (signed(V4.format("")), AuthorizationHeaderMalformed),
        (signed("", Personality.ALLUXIO), AuthorizationHeaderMalformed),
    ],
)
def test_who_is_not_let_in(request_: S3Request, error: type[Exception]) -> None:
    assert type(ask(request_)) is error


def test_version_2_is_taken_by_name_on_aws() -> None:
    assert ask(signed("AWS bob:sig")) == named("bob")


def test_a_claim_that_somebody_verifies_is_read_strictly() -> None:
    assert type(ask(signed(V4.format("bob")), lenient=False)) is InvalidRequest


# ---------------------------------------------------------------- other checkers


def checker(answer: Callable[[SignedRequest], Any]) -> Any:
    @implementer(ICredentialsChecker)
    class Checker:
        credentialInterfaces = (ISignedRequest,)

        def requestAvatarId(self, credentials: SignedRequest) -> Any:
            return answer(credentials)

    return Checker()


def test_a_checker_may_take_its_time_and_give_a_name() -> None:
    waiting: Deferred[Any] = Deferred()
    directory = Directory(USERS)
    portal = Portal(Realm(directory), [checker(lambda _: waiting)])
    asked = Authenticator(portal, True)(signed(V4.format("x")), b"/", [])
    assert not asked.called
    waiting.callback(b"0f3a")
    assert result(asked) == ALICE


def test_a_checker_sees_what_was_sent() -> None:
    seen: list[SignedRequest] = []
    directory = Directory()
    portal = Portal(
        Realm(directory), [checker(lambda credentials: seen.append(credentials) or b"carol")]
    )
    request = signed(V4.format("x"))
    fields = [(b"host", b"h")]
    who = result(Authenticator(portal, True)(request, b"/a%20b", fields))
    assert who == named("carol")
    assert seen == [SignedRequest(request, b"/a%20b", fields, AccessClaim("x"))]


def _raise(error: Exception) -> Any:
    raise error


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (lambda _: _raise(UnauthorizedLogin("no")), AccessDenied),
        (lambda _: _raise(SignatureDoesNotMatch()), SignatureDoesNotMatch),
        (lambda _: _raise(ZeroDivisionError()), ZeroDivisionError),
        (lambda _: succeed(""), NotImplementedError),
    ],
)
def test_what_a_checker_says(answer: Callable[[Any], Any], error: type[Exception]) -> None:
    assert type(ask(signed(V4.format("x")), checker(answer))) is error


def test_no_checker_for_signed_requests() -> None:
    @implementer(ICredentialsChecker)
    class Other:
        credentialInterfaces = (IAnonymous,)

        def requestAvatarId(self, credentials: Any) -> Any:
            raise AssertionError("not asked")

    assert type(ask(signed(V4.format("x")), Other())) is AccessDenied


def test_there_are_only_identities() -> None:
    with pytest.raises(NotImplementedError):
        Realm(Directory()).requestAvatar("bob", None, ISignedRequest)


def test_interfaces() -> None:
    assert verifyObject(IIdentity, ALICE)
    assert verifyObject(ICaller, Caller(ALICE))
    assert verifyObject(ISignedRequest, SignedRequest(S3Request("GET"), b"/", [], AccessClaim("x")))
    assert verifyObject(ICredentialsChecker, SimpleChecker(Directory(), lambda: NOW))


def test_without_a_claim_one_is_anonymous_where_that_is_allowed() -> None:
    nobody = S3Request("GET")
    assert type(ask(nobody)) is AccessDenied
    assert ask(nobody, AllowAnonymousAccess()) is NOBODY
    alluxio = S3Request("GET", personality=Personality.ALLUXIO)
    assert type(ask(alluxio, AllowAnonymousAccess())) is AuthorizationHeaderMalformed


def test_who_is_refused_is_not_let_in_as_nobody() -> None:
    refuses = checker(lambda _: _raise(SignatureDoesNotMatch()))
    refused = ask(signed(V4.format("x")), refuses, AllowAnonymousAccess())
    assert type(refused) is SignatureDoesNotMatch
