"""Whether a client goes on fast enough."""

from __future__ import annotations

import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from s3daemon.http.progress import Watch, acknowledged


def lasts(rate: int, window: float, sizes: list[int]) -> int:
    """Looks, one a second, until it is too slow; each after so many bytes more, again and again."""
    watch, count = Watch(rate, window), 0
    for now in range(10_000):
        if not watch.keeps_up(count, now):
            return now
        count += sizes[now % len(sizes)]
    return -1


@pytest.mark.parametrize(
    ("sizes", "seconds"),
    [
        ([0], 10),
        ([1], 11),  # 10 / (1 - 1/100), to the next look
        ([50], 20),
        ([75], 40),
        ([100], -1),
        ([10**9], -1),
        ([1000, 0, 0, 0, 0, 0, 0, 0, 0, 0], -1),  # in bursts, and fast enough in the long run
        ([500, 0, 0, 0, 0, 0, 0, 0, 0, 0], 16),
    ],
)
def test_who_is_slower_than_the_rate_runs_out_of_time(sizes, seconds):
    assert lasts(100, 10, sizes) == seconds


def test_a_fast_beginning_buys_no_more_than_the_window():
    watch = Watch(100, 10)
    assert watch.keeps_up(0, 0)
    assert watch.keeps_up(10**12, 1)
    assert watch.keeps_up(10**12, 10.9)
    assert not watch.keeps_up(10**12, 11)


def test_time_in_which_nobody_waits_is_free():
    watch = Watch(100, 10)
    for now in (0, 100, 200, 300):
        assert watch.keeps_up(0, now)
        assert watch.keeps_up(0, now + 2)
        watch.rest()
    assert not watch.keeps_up(0, 400) or not watch.keeps_up(0, 402)


@given(st.lists(st.integers(100, 10**7), min_size=1, max_size=50))
def test_who_keeps_to_the_rate_is_never_too_slow(sizes):
    assert lasts(100, 5, sizes) == -1


def test_what_the_other_side_has_confirmed():
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        socket.create_connection(listener.getsockname()) as client,
    ):
        side, _ = listener.accept()
        with side:
            # Only the beginning counts as confirmed before data do: the SYN is no byte.
            assert acknowledged(side) in (0, 1)
            side.sendall(b"x" * 1000)
            client.recv(1000, socket.MSG_WAITALL)
            client.sendall(b"y")  # carries the confirmation, if nothing did before
            side.recv(1)
            assert acknowledged(side) == 1000
        assert acknowledged(side) is None


def test_where_nobody_can_tell():
    one, two = socket.socketpair()
    with one, two:
        assert acknowledged(one) is None
        assert one.send(b"x") == 1, "the socket was only borrowed"
    assert acknowledged(object()) is None
