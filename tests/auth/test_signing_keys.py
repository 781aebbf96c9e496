"""Keys derived from the secrets of users we know: which are given out, and what is remembered."""

from __future__ import annotations

import pytest
from zope.interface.verify import verifyObject

from s3daemon.auth import signing_keys
from s3daemon.auth.identity import Identity
from s3daemon.auth.signing_keys import ISecrets, ISigningKeys, LocalKeys, SigningKey
from s3daemon.auth.users import Directory, Key, User
from s3daemon.wire.errors import InvalidAccessKeyId
from tests.support.signing import Signer

ALICE = Identity("0f3a", "alice", "Alice A.")
SIGNER = Signer("AK", "secret")
SCOPE = ("20251124", "us-east-1", "s3")


def keys(*users: User, now: float = 0.0) -> tuple[LocalKeys, Directory]:
    directory = Directory(users)
    return LocalKeys(directory, lambda: now), directory


def test_the_key_of_a_user() -> None:
    found, _ = keys(User(ALICE, {"AK": Key("secret")}))
    assert found.find("AK", *SCOPE) == SigningKey(ALICE, SIGNER.key)
    assert found.find("AK", *SCOPE) == SigningKey(ALICE, SIGNER.key)
    assert found.secret("AK") == (ALICE, "secret")


@pytest.mark.parametrize(
    "user",
    [
        User(ALICE, {}),
        User(ALICE, {"AK": Key("secret", active=False)}),
        User(ALICE, {"AK": Key("secret", expires=100.0)}),
        User(ALICE, {"AK": Key("secret")}, enabled=False),
    ],
)
def test_keys_that_may_not_be_used(user: User) -> None:
    """They all get the same answer, so that nobody learns which keys there were."""
    found, _ = keys(user, now=100.0)
    for ask in (lambda: found.find("AK", *SCOPE), lambda: found.secret("AK")):
        with pytest.raises(InvalidAccessKeyId) as caught:
            ask()
        assert str(caught.value) == str(InvalidAccessKeyId())
        assert caught.value.detail == {"AWSAccessKeyId": "AK"}


def test_a_key_until_it_expires() -> None:
    found, _ = keys(User(ALICE, {"AK": Key("secret", expires=100.5)}), now=100.0)
    assert found.find("AK", *SCOPE).identity == ALICE


def test_what_is_remembered_follows_the_directory() -> None:
    found, directory = keys(User(ALICE, {"AK": Key("secret")}))
    found.find("AK", *SCOPE)
    bob = Identity("b", "bob", "Bob")
    directory.replace([User(bob, {"AK": Key("another")})])
    assert found.find("AK", *SCOPE) == SigningKey(bob, Signer("AK", "another").key)
    directory.replace([])
    with pytest.raises(InvalidAccessKeyId):
        found.find("AK", *SCOPE)


def test_each_scope_has_its_key() -> None:
    found, _ = keys(User(ALICE, {"AK": Key("secret")}))
    scopes = [SCOPE, ("20251125", *SCOPE[1:]), ("20251124", "x", "s3"), (*SCOPE[:2], "sts")]
    assert len({found.find("AK", *scope).key for scope in scopes}) == 4


def test_so_much_is_remembered_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    derived = []

    def derive(secret: str, *scope: str) -> bytes:
        derived.append(scope[1])
        return b""

    monkeypatch.setattr(signing_keys, "signing_key", derive)
    monkeypatch.setattr(signing_keys, "REMEMBERED", 2)
    found, _ = keys(User(ALICE, {"AK": Key("secret")}))
    for region in ("a", "b", "a", "c", "b", "a"):
        found.find("AK", "20251124", region, "s3")
    assert derived == ["a", "b", "c", "a"]


def test_no_key_is_shown() -> None:
    assert "key" not in repr(SigningKey(ALICE, b"key"))


def test_interfaces() -> None:
    found, _ = keys()
    assert verifyObject(ISigningKeys, found)
    assert verifyObject(ISecrets, found)
