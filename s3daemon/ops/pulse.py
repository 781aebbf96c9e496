"""Asking each worker for a sign of life, and ending one whose event loop does not turn."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import attrs
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from s3daemon.ops import orders
from s3daemon.ops.crew import Worker

#: Seconds between two questions.
EVERY = 10.0

#: Questions without an answer after which a worker hangs.  Questions are counted, not seconds: a
#: machine that was suspended, or a clock that was set, is no reason to end anybody.
PATIENCE = 6


@attrs.define(eq=False)
class Pulse:
    """One for all workers.

    A worker that hangs holds connections that nobody serves.  It is aborted first, which makes it
    write where each of its threads stands, and killed at the next question if it is still there.
    """

    _workers: Callable[[], Iterable[Worker]]
    _reactor: IReactorTime
    _asked: dict[Worker, int] = attrs.field(factory=dict)
    _loop: LoopingCall | None = None
    _log: Logger = attrs.field(factory=lambda: Logger(namespace="s3daemon.supervisor"))

    def start(self) -> None:
        """Ask from now on."""
        self._loop = LoopingCall(self._ask)
        self._loop.clock = self._reactor
        self._loop.start(EVERY, now=False)

    def stop(self) -> None:
        """Ask no more."""
        if self._loop is not None:
            self._loop.stop()
            self._loop = None

    def beats(self, worker: Worker) -> None:
        """It has answered."""
        self._asked.pop(worker, None)

    def _ask(self) -> None:
        asked, self._asked = self._asked, {}
        for worker in self._workers():
            unanswered = asked.get(worker, 0)
            self._asked[worker] = unanswered + 1
            if unanswered < PATIENCE:
                worker.order(orders.PING)
            elif unanswered == PATIENCE:
                self._log.error(
                    "worker {number} has not answered for {seconds:g} seconds, and is ended; it may"
                    " say where it stood",
                    number=worker.number,
                    seconds=PATIENCE * EVERY,
                )
                worker.abort()
            else:
                worker.kill()
