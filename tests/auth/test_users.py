"""Users by key and by id, and what a change of them is called."""

from __future__ import annotations

from s3daemon.auth.identity import Identity
from s3daemon.auth.users import Directory, User


def user(name: str, **keys: str) -> User:
    return User(Identity("id-" + name, name, name.title()), keys)


def test_users_are_found() -> None:
    alice = user("alice", k1="s", k2="s")
    directory = Directory([alice, user("bob")])
    assert directory.by_access_key("k1") is alice
    assert directory.by_access_key("k2") is alice
    assert directory.by_access_key("alice") is None
    assert directory.by_id("id-bob") == Identity("id-bob", "bob", "Bob")
    assert directory.by_id("bob") is None
    assert directory.display_name("id-alice") == "Alice"
    assert directory.display_name("stranger") == "stranger"


def test_a_change_is_told_without_secrets() -> None:
    directory = Directory([user("alice", k1="old"), user("bob"), user("carol", k3="s")])
    changes = directory.replace([user("alice", k1="new"), user("carol", k3="s"), user("dave")])
    assert changes == ["new: dave", "gone: bob", "changed: alice"]
    assert directory.by_id("id-bob") is None
    assert directory.by_access_key("k1") == user("alice", k1="new")


def test_no_change() -> None:
    assert Directory([user("alice", k="s")]).replace([user("alice", k="s")]) == []
