"""What each of several workers may take."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from s3daemon import config
from s3daemon.ops.sharing import for_one_of, share, workers_of


def settings(**limits: Any) -> config.Config:
    given: config.Given = {
        ("store", "root"): ("/r", "test"),
        **{("limits", key): (value, "test") for key, value in limits.items()},
    }
    return config.freeze(given)


@given(st.integers(0, 10**6), st.integers(1, 64))
def test_a_share_is_no_less_than_the_mean_and_no_more_than_all(limit: int, workers: int) -> None:
    found = share(limit, workers)
    assert limit <= found * workers
    assert found <= limit


@pytest.mark.parametrize(
    ("limit", "workers", "found"), [(0, 8, 0), (1000, 1, 1000), (1000, 2, 568), (10, 2, 10)]
)
def test_shares(limit: int, workers: int, found: int) -> None:
    assert share(limit, workers) == found


def test_what_is_shared() -> None:
    one = for_one_of(settings(connections=1000, connections_per_peer=0, read_rate=1001), 2)
    limits = one.limits
    assert (limits.connections, limits.connections_per_peer, limits.read_rate) == (568, 0, 501)
    assert for_one_of(settings(), 1) == settings()


def test_how_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {0, 3, 4})
    assert workers_of(settings()) == 3
    given: config.Given = {("store", "root"): ("/r", ""), ("server", "workers"): (7, "")}
    assert workers_of(config.freeze(given)) == 7
    assert config.freeze({("store", "root"): ("/r", "")}).store.root == Path("/r")
