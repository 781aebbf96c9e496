"""The places of workers, and how soon one that came free is filled again."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import attrs
from twisted.internet.interfaces import IDelayedCall

from s3daemon.ops.crew import Worker

#: Seconds for which a worker has to have served to be replaced at once when it ends.
STEADY = 10.0

#: Seconds until one that has not is replaced, at most.
SOON = 0.5

#: Seconds until one that could not even start is tried again: the first time, and at most.
AGAIN, AGAIN_AT_MOST = 0.5, 30.0


@attrs.frozen
class Plan:
    """What workers are to be like.

    :ivar workers: how many.
    :ivar spawn: starts the process of one; raises OSError.
    :ivar drain: seconds that requests under way are given at the end.
    """

    workers: int
    spawn: Callable[[Worker, Sequence[int]], None]
    drain: float


class CannotChange(Exception):
    """New settings cannot be used now; the text says why."""


@attrs.define(eq=False)
class Slot:
    """The place of one worker.

    :ivar current: who has it.
    :ivar coming: who is to take over.
    :ivar ends: how often it came free too early, one after the other.
    """

    number: int
    current: Worker | None = None
    coming: Worker | None = None
    ends: int = 0
    timer: IDelayedCall | None = None

    @property
    def serves(self) -> bool:
        """Somebody accepts."""
        return self.current is not None and self.current.serves

    def cancel(self) -> None:
        """Start nobody for now."""
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None

    def forget(self, worker: Worker) -> None:
        """It is gone."""
        if self.current is worker:
            self.current = None
        if self.coming is worker:
            self.coming = None

    def pause(self, worker: Worker | None, now: float) -> float:
        """Seconds until the next one is to be started.

        :param worker: who has ended; None when there could not even be one.
        """
        served = worker is not None and worker.serves
        steady = worker is not None and served and now - worker.since >= STEADY
        self.ends = 1 if steady else self.ends + 1
        if served and self.ends == 1:
            return 0.0
        most = SOON if served else AGAIN_AT_MOST
        return float(min(most, AGAIN * 2 ** min(self.ends - 1, 10)))
