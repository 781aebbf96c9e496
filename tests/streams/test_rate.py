"""Token buckets, with a clock of the test's own (acceptance item 51 of the reference)."""

from __future__ import annotations

import pytest

from s3daemon.streams.rate import RateLimit, reserve_all

MIB = 1024 * 1024


def drive(streams, size, piece=65536):
    """Send ``size`` bytes on each stream (a list of limits); the second each one ended."""
    left = [size] * len(streams)
    ready = [0.0] * len(streams)
    while any(left):
        at = min((t, n) for n, t in enumerate(ready) if left[n])[1]
        now = ready[at]
        ready[at] = now + reserve_all(streams[at], piece, now)
        left[at] -= piece
    return ready


@pytest.mark.parametrize(("shared", "each"), [(4, 2), (2, 4), (3, 3)])
def test_51_one_stream_takes_size_by_the_lower_rate(shared, each):
    (took,) = drive([[RateLimit(shared * MIB), RateLimit(each * MIB)]], 16 * MIB)
    ideal = 16 / min(shared, each)
    assert ideal - 1 <= took <= ideal + 1


@pytest.mark.parametrize(("shared", "each"), [(4, 2), (9, 1), (3, 3)])
def test_51_three_streams_share_the_common_rate(shared, each):
    common = RateLimit(shared * MIB)
    took = max(drive([[common, RateLimit(each * MIB)] for _ in range(3)], 8 * MIB))
    ideal = 24 / min(shared, 3 * each)
    assert ideal - 1 <= took <= ideal + 1


def test_an_idle_limit_lets_a_burst_go_and_no_more():
    limit = RateLimit(10 * MIB, burst=MIB)
    assert limit.reserve(MIB, 0.0) == 0.0
    assert limit.reserve(MIB, 0.0) == pytest.approx(0.1)
    assert limit.reserve(MIB, 100.0) == 0.0
    assert limit.reserve(MIB, 100.0) == pytest.approx(0.1)


def test_no_limits_never_wait():
    assert reserve_all([], 10**12, 0.0) == 0.0
