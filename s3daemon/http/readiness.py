"""One look at the store at a time, however many ask, and an answer in time when it hangs.

A call into a file system that hangs cannot be taken back: a balancer that asks every second would
have a thread hang each time.  So whoever asks while a look is under way waits for that one, and
once it is late, is told so at once.
"""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure

from s3daemon.store.health import Health
from s3daemon.streams.pool import IPool, PoolStopped

#: Seconds in which the store has to say that it can serve.
WITHIN = 5.0


class Readiness:
    """Asks a check on a thread.

    :param check: blocking.
    """

    def __init__(self, check: Callable[[], Health], pool: IPool, clock: IReactorTime) -> None:
        self._check = check
        self._pool = pool
        self._clock = clock
        self._begun = 0.0
        self._waiting: list[Deferred[Health]] | None = None

    def ask(self) -> Deferred[Health]:
        """Whether the store can serve; fires within :data:`WITHIN` seconds, never with a failure
        but for bugs."""
        if self._waiting is None:
            try:
                looking = self._pool.run(self._check)
            except PoolStopped:
                return succeed(Health("the daemon is stopping"))
            self._begun, self._waiting = self._clock.seconds(), []
            asked = self._join(self._waiting)
            looking.addBoth(self._told, self._waiting)
            return asked
        if self._clock.seconds() - self._begun >= WITHIN:
            return succeed(_LATE)
        return self._join(self._waiting)

    def _join(self, waiting: list[Deferred[Health]]) -> Deferred[Health]:
        asked: Deferred[Health] = Deferred()
        waiting.append(asked)
        late = self._clock.callLater(
            self._begun + WITHIN - self._clock.seconds(), self._give_up, waiting, asked
        )

        def stop(result: Health | Failure) -> Health | Failure:
            if late.active():
                late.cancel()
            return result

        return asked.addBoth(stop)

    def _give_up(self, waiting: list[Deferred[Health]], asked: Deferred[Health]) -> None:
        waiting.remove(asked)
        asked.callback(_LATE)

    def _told(self, result: Health | Failure, waiting: list[Deferred[Health]]) -> None:
        self._waiting = None
        for asked in waiting:
            asked.callback(result)


_LATE = Health(f"the file system has not answered for more than {WITHIN:.0f} seconds")
