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
    """Run on the caller's own, at once; and when a thread is free again it is used again."""
    go_on = threading.Event()
    waits = [aside(lambda: assert_true(go_on.wait(60))) for _ in range(2)]
    ran_on: list[threading.Thread] = []
    aside(lambda: ran_on.append(threading.current_thread()))
    assert ran_on == [threading.current_thread()]
    go_on.set()
    for wait in waits:
        wait()
    aside(lambda: ran_on.append(threading.current_thread()))()
    assert ran_on[1] is not threading.current_thread()


def test_a_call_that_fails_here(aside: Aside) -> None:
    """Fails at once, and one that failed elsewhere has freed its thread."""

    def broken() -> None:
        raise MemoryError

    for _ in range(5):
        wait = aside(broken)
        with pytest.raises(MemoryError):
            wait()
    go_on = threading.Event()
    waits = [aside(lambda: assert_true(go_on.wait(60))) for _ in range(2)]
    with pytest.raises(MemoryError):
        aside(broken)
    go_on.set()
    for wait in waits:
        wait()


def assert_true(found: bool) -> None:
    """In a lambda."""
    assert found
