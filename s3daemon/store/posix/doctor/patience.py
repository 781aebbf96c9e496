"""Waiting for what another mount shows late."""

from __future__ import annotations

import time
from collections.abc import Callable

import attrs

#: Seconds after which it will not come.
PATIENCE = 5.0

#: Seconds between two looks, at first and at most.
_FIRST_PAUSE, _LONGEST_PAUSE = 0.001, 0.02


@attrs.frozen
class Patience:
    """Looks again and again.

    :ivar now: a clock, in seconds.
    :ivar sleep: lets so many seconds pass.
    """

    now: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep

    def until(self, so: Callable[[], bool]) -> float | None:
        """Milliseconds until something is so, 0 if it is at once; None if it does not become so."""
        begun = self.now()
        if so():
            return 0.0
        pause = _FIRST_PAUSE
        while self.now() - begun < PATIENCE:
            self.sleep(pause)
            if so():
                return (self.now() - begun) * 1000
            pause = min(pause * 2, _LONGEST_PAUSE)
        return None
