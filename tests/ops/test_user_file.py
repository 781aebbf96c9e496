"""Changes of a file of users: what changes, and what stays as it was written."""

from __future__ import annotations

import datetime
import tomllib
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from s3daemon.auth.identity import Identity
from s3daemon.auth.user_tables import users
from s3daemon.auth.users import Key
from s3daemon.ops.user_file import (
    Pair,
    UserFile,
    new_id,
    new_pair,
    rotated,
    set_enabled,
    set_status,
    table_of,
)
from s3daemon.toml_file import SettingError, parse

TEXT = """\
# The file's head.

# Alice's comment.
[[user]]
name = "alice"   # the first
keys = [{ access_key = "AK1", secret_key = "hush-hush-1" }]

# About all that follows.

# Bob's comment.
[[ user ]]  # with blanks
name = "bob"
keys = [
    { access_key = "AK2", secret_key = "hush-hush-2" },   # from 2024
    { access_key = "AK3", secret_key = "hush-hush-3", expires = 2026-06-01T00:00:00Z },
]

[[user]]
name = "carol"
[[user.keys]]
access_key = "AK4"
secret_key = "hush-hush-4"

# The file's tail.
"""
END = datetime.datetime(2027, 1, 1, tzinfo=datetime.UTC)
NEW = Pair("NEW", "hush-hush-5")


def read(text: str = TEXT) -> UserFile:
    return UserFile.read("f.toml", text)


@pytest.mark.parametrize(
    ("after", "old", "new"),
    [
        (
            read().changed("alice", set_enabled(False)),
            'hush-hush-1" }]\n',
            'hush-hush-1" }]\nenabled = false\n',
        ),
        (
            read().changed("alice", set_status("AK1", "inactive")),
            '"hush-hush-1" }',
            '"hush-hush-1", status = "inactive"}',
        ),
        (
            read().changed("bob", set_status("AK3", "inactive")),
            "2026-06-01T00:00:00Z }",
            '2026-06-01T00:00:00Z, status = "inactive"}',
        ),
        (
            read().changed("alice", rotated(NEW, ["AK1"], None)),
            '{ access_key = "AK1", secret_key = "hush-hush-1" }',
            '{access_key = "NEW", secret_key = "hush-hush-5"}',
        ),
        (
            read().changed("alice", rotated(NEW, ["AK1"], END)),
            '"hush-hush-1" }',
            '"hush-hush-1", expires = 2027-01-01T00:00:00Z}, '
            '{access_key = "NEW", secret_key = "hush-hush-5"}',
        ),
        (
            read().changed("carol", rotated(NEW, ["AK4"], END)),
            '"hush-hush-4"\n',
            '"hush-hush-4"\nexpires = 2027-01-01T00:00:00Z\n'
            '[[user.keys]]\naccess_key = "NEW"\nsecret_key = "hush-hush-5"\n',
        ),
        (
            read().removed("bob"),
            TEXT[TEXT.index("# Bob's") : TEXT.index('\n[[user]]\nname = "carol')],
            "",
        ),
        (
            read().removed("carol"),
            TEXT[TEXT.index('[[user]]\nname = "carol') : TEXT.index("\n# The file's tail")],
            "",
        ),
        (
            read().removed("alice"),
            TEXT[TEXT.index("# Alice's") : TEXT.index("\n# About all")],
            "",
        ),
    ],
)
def test_only_what_changes_is_written_anew(after: UserFile, old: str, new: str) -> None:
    assert after.text == TEXT.replace(old, new)


def test_the_end_of_an_old_key_is_never_put_off() -> None:
    keys = read().changed("bob", rotated(NEW, ["AK2", "AK3"], END)).user("bob").keys
    assert keys == {
        "AK2": Key("hush-hush-2", expires=END.timestamp()),
        "AK3": Key("hush-hush-3", expires=1_780_272_000.0),
        "NEW": Key("hush-hush-5"),
    }


def test_only_the_keys_that_are_named_end() -> None:
    keys = read().changed("bob", rotated(NEW, ["AK2"], None)).user("bob").keys
    assert list(keys) == ["AK3", "NEW"]


