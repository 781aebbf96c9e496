"""What is remembered ends, and is bounded."""

from __future__ import annotations

from twisted.internet.task import Clock

from s3daemon.checkers.remembered import Remembered


def test_values_end() -> None:
    clock = Clock()
    remembered: Remembered[str, int] = Remembered(9, clock.seconds)
    remembered.put("a", 1, 10)
    clock.advance(9.5)
    assert remembered.get("a") == 1
    clock.advance(0.5)
    assert remembered.get("a") is None
    assert len(remembered) == 0


def test_what_does_not_last_is_not_remembered() -> None:
    remembered: Remembered[str, int] = Remembered(9, lambda: 0.0)
    remembered.put("a", 1, 10)
    remembered.put("a", 2, 0)
    assert remembered.get("a") is None


def test_the_oldest_goes() -> None:
    remembered: Remembered[str, int] = Remembered(2, lambda: 0.0)
    remembered.put("a", 1, 10)
    remembered.put("b", 2, 10)
    remembered.put("a", 3, 10)
    remembered.put("c", 4, 10)
    assert [remembered.get(key) for key in "abc"] == [3, None, 4]
    assert len(remembered) == 2
