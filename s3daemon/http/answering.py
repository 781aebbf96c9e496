"""The answer to the request under way, at the client's pace, and what comes after it.

After an answer that leaves a body unread, a short rest is thrown away and the connection lives on;
a long one ends it.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from twisted.internet.tcp import Connection

from s3daemon.http.ending import Phase
from s3daemon.http.head import CLOSE, KEEP_ALIVE
from s3daemon.http.intake import Intake
from s3daemon.http.producers import Producers
from s3daemon.http.progress import Watch

if TYPE_CHECKING:
    from s3daemon.http.factory import S3Factory
    from s3daemon.http.request import Request


class Answering(Intake):
    """A connection that gives answers."""

    def __init__(self, factory: S3Factory) -> None:
        super().__init__(factory)
        self._keep = False  # the answer under way leaves the connection open
        self._declared: int | None = None  # bytes that a head of twisted.web has promised
        self._producers = Producers(factory.reactor)
        self._taken: int | None = None  # bytes that a client had taken that we wait for
        self._answer_watch: Watch | None = None

    def _expect_answer(self) -> None:
        """The answer to the next request."""
        self._keep = False
        self._declared = None

    def connection_line(self, request: Request, delimited: bool = True) -> bytes:
        """Decide whether the connection outlives this answer; the header line that says so.

        :param delimited: the client can tell where the answer ends without a close.
        """
        keep = request.head.keep_alive and delimited and not self.factory.retiring
        if self._eof and not self._input:
            keep = False
        body = request.body
        if not body.complete:
            rest = body.remaining
            waits = request.head.expect_continue and not self._continued and not body.received
            # A client that waits may send its body after all, or not: nobody can tell what comes.
            if rest is None or rest > self._limits.drain or waits or self._eof:
                keep = False
        self._keep = keep
        if not keep:
            return CLOSE
        return b"" if request.head.version == (1, 1) else KEEP_ALIVE

    def requestDone(self, request: Request) -> None:
        """The answer is complete, for our part."""
        if self._request is not request:
            return
        self._request = None
        self.factory.running -= 1
        body = request.body
        if self._phase is not Phase.REQUEST:
            return
        if self.outlet.direct and body.expected:
            self._read_size(Connection.bufferSize)
        if self._declared is not None and request.sentLength != self._declared:
            # Neither padded nor reused: the client must see that this is not the answer.
            self.abortConnection()
        elif not self._keep:
            self._finish(linger=not body.complete)
        elif body.complete:
            self._next()
        else:
            body.discard()
            self._phase = Phase.DRAIN
            self._deadline = self._reactor.seconds() + self._timeouts.linger
            self._update_reading()

    def _next(self) -> None:
        self._phase = Phase.IDLE
        self._body = None
        self._deadline = self._reactor.seconds() + self._timeouts.idle
        if self.factory.draining:
            self._finish(linger=False)
        elif self._input or self._eof:
            self._advance()
        if not self._reading:
            self._update_reading()

    def _output_changed(self) -> None:
        """The outlet is blocked or free, or the client took some of what blocks it."""
        blocked = self.outlet.blocked
        if blocked:
            self._write_deadline = self._reactor.seconds() + self._timeouts.write
        else:
            self._write_deadline = math.inf
        self._producers.flow(blocked)
        if not blocked:
            if self._phase is Phase.FLUSH:
                self._flushed()
            elif self._is_between:
                self._advance()
                self._update_reading()

    # -- the client's pace ---------------------------------------------------------------------

    def tick(self, now: float) -> None:
        """See :meth:`Ending.tick`; a client that we wait for has to keep to the least rate."""
        if self.outlet.blocked:
            self._watch_answer(now)
        else:
            self._taken = self._answer_watch = None
        super().tick(now)

    def _watch_answer(self, now: float) -> None:
        taken = self.outlet.acknowledged()
        if taken is None:
            return  # the outlet tells when something was taken, and that has to do
        if self._taken is not None and taken > self._taken:
            # The kernel's buffers are large: the outlet would hear of it much later.
            self._write_deadline = now + self._timeouts.write
        self._taken = taken
        if rate := self._limits.min_body_rate:
            if self._answer_watch is None:
                self._answer_watch = Watch(rate, self._timeouts.write)
            if not self._answer_watch.keeps_up(taken, now):
                self.abortConnection()

    def _advance(self) -> None:
        """Begin what can be begun."""
        raise NotImplementedError