def test_a_user_without_keys_gets_one() -> None:
    after = read("[[user]]\nname = 'dave'\n# tail").changed("dave", rotated(NEW, [], None))
    assert after.user("dave").keys == {"NEW": Key("hush-hush-5")}
    assert after.text.endswith("# tail")


def test_the_head_of_the_file_stays_when_the_first_user_goes() -> None:
    text = "# My users.\n[[user]]\nname = 'a'\n[[user]]\nname = 'b'\n"
    assert read(text).removed("a").text == "# My users.\n[[user]]\nname = 'b'\n"
    assert read(text).removed("a").removed("b").text == "# My users.\n"


@pytest.mark.parametrize("text", ["", "# head", "# head\n", TEXT, "[[user]]\nname = 'x'"])
def test_a_user_is_added_at_the_end(text: str) -> None:
    table = table_of(Identity("id", "dave", "dave"), NEW)
    after = read(text).added(table)
    assert after.text.startswith(text)
    assert after.text.endswith("\n" + table if text else table)
    assert after.users[-1].identity.name == "dave"
    assert len(after.users) == len(read(text).users) + 1


def test_everything_that_can_be_said_of_a_new_user() -> None:
    identity = Identity("i", "d", "D.", "d@example.com", 1, 2, (3, 4), True, ("b", "c/d e", 'q"'))
    (user,) = read(table_of(identity, NEW, "2027-01-01T00:00:00Z")).users
    assert user.identity == identity
    assert user.keys == {"NEW": Key("hush-hush-5", expires=END.timestamp())}


@given(st.text(min_size=1, max_size=20).filter(str.isprintable))
def test_a_name_is_what_it_was(name: str) -> None:
    text = "[[user]]\nname = 'Somebody with a longer name than'\n"
    added = read(text).added(table_of(Identity("i", name, name), NEW))
    assert not added.changed(name, set_enabled(False)).user(name).enabled
    assert [user.identity.name for user in added.users][1] == name
    assert len(added.removed(name).users) == 1


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda file: file.removed("dave"), "no user 'dave'; there are: alice, bob, carol"),
        (lambda file: file.changed("dave", set_enabled(True)), "no user 'dave'"),
        (lambda file: file.user("dave"), "no user 'dave'"),
        (lambda file: file.added("[[user]]\nname = 'bob'\n"), "stands there twice"),
    ],
)
def test_what_cannot_be_done(change: Callable[[UserFile], object], says: str) -> None:
    with pytest.raises(SettingError, match=says):
        change(read())


INLINE = 'user = [{ name = "alice", keys = [] }]\n'
HIDDEN = '[[user]]\nname = "alice"\nscopes = ["""a\n[[user]]\n"""]\n'


@pytest.mark.parametrize("text", [INLINE, HIDDEN, "[[ 'user' ]]\nname = 'alice'\n"])
def test_what_is_written_in_other_ways_is_left_alone(text: str) -> None:
    for change in (
        lambda file: file.removed("alice"),
        lambda file: file.changed("alice", set_enabled(False)),
    ):
        with pytest.raises(SettingError, match="by hand"):
            change(read(text))


def test_what_comes_out_is_compared_with_what_was_meant(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("s3daemon.ops.user_file.tomlkit.dumps", lambda document: "[[user]]\n")
    with pytest.raises(SettingError, match="cannot be kept"):
        read().changed("alice", set_enabled(False))
    monkeypatch.setattr("s3daemon.ops.user_file.tomlkit.dumps", lambda document: "[[user")
    with pytest.raises(SettingError, match="cannot be kept"):
        read().changed("alice", set_enabled(False))


def test_two_new_users_have_nothing_in_common() -> None:
    tables = [table_of(Identity(new_id(), "u", "u"), new_pair()) for _ in range(2)]
    (one,), (other,) = (users(parse(table, "f")) for table in tables)
    assert one.identity.id != other.identity.id
    assert len(one.identity.id) == 64
    assert not one.keys.keys() & other.keys.keys()
    ((access_key, key),) = one.keys.items()
    assert len(access_key) == 20
    assert len(key.secret_key) == 40
    assert key not in other.keys.values()


def test_secrets_are_not_in_texts() -> None:
    assert "hush" not in repr(NEW) + repr(read())
    assert tomllib.loads(TEXT)["user"]
