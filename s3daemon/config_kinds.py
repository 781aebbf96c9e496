"""Kinds of settings: how a TOML value becomes the value that is used, and back.

``read`` raises ValueError with the end of the sentence "... has to be".
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Generic, TypeVar

import attrs

T = TypeVar("T")


@attrs.frozen
class Kind(Generic[T]):
    """One kind.

    :ivar read: TOML value -> value.
    :ivar show: value -> TOML text.
    """

    read: Callable[[object], T]
    show: Callable[[T], str]


def option(kind: Kind[T], default: T) -> T:
    """A field of a section.

    To mypy it is its default value, to attrs a field that remembers its kind.
    """
    field: Any = attrs.field(default=default, metadata={"kind": kind})
    return field  # type: ignore[no-any-return]


# ---------------------------------------------------------------- text


def quoted(text: str) -> str:
    """A TOML basic string."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    escaped = "".join(c if c.isprintable() else f"\\U{ord(c):08X}" for c in escaped)
    return f'"{escaped}"'


def _text_of(value: object, expects: str) -> str:
    if not isinstance(value, str):
        raise ValueError(expects)
    return value


def text(pattern: str, expects: str) -> Kind[str]:
    """Text that matches as a whole."""

    def read(value: object) -> str:
        found = _text_of(value, expects)
        if not re.fullmatch(pattern, found):
            raise ValueError(expects)
        return found

    return Kind(read, quoted)


def choice(*values: str) -> Kind[str]:
    """One of a few words."""
    expects = " or ".join(quoted(value) for value in values)

    def read(value: object) -> str:
        if value not in values:
            raise ValueError(expects)
        return str(value)

    return Kind(read, quoted)


def texts(one: Kind[str], at_least: int, expects: str) -> Kind[tuple[str, ...]]:
    """A list of texts, none of them twice."""

    def read(value: object) -> tuple[str, ...]:
        if not isinstance(value, list | tuple):
            raise ValueError(expects)
        found = tuple(one.read(item) for item in value)
        if len(found) < at_least or len(set(found)) != len(found):
            raise ValueError(expects)
        return found

    def show(values: Sequence[str]) -> str:
        return "[" + ", ".join(map(one.show, values)) + "]"

    return Kind(read, show)


def path(expects: str) -> Kind[Path]:
    """A path; "" for none.  Whoever reads it decides what a relative one is relative to."""

    def read(value: object) -> Path:
        found = _text_of(value, expects)
        if "\0" in found:
            raise ValueError(expects)
        return Path(found)

    def show(value: Path) -> str:
        return quoted("" if value == Path() else str(value))

    return Kind(read, show)


# ---------------------------------------------------------------- numbers


def _boolean(value: object) -> bool:
    if not isinstance(value, bool):
        raise ValueError("true or false")
    return value


BOOLEAN = Kind(_boolean, lambda value: "true" if value else "false")


def integer(least: int, most: int) -> Kind[int]:
    """A number within bounds, both included."""

    def read(value: object) -> int:
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
            raise ValueError(f"a whole number from {least:,} to {most:,}".replace(",", "_"))
        return value

    return Kind(read, str)


def integer_or(number: int, word: str, least: int, most: int) -> Kind[int]:
    """A number within bounds, or a word that stands for another number; both may be written."""
    plain = integer(least, most)

    def read(value: object) -> int:
        if value == word or (value == number and not isinstance(value, bool)):
            return number
        try:
            return plain.read(value)
        except ValueError as error:
            raise ValueError(f"{error}, or {quoted(word)}") from None

    return Kind(read, lambda found: quoted(word) if found == number else plain.show(found))


_SECONDS = {"d": 86400.0, "h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)")


def show_duration(seconds: float) -> str:
    """``90`` -> ``90s``, in the largest unit in which it is a whole number."""
    if seconds == 0:
        return "0"
    for unit, length in _SECONDS.items():
        if (seconds / length).is_integer():
            return f"{int(seconds / length)}{unit}"
    return f"{seconds:.6f}s"


def duration(least: float, most: float, zero: str = "") -> Kind[float]:
    """A time with its unit, in seconds.

    :param zero: what ``"0"`` stands for; "" when it is not allowed.
    """
    expects = (
        f'a duration from "{show_duration(least)}" to "{show_duration(most)}"'
        " with a unit of ms, s, m, h or d"
    ) + (f', or "0" for {zero}' if zero else "")

    def read(value: object) -> float:
        if zero and (value == "0" or (value == 0 and not isinstance(value, bool))):
            return 0.0
        found = _DURATION.fullmatch(_text_of(value, expects))
        if found is None:
            raise ValueError(expects)
        seconds = float(found[1]) * _SECONDS[found[2]]
        if not least <= seconds <= most:
            raise ValueError(expects)
        return seconds

    return Kind(read, lambda seconds: quoted(show_duration(seconds)))


_BYTES = {
    "TiB": 1 << 40,
    "GiB": 1 << 30,
    "MiB": 1 << 20,
    "KiB": 1 << 10,
    "TB": 10**12,
    "GB": 10**9,
    "MB": 10**6,
    "kB": 10**3,
    "B": 1,
}
_SIZE = re.compile(r"(\d+)(" + "|".join(_BYTES) + ")")


def show_size(size: int) -> str:
    """``65536`` -> ``64KiB``."""
    for unit in ("TiB", "GiB", "MiB", "KiB"):
        if size and size % _BYTES[unit] == 0:
            return f"{size // _BYTES[unit]}{unit}"
    return f"{size}B"


def size(least: int, most: int) -> Kind[int]:
    """A number of bytes, with its unit or as a plain number."""
    expects = (
        f'a size from "{show_size(least)}" to "{show_size(most)}" with a unit of B, KiB, MiB, GiB,'
        " TiB, kB, MB, GB or TB"
    )

    def read(value: object) -> int:
        if isinstance(value, int) and not isinstance(value, bool):
            number = value
        else:
            found = _SIZE.fullmatch(_text_of(value, expects))
            if found is None:
                raise ValueError(expects)
            number = int(found[1]) * _BYTES[found[2]]
        if not least <= number <= most:
            raise ValueError(expects)
        return number

    return Kind(read, lambda number: quoted(show_size(number)))
