"""The pace of a scrub, by a clock of the test's own."""

from __future__ import annotations

import pytest

from s3daemon.store.posix.scrub.pacing import Pacer, Stopped


class Time:
    """A clock that only sleeping moves."""

    def __init__(self) -> None:
        self.now = 100.0
        self.longest = 0.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        self.longest = max(self.longest, seconds)


def test_so_many_bytes_a_second() -> None:
    time = Time()
    pacer = Pacer(1000, clock=time, sleep=time.sleep)
    for _ in range(10):
        pacer.spend(500)
    assert time.now == pytest.approx(105.0)


def test_time_that_was_not_used_is_not_made_up_for() -> None:
    time = Time()
    pacer = Pacer(1000, clock=time, sleep=time.sleep)
    time.now += 60
    pacer.spend(1000)
    assert time.now == pytest.approx(160.9)


def test_a_sleep_that_takes_too_long_is_made_up_for() -> None:
    time = Time()
    pacer = Pacer(1000, clock=time, sleep=lambda seconds: time.sleep(seconds + 0.05))
    for _ in range(1000):
        pacer.spend(1)
    assert time.now == pytest.approx(101, abs=0.06)


def test_without_a_rate_nobody_waits() -> None:
    time = Time()
    pacer = Pacer(0, clock=time, sleep=time.sleep)
    pacer.spend(1 << 40)
    assert time.now == 100.0


def test_who_waits_for_long_still_looks_whether_to_stop() -> None:
    time = Time()
    pacer = Pacer(1000, lambda: time.now > 105, time, time.sleep)
    with pytest.raises(Stopped):
        pacer.spend(1_000_000)
    assert time.now < 107
    assert time.longest <= 1


@pytest.mark.parametrize(
    ("rate", "step"), [(0, 1 << 20), (1000, 1 << 16), (2_000_000, 200_000), (1 << 40, 1 << 20)]
)
def test_steps_are_short(rate: int, step: int) -> None:
    assert Pacer(rate).step == step
