"""What stands in a file of users: TOML, one table a user.

::

    [[user]]
    name = "alice"               # for people, logs, and the s3gate command
    id = "0f3a..."               # canonical id, what buckets carry as owner; the name when absent
    display_name = "Alice A."    # the name when absent
    email = "alice@example.com"  # by which a grant may name the user
    enabled = true               # false: no key of theirs is good for anything
    read_only = false            # true: they may read, and nothing else
    scopes = ["photos", "logs/alice/"]   # buckets, and prefixes of keys; none: no bound
    uid = 1001                   # POSIX user, group and further groups
    gid = 1001
    groups = [100]
    keys = [
        { access_key = "...", secret_key = "...", status = "inactive" },
        { access_key = "...", secret_key = "...", expires = 2027-01-01T00:00:00Z },
    ]

Names, ids, addresses and access keys are unique.  No message shows a value that may be a secret.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Sequence
from typing import Any, TypeGuard

import attrs

from s3daemon.auth.identity import Identity
from s3daemon.auth.users import Key, User
from s3daemon.toml_file import Document, SettingError, nearest

_USER_KEYS = (
    "name", "id", "display_name", "email", "enabled", "read_only", "scopes", "uid", "gid", "groups",
    "keys",
)  # fmt: skip
_PAIR_KEYS = ("access_key", "secret_key", "status", "expires")

#: The longest name, id, address or secret, in characters.
LONGEST = 256

#: The longest scope: a bucket, a slash and a key's prefix.
_LONGEST_SCOPE = 64 + 1024

#: What an access key may be.  No slash, comma, colon or blank: it stands in the credential of a
#: signature, between such.
ACCESS_KEY = re.compile(r"[A-Za-z0-9_.@+=-]{3,128}")
ACCESS_KEY_IS = "3 to 128 of the characters A-Z a-z 0-9 _ . @ + = -"

#: The shortest secret, in characters.
SHORTEST_SECRET = 8
SECRET_IS = f"text of {SHORTEST_SECRET} to {LONGEST} characters without blanks"

# The last two numbers mean "unchanged" to system calls.
_LAST_ID = (1 << 32) - 3


def users(document: Document) -> tuple[User, ...]:
    """The users in a document.

    :raises SettingError: something is wrong in it; with file, line and key.
    """
    for key in document.content:
        if key != "user":
            raise SettingError(document.where([key]), key, f"is unknown; {nearest(key, ['user'])}")
    tables = document.content.get("user", [])
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        raise SettingError(document.where(["user"]), "user", "has to be tables: write [[user]]")
    found = tuple(_Table(document, number, table).user() for number, table in enumerate(tables))
    _unique(document, "name", [[user.identity.name] for user in found])
    _unique(document, "id", [[user.identity.id] for user in found])
    _unique(document, "email", [[user.identity.email.casefold()] for user in found])
    _unique(document, "keys", [list(user.keys) for user in found])
    return found


def is_text(value: object) -> bool:
    """Whether it may be a name, an id or a name to show."""
    return isinstance(value, str) and 0 < len(value) <= LONGEST and value.isprintable()


def is_email(value: object) -> bool:
    """Whether it looks like an address; only its owner's mail server could tell."""
    return is_text(value) and re.fullmatch(r"[^\s@]+@[^\s@]+", str(value)) is not None


def is_scope(value: object) -> bool:
    """Whether it may be a bucket, or a bucket, a slash and the beginning of keys."""
    return (
        isinstance(value, str)
        and 0 < len(value) <= _LONGEST_SCOPE
        and not value.startswith("/")
        and "\0" not in value
    )


def is_secret(value: object) -> TypeGuard[str]:
    """Whether it may be a secret key."""
    return (
        isinstance(value, str)
        and SHORTEST_SECRET <= len(value) <= LONGEST
        and value.isprintable()
        and not any(c.isspace() for c in value)
    )


