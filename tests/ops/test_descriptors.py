"""The soft limit goes up as far as it helps, and never down."""

from __future__ import annotations

import resource

import pytest

from s3daemon.ops.descriptors import BESIDES, raise_limit

INFINITY = resource.RLIM_INFINITY


@pytest.mark.parametrize(
    ("soft", "hard", "connections", "set_to"),
    [
        (1024, 1_000_000, 1000, 2000 + BESIDES),
        (1024, 1500, 1000, 1500),
        (1024, INFINITY, 1000, 2000 + BESIDES),
        (100_000, 1_000_000, 1000, None),
        (INFINITY, INFINITY, 1000, None),
    ],
)
def test_raise_limit(
    monkeypatch: pytest.MonkeyPatch,
    soft: int,
    hard: int,
    connections: int,
    set_to: int | None,
) -> None:
    done: list[tuple[int, int]] = []
    monkeypatch.setattr(resource, "getrlimit", lambda _: (soft, hard))
    monkeypatch.setattr(resource, "setrlimit", lambda _, limits: done.append(limits))
    now, least = raise_limit(connections)
    assert least == connections + BESIDES
    assert done == ([] if set_to is None else [(set_to, hard)])
    assert now == (2 * connections + BESIDES if set_to is None else set_to)
