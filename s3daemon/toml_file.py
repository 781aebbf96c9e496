"""A TOML file in which everything that is wrong is named with file, line and key."""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import attrs

_AT_LINE = re.compile(r" \(at line (\d+), column \d+\)$")
# Strings and comments, so that what is in them is passed over, and braces.
_TOKENS = re.compile(r""""(?:[^"\\]|\\.)*"|'[^']*'|#.*|\{""")
_HEADER = re.compile(r"\s*\[\[?\s*([^\[\]]+?)\s*\]\]?\s*(?:#.*)?$")


class SettingError(ValueError):
    """A setting cannot be used.

    :ivar where: ``file:line``, or the command line option that it came by.
    :ivar key: dotted name of the setting; "" when the file as a whole is meant.
    :ivar problem: what is wrong, and what would be right.
    """

    def __init__(self, where: str, key: str, problem: str) -> None:
        super().__init__(": ".join(part for part in (where, key, problem) if part))
        self.where = where
        self.key = key
        self.problem = problem


def nearest(name: str, known: Iterable[str]) -> str:
    """The end of a sentence about an unknown name: what may have been meant, or all there is."""
    names = sorted(known)
    close = difflib.get_close_matches(name, names, n=1)
    if close:
        return f"did you mean {close[0]!r}?"
    return "known here: " + ", ".join(names)


@attrs.frozen
class Document:
    """What a file says, and where it says it.

    :ivar name: of the file, for messages.
    :ivar content: the tables.
    """

    name: str
    content: Mapping[str, Any]
    _lines: Sequence[str] = attrs.field(repr=False)

    def where_item(self, path: Sequence[str], occurrence: int, item: int) -> str:
        """``file:line`` of a table in a list, or of the list when that cannot be told.

        :param path: table names and then the key of the list.
        :param occurrence: which one of an array of tables, from 0.
        :param item: which one in the list, from 0.
        """
        where = self.where(path, occurrence)
        start = int(where.rpartition(":")[2])
        seen = 0
        for number, line in enumerate(self._lines[start - 1 :], start):
            table = _table(line)
            if table and table != tuple(path):
                break
            seen += 1 if table else _TOKENS.findall(line).count("{")
            if seen > item:
                return f"{self.name}:{number}"
        return where

    def where(self, path: Sequence[str], occurrence: int = 0) -> str:
        """``file:line`` of a setting, or of its table when the line cannot be told.

        :param path: table names and then the key.
        :param occurrence: which one of an array of tables, from 0.
        """
        table, key = tuple(path[:-1]), path[-1]
        current: tuple[str, ...] = ()
        seen = -1
        fallback = 1
        for number, line in enumerate(self._lines, 1):
            header = _table(line)
            if header:
                current = header
                if current == tuple(path) and max(seen, 0) == occurrence:
                    return f"{self.name}:{number}"
                if current == table:
                    seen += 1
                    if seen <= occurrence:
                        fallback = number
                continue
            if current != table[: len(current)] or (current == table and seen > occurrence):
                continue
            name, equals, _ = line.partition("=")
            if not equals:
                continue
            written = (*current, *_names(name))
            if written == (*table, key) and max(seen, 0) == occurrence:
                return f"{self.name}:{number}"
            if written and written == table[: len(written)]:
                fallback = number
        return f"{self.name}:{fallback}"


def _table(line: str) -> tuple[str, ...]:
    """The name of the table that begins on this line; empty where none does."""
    header = _HEADER.match(line)
    return () if header is None or "=" in line else _names(header[1])


def _names(dotted: str) -> tuple[str, ...]:
    """The parts of a dotted key; those in quotes may hold dots."""
    found = re.findall(r"""\s*(?:"([^"]*)"|'([^']*)'|([^\s."']+))\s*\.?""", dotted)
    return tuple(basic or literal or bare for basic, literal, bare in found)


def parse(text: str, name: str) -> Document:
    """The document in ``text``.

    :raises SettingError: it is no TOML.
    """
    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        problem = str(error)
        found = _AT_LINE.search(problem)
        line = int(found[1]) if found else max(1, text.count("\n"))
        raise SettingError(
            f"{name}:{line}", "", f"this is no TOML: {_AT_LINE.sub('', problem)}"
        ) from None
    except (ValueError, RecursionError):
        # What Python has bounds on: digits of a number, and tables in tables.
        problem = "a number is too long, or values are nested too deeply"
        raise SettingError(f"{name}:1", "", problem) from None
    return Document(name, content, text.splitlines())


def decode(data: bytes, name: str) -> Document:
    """The document in the bytes of a file.

    :raises SettingError: they are no UTF-8, or no TOML.
    """
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise SettingError(f"{name}:{line}", "", "the file is not UTF-8") from None
    return parse(text, name)
