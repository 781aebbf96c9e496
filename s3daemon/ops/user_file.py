"""Changes of a file of users that leave everything else in it as it was written.

The text is cut at its ``[[user]]`` lines; blank lines and comments above such a line belong to
what follows.  Only the piece that changes is written anew.  What comes out is read again, and has
to say exactly what it was meant to say.
"""

from __future__ import annotations

import re
import secrets
import string
import tomllib
from collections.abc import Callable, MutableMapping, Sequence
from typing import Any

import attrs
import tomlkit

from s3daemon.auth.identity import Identity
from s3daemon.auth.user_tables import users
from s3daemon.auth.users import User
from s3daemon.config_kinds import quoted
from s3daemon.toml_file import SettingError, parse

_LETTERS = string.ascii_letters + string.digits
_CAPITALS = string.ascii_uppercase + string.digits
_HEADER = re.compile(r"\s*\[\[\s*user\s*\]\]\s*(#.*)?")

#: A ``[[user]]`` table while it is changed: as tomllib gives it, and as tomlkit does.
Table = MutableMapping[str, Any]


@attrs.frozen
class Pair:
    """A pair of keys."""

    access_key: str
    secret_key: str = attrs.field(repr=False)


def new_pair() -> Pair:
    """Keys of the usual lengths, from the system's randomness: 20 and 40 characters."""
    return Pair(
        "".join(secrets.choice(_CAPITALS) for _ in range(20)),
        "".join(secrets.choice(_LETTERS) for _ in range(40)),
    )


def new_id() -> str:
    """A canonical id that nobody has had: 64 hexadecimal digits, as S3's are."""
    return secrets.token_hex(32)


def table_of(identity: Identity, pair: Pair, expires: str = "") -> str:
    """The text of a table for a new user.

    :param expires: of the key, as TOML writes a time; "" for never.
    """
    lines = ["[[user]]", f"name = {quoted(identity.name)}", f"id = {quoted(identity.id)}"]
    if identity.display_name != identity.name:
        lines.append(f"display_name = {quoted(identity.display_name)}")
    if identity.email:
        lines.append(f"email = {quoted(identity.email)}")
    if identity.uid is not None:
        lines.append(f"uid = {identity.uid}")
    if identity.gid is not None:
        lines.append(f"gid = {identity.gid}")
    if identity.groups:
        lines.append(f"groups = {list(identity.groups)}")
    if identity.read_only:
        lines.append("read_only = true")
    if identity.scopes:
        lines.append(f"scopes = [{', '.join(map(quoted, identity.scopes))}]")
    end = f", expires = {expires}" if expires else ""
    lines += [
        "keys = [",
        f"    {{ access_key = {quoted(pair.access_key)}, secret_key = {quoted(pair.secret_key)}"
        f"{end} }},",
        "]",
    ]
    return "\n".join(lines) + "\n"


