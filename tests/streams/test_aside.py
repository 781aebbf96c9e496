"""Calls beside the one that waits for them."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from s3daemon.streams.aside import Aside


@pytest.fixture
def aside() -> Iterator[Aside]:
    """Two threads."""
    made = Aside(2)
    yield made
    made.stop()


def test_runs_on_another_thread_while_the_caller_goes_on(aside: Aside) -> None:
    """And is waited for when its result is needed."""
    go_on = threading.Event()
    ran_on: list[threading.Thread] = []

    def call() -> None:
        go_on.wait(60)
        ran_on.append(threading.current_thread())

    wait = aside(call)
    assert not ran_on
    go_on.set()
    wait()
    assert ran_on != [threading.current_thread()]


def test_a_failure_is_the_waiters(aside: Aside) -> None:
    """Not lost, and not that of the next."""

    def broken() -> None:
        raise MemoryError

    wait = aside(broken)
    aside(lambda: None)()
    with pytest.raises(MemoryError):
        wait()


def test_more_calls_than_threads(aside: Aside) -> None:
    """Wait for their turn."""
    done: list[int] = []
    waits = [aside(lambda n=n: done.append(n)) for n in range(20)]
    for wait in waits:
        wait()
    assert sorted(done) == list(range(20))
