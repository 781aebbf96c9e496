"""Figures of the tests, shown in their summary."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

#: Says something in the summary.
Figure = Callable[[str], None]
#: Adds a number of faults of some kind, for the summary.
Count = Callable[[str, int], None]


@pytest.fixture
def figure(record_property: Callable[[str, object], None]) -> Figure:
    """See :data:`Figure`."""
    return lambda text: record_property("figure", text)


@pytest.fixture
def count(record_property: Callable[[str, object], None]) -> Count:
    """See :data:`Count`."""
    return lambda kind, number: record_property("faults " + kind, number)


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Show what the tests have to say."""
    faults: Counter[str] = Counter()
    for report in terminalreporter.stats.get("passed", ()):
        for name, value in report.user_properties:
            if name == "figure":
                terminalreporter.write_line(value)
            elif name.startswith("faults "):
                faults[name] += value
    for name, number in sorted(faults.items()):
        terminalreporter.write_line(f"{number} {name}")
