"""The file of users.

TOML, one table a user::

    [[user]]
    name = "alice"
    id = "0f3a..."               # canonical id, what buckets carry as owner; the name when absent
    display_name = "Alice A."    # the name when absent
    keys = [{ access_key = "...", secret_key = "..." }]

Names, ids and access keys are unique.  Nobody but the owner of the file may read it, since secrets
are in it.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from s3daemon.auth.identity import Identity
from s3daemon.auth.users import Key, User
from s3daemon.toml_file import Document, SettingError, decode, nearest

_USER_KEYS = ("name", "id", "display_name", "keys")
_PAIR_KEYS = ("access_key", "secret_key")

#: The longest name, id or key, in characters.
_LONGEST = 256


def load(path: Path) -> tuple[User, ...]:
    """The users in a file.

    :raises SettingError: it cannot be read, others may read it, or something is wrong in it.
    """
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        # The mode is asked of what was opened: the name may lead elsewhere by now.
        with open(fd, "rb") as file:
            mode = stat.S_IMODE(os.fstat(fd).st_mode)
            data = file.read()
    except OSError as error:
        raise SettingError(str(path), "", f"cannot be read: {error.strerror}") from error
    if mode & 0o077:
        raise SettingError(
            str(path),
            "",
            f"others than its owner may use it (mode {mode:04o}), and there are secrets in it:"
            f" chmod 600 {path}",
        )
    return users(decode(data, str(path)))


def users(document: Document) -> tuple[User, ...]:
    """The users in a document.

    :raises SettingError:
    """
    for key in document.content:
        if key != "user":
            raise SettingError(document.where([key]), key, f"is unknown; {nearest(key, ['user'])}")
    tables = document.content.get("user", [])
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        raise SettingError(document.where(["user"]), "user", "has to be tables: write [[user]]")
    found = tuple(_user(document, number, table) for number, table in enumerate(tables))
    _unique(document, "name", [user.identity.name for user in found])
    _unique(document, "id", [user.identity.id for user in found])
    _unique(document, "keys", [key for user in found for key in user.keys])
    return found


def _user(document: Document, number: int, table: dict[str, Any]) -> User:
    def refuse(key: str, problem: str) -> SettingError:
        return SettingError(document.where(["user", key], number), f"user.{key}", problem)

    for key in table:
        if key not in _USER_KEYS:
            raise refuse(key, f"is unknown; {nearest(key, _USER_KEYS)}")

    def text(key: str, default: str) -> str:
        value = table.get(key, default)
        if not _usable(value):
            raise refuse(key, f"has to be text of 1 to {_LONGEST} characters on one line")
        return str(value)

    name = text("name", "")
    pairs = table.get("keys", [])
    expects = 'has to be a list of { access_key = "...", secret_key = "..." }'
    if not isinstance(pairs, list):
        raise refuse("keys", expects)
    keys: dict[str, Key] = {}
    for pair in pairs:
        # Never show a value: it may be a secret in the wrong place.
        if not isinstance(pair, dict) or set(pair) != set(_PAIR_KEYS):
            raise refuse("keys", expects)
        access_key, secret_key = pair["access_key"], pair["secret_key"]
        if not _usable(access_key) or not _usable(secret_key) or set(access_key) & set(" ,"):
            raise refuse("keys", expects)
        if access_key in keys:
            raise refuse("keys", f"names the access key {access_key!r} twice")
        keys[access_key] = Key(secret_key)
    return User(Identity(text("id", name), name, text("display_name", name)), keys)


def _usable(value: object) -> bool:
    return isinstance(value, str) and 0 < len(value) <= _LONGEST and value.isprintable()


def _unique(document: Document, key: str, values: Sequence[str]) -> None:
    seen: set[str] = set()
    for value in values:
        if value in seen:
            raise SettingError(document.name, f"user.{key}", f"{value!r} stands there twice")
        seen.add(value)
