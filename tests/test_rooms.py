"""The rules that the import linter cannot see: parts of packages, and calls."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SOURCES = sorted((ROOT / "s3daemon").rglob("*.py"))


def imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(), str(path))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def room(path: Path) -> str:
    return path.relative_to(ROOT / "s3daemon").parts[0]


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_only_http_knows_twisted_web(path: Path) -> None:
    found = [name for name in imports(path) if name.startswith(("twisted.web", "klein"))]
    # The one serves it; the other is a client of it.
    assert room(path) in ("http", "checkers") or not found


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_nothing_uses_private_names_of_twisted(path: Path) -> None:
    private = [
        name
        for name in imports(path)
        if name.startswith(("twisted.", "klein."))
        and any(part.startswith("_") for part in name.split("."))
    ]
    assert not private


_CLOCKS = {"time", "time_ns", "monotonic", "monotonic_ns", "perf_counter", "now", "utcnow", "today"}


@pytest.mark.parametrize(
    "path",
    [path for path in SOURCES if room(path) == "wire"],
    ids=lambda path: path.name,
)
def test_wire_has_no_clock(path: Path) -> None:
    called = {
        node.func.attr
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
    }
    assert not called & _CLOCKS


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_modules_are_small(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= 500


def test_nothing_makes_a_package_of_twisted() -> None:
    """An ``__init__.py`` there would hide Twisted itself."""
    assert not list((ROOT / "twisted").rglob("__init__.py"))
