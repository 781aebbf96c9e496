"""What the tests of crashes share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.crash.killing import Forker


@pytest.fixture(scope="session")
def forker() -> Iterator[Forker]:
    """Where processes come from that are killed."""
    made = Forker()
    yield made
    made.close()