@attrs.frozen
class UserFile:
    """The text of a file of users, and what it says.

    :ivar name: of the file, for messages.
    """

    name: str
    text: str = attrs.field(repr=False)
    users: tuple[User, ...]

    @classmethod
    def read(cls, name: str, text: str) -> UserFile:
        """:raises SettingError: something is wrong in it."""
        return cls(name, text, users(parse(text, name)))

    def user(self, name: str) -> User:
        """:raises SettingError: there is no such user."""
        return self.users[self._number(name)]

    def added(self, table: str) -> UserFile:
        """With one more table at the end.

        :raises SettingError: it cannot stand beside what is there.
        """
        text = self.text
        if text and not text.endswith("\n"):
            text += "\n"
        if text:
            text += "\n"
        return UserFile.read(self.name, text + table)

    def removed(self, name: str) -> UserFile:
        """Without a user, and without the comment right above the table.

        :raises SettingError: there is no such user, or the file is not written with ``[[user]]``.
        """
        number = self._number(name)
        pieces, rest = self._pieces()
        lead = pieces.pop(number)[0]
        kept = _without_own_comment(lead)
        if not kept and number == 0:
            # It is the head of the file as well.
            kept = lead
        text = "".join(lead + table for lead, table in pieces[:number]) + kept
        text += "".join(lead + table for lead, table in pieces[number:]) + rest
        return self._checked(text, lambda tables: tables.pop(number))

    def changed(self, name: str, change: Callable[[Table], None]) -> UserFile:
        """With a change in the table of a user.

        :param change: is given the table twice: as plain values, and with its layout.
        :raises SettingError: as :meth:`removed`.
        """
        number = self._number(name)
        pieces, rest = self._pieces()
        lead, table = pieces[number]
        document = tomlkit.parse(table)
        change(document["user"][0])
        pieces[number] = (lead, tomlkit.dumps(document))
        text = "".join(lead + table for lead, table in pieces) + rest
        return self._checked(text, lambda tables: change(tables[number]))

    def _number(self, name: str) -> int:
        names = [user.identity.name for user in self.users]
        if name not in names:
            known = f"; there are: {', '.join(names)}" if names else ""
            raise SettingError(self.name, "", f"there is no user {name!r}{known}")
        return names.index(name)

    def _pieces(self) -> tuple[list[tuple[str, str]], str]:
        """(what stands above it, the table) of each user, and what stands below the last."""
        lines = self.text.splitlines(keepends=True)
        starts = [number for number, line in enumerate(lines) if _HEADER.fullmatch(line.rstrip())]
        if len(starts) != len(self.users):
            raise SettingError(
                self.name, "", "is not written with a [[user]] for each user: change it by hand"
            )
        pieces: list[tuple[str, str]] = []
        at = 0
        for start, following in zip(starts, [*starts[1:], len(lines)], strict=True):
            end = following
            while end > start + 1 and lines[end - 1].lstrip()[:1] in ("", "#"):
                end -= 1
            pieces.append(("".join(lines[at:start]), "".join(lines[start:end])))
            at = end
        return pieces, "".join(lines[at:])

    def _checked(self, text: str, change: Callable[[list[Any]], object]) -> UserFile:
        expected = tomllib.loads(self.text)
        change(expected["user"])
        try:
            same = tomllib.loads(text).get("user", []) == expected["user"]
        except tomllib.TOMLDecodeError:
            same = False
        if not same:
            raise SettingError(
                self.name, "", "is written in a way that cannot be kept: change it by hand"
            )
        return UserFile.read(self.name, text)


def _without_own_comment(lead: str) -> str:
    """Blank lines and comments without the comment that ends them."""
    lines = lead.splitlines(keepends=True)
    while lines and lines[-1].strip():
        lines.pop()
    return "".join(lines)


# ---------------------------------------------------------------- changes of a table


def set_enabled(enabled: bool) -> Callable[[Table], None]:
    """Let a user in, or not."""

    def change(table: Table) -> None:
        table["enabled"] = enabled

    return change


def set_status(access_key: str, status: str) -> Callable[[Table], None]:
    """Make one key active or inactive."""

    def change(table: Table) -> None:
        for pair in table["keys"]:
            if pair["access_key"] == access_key:
                pair["status"] = status

    return change


def rotated(new: Pair, old: Sequence[str], expires: Any) -> Callable[[Table], None]:
    """A new key, and an end to old ones.

    :param old: their access keys.
    :param expires: the time until which they stay good, with its offset; None: they go now.
        A key that ends earlier keeps its end.
    """

    def change(table: Table) -> None:
        keys = table.setdefault("keys", [])
        for number in reversed(range(len(keys))):
            if keys[number]["access_key"] not in old:
                continue
            if expires is None:
                del keys[number]
            elif "expires" not in keys[number] or keys[number]["expires"] > expires:
                keys[number]["expires"] = expires
        # tomlkit puts no blanks into what it makes of a plain one.
        pair = tomlkit.inline_table() if isinstance(keys, tomlkit.items.Array) else {}
        pair.update({"access_key": new.access_key, "secret_key": new.secret_key})
        keys.append(pair)

    return change
