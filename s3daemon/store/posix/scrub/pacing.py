"""So many bytes a second, and no more."""

from __future__ import annotations

import time
from collections.abc import Callable

#: The least and the most that is read in one step.
_LEAST_STEP = 64 * 1024
_MOST_STEP = 1024 * 1024

#: Seconds that may be made up for.
_SLACK = 0.1

#: What looking at an entry costs, counted in bytes.
ENTRY = 4096


class Stopped(Exception):
    """Whoever is reading was told to stop."""


class Pacer:
    """Makes its caller wait for as long as what it reads should take.

    :param rate: bytes a second; 0: as fast as it goes.
    :param should_stop: whether to give up; asked at every step.
    :param clock: seconds; :param sleep: waits for some.
    """

    def __init__(
        self,
        rate: int = 0,
        should_stop: Callable[[], bool] = lambda: False,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._rate = rate
        self._should_stop = should_stop
        self._clock = clock
        self._sleep = sleep
        self._due = clock()
        #: Bytes to read in one step: a tenth of a second's, within bounds.
        self.step = min(max(rate // 10, _LEAST_STEP), _MOST_STEP) if rate else _MOST_STEP

    def spend(self, size: int) -> None:
        """Account for bytes that are to be read, and wait until it is their turn.

        :raises Stopped:
        """
        if self._should_stop():
            raise Stopped
        if not self._rate:
            return
        # Time that was not used up is not made up for, but for what a sleep takes too long.
        self._due = max(self._due, self._clock() - _SLACK) + size / self._rate
        while (left := self._due - self._clock()) > 0:
            self._sleep(min(left, 1.0))
            if self._should_stop():
                raise Stopped
