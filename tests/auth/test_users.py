"""Users by key and by id, and what a change of them is called."""

from __future__ import annotations

import pytest

from s3daemon.auth.identity import Identity
from s3daemon.auth.users import Directory, Key, User


def user(name: str, **keys: str) -> User:
    return User(
        Identity("id-" + name, name, name.title()),
        {name: Key(secret) for name, secret in keys.items()},
    )


def test_users_are_found() -> None:
    alice = user("alice", k1="s1", k2="s2")
    directory = Directory([alice, user("bob")])
    assert directory.find("k1") == (alice, Key("s1"))
    assert directory.find("k2") == (alice, Key("s2"))
    assert directory.find("alice") is None
    assert directory.by_id("id-bob") == Identity("id-bob", "bob", "Bob")
    assert directory.by_id("bob") is None
    assert directory.display_name("id-alice") == "Alice"
    assert directory.display_name("stranger") == "stranger"


def test_a_change_is_told_without_secrets() -> None:
    directory = Directory([user("alice", k1="old"), user("bob"), user("carol", k3="s")])
    changes = directory.replace([user("alice", k1="new"), user("carol", k3="s"), user("dave")])
    assert changes == ["new: dave", "gone: bob", "changed: alice"]
    assert directory.by_id("id-bob") is None
    assert directory.find("k1") == (user("alice", k1="new"), Key("new"))


def test_no_change() -> None:
    assert Directory([user("alice", k="s")]).replace([user("alice", k="s")]) == []


@pytest.mark.parametrize(
    ("key", "usable"),
    [
        (Key("s"), True),
        (Key("s", expires=100.5), True),
        (Key("s", expires=100.0), False),
        (Key("s", active=False), False),
        (Key("s", active=False, expires=200.0), False),
    ],
)
def test_when_a_key_may_be_used(key: Key, usable: bool) -> None:
    assert key.usable(100.0) is usable


def test_a_secret_is_not_in_a_text() -> None:
    assert "hush" not in repr(Key("hush")) + repr(user("alice", k="hush"))
