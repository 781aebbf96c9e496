"""How fast bytes may go out: token buckets without a clock.

The operator may bound what all GETs of this process send together, and what one answer sends.
"""

from __future__ import annotations

from collections.abc import Sequence


class RateLimit:
    """At most ``rate`` bytes a second, in the long run; ``burst`` bytes may go at once.

    Times are seconds of any steady clock, given by the caller.
    """

    def __init__(self, rate: float, burst: int = 1024 * 1024) -> None:
        self._rate = rate
        self._burst = min(float(burst), rate)
        self._tokens = self._burst
        self._at: float | None = None

    def reserve(self, size: int, now: float) -> float:
        """Take ``size`` bytes; the seconds to wait before they are sent (0 when they may go)."""
        if self._at is not None:
            self._tokens = min(self._burst, self._tokens + (now - self._at) * self._rate)
        self._at = now
        self._tokens -= size
        return max(0.0, -self._tokens / self._rate)


def reserve_all(limits: Sequence[RateLimit], size: int, now: float) -> float:
    """Take ``size`` bytes from every limit; the slowest one says how long to wait."""
    return max((limit.reserve(size, now) for limit in limits), default=0.0)
