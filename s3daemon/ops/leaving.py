"""Workers that have been told to finish; those that do not are killed."""

from __future__ import annotations

from collections.abc import Iterator

import attrs
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from s3daemon.ops import orders
from s3daemon.ops.crew import Worker

#: Seconds beyond ``server.drain`` that a worker may take to end before it is killed: what it gives
#: threads, and connections that it ends.
BEYOND = 20.0


@attrs.define(eq=False)
class Leaving:
    """All of them."""

    _reactor: IReactorTime
    _late: dict[Worker, IDelayedCall] = attrs.field(factory=dict)
    _log: Logger = attrs.field(factory=lambda: Logger(namespace="s3daemon.supervisor"))

    def __iter__(self) -> Iterator[Worker]:
        return iter(self._late)

    def __contains__(self, worker: object) -> bool:
        return worker in self._late

    def retire(self, worker: Worker, drain: float) -> None:
        """Another one has taken over; this one may still wait for its connections to end."""
        self._expect(worker, orders.LINGER + drain)
        worker.order(orders.RETIRE)

    def stop(self, worker: Worker, drain: float) -> None:
        """The daemon ends, whatever the worker was told before."""
        self.gone(worker)
        self._expect(worker, drain)
        worker.order(orders.STOP)

    def gone(self, worker: Worker) -> None:
        """It has ended."""
        late = self._late.pop(worker, None)
        if late is not None and late.active():
            late.cancel()

    def _expect(self, worker: Worker, seconds: float) -> None:
        self._late[worker] = self._reactor.callLater(seconds + BEYOND, self._too_late, worker)

    def _too_late(self, worker: Worker) -> None:
        self._log.error("worker {number} does not end, and is killed", number=worker.number)
        worker.kill()