@attrs.frozen
class _Table:
    """One ``[[user]]``, number ``number`` from 0."""

    document: Document
    number: int
    table: dict[str, Any]

    def user(self) -> User:
        for key in self.table:
            if key not in _USER_KEYS:
                raise self._refuse(key, f"is unknown; {nearest(key, _USER_KEYS)}")
        name = self._text("name", "")
        identity = Identity(
            self._text("id", name),
            name,
            self._text("display_name", name),
            self._email(),
            self._number("uid"),
            self._number("gid"),
            self._groups(),
            self._flag("read_only", False),
            self._scopes(),
        )
        return User(identity, self._keys(), self._flag("enabled", True))

    def _refuse(self, key: str, problem: str) -> SettingError:
        return SettingError(self.document.where(["user", key], self.number), f"user.{key}", problem)

    def _text(self, key: str, default: str) -> str:
        value = self.table.get(key, default)
        if not is_text(value):
            raise self._refuse(key, f"has to be text of 1 to {LONGEST} characters on one line")
        return str(value)

    def _email(self) -> str:
        value = self.table.get("email", "")
        if value != "" and not is_email(value):
            raise self._refuse("email", 'has to be an address such as "alice@example.com"')
        return str(value)

    def _flag(self, key: str, default: bool) -> bool:
        value = self.table.get(key, default)
        if not isinstance(value, bool):
            raise self._refuse(key, "has to be true or false")
        return value

    def _number(self, key: str) -> int | None:
        value = self.table.get(key)
        if value is None:
            return None
        if not is_id(value):
            raise self._refuse(key, f"has to be a number from 0 to {_LAST_ID}")
        return int(value)

    def _groups(self) -> tuple[int, ...]:
        value = self.table.get("groups", [])
        if not isinstance(value, list) or not all(map(is_id, value)):
            raise self._refuse("groups", "has to be a list of numbers such as [100, 1001]")
        return tuple(value)

    def _scopes(self) -> tuple[str, ...]:
        value = self.table.get("scopes", [])
        if not isinstance(value, list) or not all(map(is_scope, value)):
            raise self._refuse(
                "scopes",
                'has to be a list of buckets and of beginnings of keys, such as ["photos",'
                ' "logs/alice/"]',
            )
        return tuple(value)

    def _keys(self) -> dict[str, Key]:
        pairs = self.table.get("keys", [])
        if not isinstance(pairs, list):
            raise self._refuse("keys", _PAIRS)
        keys: dict[str, Key] = {}
        for number, pair in enumerate(pairs):
            access_key, key = self._pair(number, pair)
            if access_key in keys:
                raise self._refuse_in(number, "access_key", f"names {access_key!r} twice")
            keys[access_key] = key
        return keys

    def _refuse_in(self, number: int, key: str, problem: str) -> SettingError:
        return SettingError(
            self.document.where_item(["user", "keys"], self.number, number),
            ".".join(part for part in (f"user.keys[{number}]", key) if part),
            problem,
        )

    def _pair(self, number: int, pair: object) -> tuple[str, Key]:
        # Never show a value: it may be a secret in the wrong place.
        if not isinstance(pair, dict):
            raise self._refuse_in(number, "", _PAIRS)
        for key in pair:
            if key not in _PAIR_KEYS:
                raise self._refuse_in(number, key, f"is unknown; {nearest(key, _PAIR_KEYS)}")
        access_key, secret_key = pair.get("access_key"), pair.get("secret_key")
        if not isinstance(access_key, str) or not ACCESS_KEY.fullmatch(access_key):
            raise self._refuse_in(number, "access_key", f"has to be {ACCESS_KEY_IS}")
        if not is_secret(secret_key):
            raise self._refuse_in(number, "secret_key", f"has to be {SECRET_IS}")
        status = pair.get("status", "active")
        if status not in ("active", "inactive"):
            raise self._refuse_in(number, "status", 'has to be "active" or "inactive"')
        return access_key, Key(secret_key, status == "active", self._expires(number, pair))

    def _expires(self, number: int, pair: dict[str, Any]) -> float | None:
        value = pair.get("expires")
        if value is None:
            return None
        if not isinstance(value, datetime.datetime) or value.tzinfo is None:
            raise self._refuse_in(
                number,
                "expires",
                "has to be a time with its offset, without quotes, such as 2027-01-31T12:00:00Z",
            )
        return value.timestamp()


_PAIRS = 'has to be a list of { access_key = "...", secret_key = "..." }'


def is_id(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _LAST_ID


def _unique(document: Document, key: str, values: Sequence[Sequence[str]]) -> None:
    """No value, "" apart, may be there for two users."""
    seen: set[str] = set()
    for number, those in enumerate(values):
        for value in those:
            if value in seen:
                where = document.where(["user", key], number)
                raise SettingError(where, f"user.{key}", f"{value!r} stands there twice")
            if value:
                seen.add(value)
