"""What is remembered for a while, and never more than so much of it."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Remembered(Generic[K, V]):
    """Values with an end; the oldest goes when there is no room for a new one.

    :param size: how many at most.
    :param now: a clock, in seconds.
    """

    def __init__(self, size: int, now: Callable[[], float]) -> None:
        self._size = size
        self._now = now
        self._values: dict[K, tuple[float, V]] = {}

    def get(self, key: K) -> V | None:
        """The value, until its end."""
        found = self._values.get(key)
        if found is None:
            return None
        if self._now() >= found[0]:
            del self._values[key]
            return None
        return found[1]

    def put(self, key: K, value: V, lasts: float) -> None:
        """Remember a value for so many seconds."""
        self._values.pop(key, None)
        if lasts <= 0:
            return
        if len(self._values) >= self._size:
            del self._values[next(iter(self._values))]
        self._values[key] = (self._now() + lasts, value)

    def __len__(self) -> int:
        return len(self._values)
