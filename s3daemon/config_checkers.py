"""Settings of checkers that are plug-ins: sections ``[checker.NAME]``, which they define."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import attrs

from s3daemon.auth import checkers
from s3daemon.toml_file import Document, SettingError, nearest

#: In front of the name, in the settings' own words.
SECTION = "checker"

#: What was given for each checker: its name and a key -> the value and where it came from.
Given = Mapping[tuple[str, str], tuple[object, str]]


def from_document(document: Document, directory: Path) -> Iterator[tuple[str, str, object, str]]:
    """(checker, key, value, where) of all that a file says about checkers.

    :param directory: where relative paths begin.
    :raises SettingError: it is not written as sections, or a key is unknown.
    """
    tables = document.content.get(SECTION, {})
    if not isinstance(tables, dict):
        raise SettingError(
            document.where([SECTION]), SECTION, f"has to be tables: write [{SECTION}.NAME]"
        )
    for name, table in tables.items():
        where = document.where([SECTION, name])
        section = f"{SECTION}.{name}"
        if not isinstance(table, dict):
            raise SettingError(where, section, f"has to be a table: write [{section}]")
        fields = {field.name: field for field in attrs.fields(_settings(name, where, section))}
        for key, value in table.items():
            where = document.where([SECTION, name, key])
            if key not in fields:
                raise SettingError(where, f"{section}.{key}", f"is unknown; {nearest(key, fields)}")
            if isinstance(fields[key].default, Path) and isinstance(value, str) and value:
                value = str(directory.absolute() / value)
            yield name, key, value, where


def read(names: tuple[str, ...], where: str, given: Given) -> tuple[tuple[str, Any], ...]:
    """The settings of each checker, in its own class.

    :param names: the checkers that are wanted.
    :param where: that is said.
    :raises SettingError: one is not there, a value is of the wrong kind, or there are settings for
        one that is not wanted.
    """
    for (name, key), (_, place) in given.items():
        if name not in names:
            raise SettingError(
                place,
                f"{SECTION}.{name}.{key}",
                f"does nothing: auth.checkers does not name {name}",
            )
    return tuple((name, _one(name, where, given)) for name in names)


def _one(name: str, where: str, given: Given) -> Any:
    cls = _settings(name, where, "auth.checkers")
    values: dict[str, object] = {}
    for field in attrs.fields(cls):
        if (name, field.name) not in given:
            continue
        value, place = given[name, field.name]
        try:
            values[field.name] = field.metadata["kind"].read(value)
        except ValueError as error:
            raise SettingError(
                place, f"{SECTION}.{name}.{field.name}", f"has to be {error}"
            ) from None
    return cls(**values)


def _settings(name: str, where: str, key: str) -> type[Any]:
    try:
        found: type[Any] = checkers.find(name).settings
    except SettingError as error:
        raise SettingError(where, key, error.problem) from None
    return found


def describe(settings: tuple[tuple[str, Any], ...]) -> list[str]:
    """Lines of a TOML file that say the same."""
    lines: list[str] = []
    for name, values in settings:
        lines += ["", f"[{SECTION}.{name}]"]
        for field in attrs.fields(type(values)):
            shown = field.metadata["kind"].show(getattr(values, field.name))
            lines.append(f"{field.name} = {shown}")
    return lines
