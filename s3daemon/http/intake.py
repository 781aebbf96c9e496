"""The body of the request under way: fed, held, awaited, and its client paused if need be."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from s3daemon.http.body import Body, BodyTooSlow
from s3daemon.http.ending import Ending, Phase
from s3daemon.http.progress import Watch

if TYPE_CHECKING:
    from s3daemon.http.factory import S3Factory
    from s3daemon.http.request import Request

_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class Intake(Ending):
    """A connection that takes bodies in."""

    def __init__(self, factory: S3Factory) -> None:
        super().__init__(factory)
        self._input = b""  # received, and not yet part of a request
        self._reading = True
        self._request: Request | None = None
        self._body: Body | None = None
        self._body_wanted = False  # somebody waits for it
        self._body_held = False  # as much of it is held as may be
        self._body_watch: Watch | None = None
        self._continued = False

    def _expect_body(self, body: Body) -> None:
        """The body of the next request."""
        self._body = body
        self._body_wanted = self._body_held = self._continued = False
        self._body_watch = None

    @property
    def _whole(self) -> bool:
        return self._body is None or self._body.complete

    def _feed(self, data: bytes) -> None:
        body = self._body
        assert body is not None
        rest = body.feed(data)
        # The consumer may have answered meanwhile, and even ended the connection.
        if rest is None:
            if self._body_wanted:
                self._deadline = self._reactor.seconds() + self._timeouts.body
            return
        if self._phase is Phase.REQUEST:
            self._input = rest
            self._body_wanted = False
            self._deadline = math.inf
            body.settle()
        elif self._phase is Phase.DRAIN:
            self._input = rest
            self._next()

    def _next(self) -> None:
        """The request and its body are done with; go on to the one after it."""
        raise NotImplementedError

    # -- see ISource in s3daemon.http.body -----------------------------------------------------

    def body_wanted(self) -> None:
        """Somebody waits for the body: let the client go on, and watch the clock."""
        request, body = self._request, self._body
        if request is None or body is None:
            return
        if request.head.expect_continue and not self._continued and not request.startedWriting:
            self._continued = True
            if not body.received:
                self.outlet.write(_CONTINUE)
        self._body_wanted, self._body_held = True, False
        self._deadline = self._reactor.seconds() + self._timeouts.body
        self._update_reading()

    def body_unwanted(self) -> None:
        """Nobody waits for the body any more, or for now."""
        if self._body_wanted:
            self._body_wanted = False
            self._deadline = math.inf

    def body_overflows(self) -> None:
        """More is held than may be: pause the client."""
        self._body_held = True
        self._update_reading()

    # -- the client's pace ---------------------------------------------------------------------

    def tick(self, now: float) -> None:
        """See :meth:`Ending.tick`; a body that somebody waits for has to keep to the least rate."""
        if self._body_wanted:
            self._watch_body(now)
        elif self._body_watch is not None:
            self._body_watch.rest()
        super().tick(now)

    def _watch_body(self, now: float) -> None:
        rate, body = self._limits.min_body_rate, self._body
        if not rate or body is None:
            return
        if self._body_watch is None:
            self._body_watch = Watch(rate, self._timeouts.body)
        if not self._body_watch.keeps_up(body.received, now):
            body.fail(BodyTooSlow(f"Your request body came at less than {rate} bytes a second."))

    def _update_reading(self) -> None:
        """Pause the client when there is more of something than may be, else let it go on."""
        phase = self._phase
        if self._eof or phase is Phase.CLOSING or phase is Phase.CLOSED:
            return
        if phase is Phase.REQUEST and not self._whole:
            wanted = not self._body_held
        elif phase is Phase.REQUEST or self._is_busy:
            wanted = len(self._input) <= self._limits.ahead
        else:
            wanted = True
        if wanted != self._reading:
            self._reading = wanted
            transport: Any = self.transport
            if wanted:
                transport.resumeProducing()
            else:
                transport.pauseProducing()

    @property
    def _is_busy(self) -> bool:
        """What comes between requests has to wait."""
        raise NotImplementedError

    def _read_size(self, size: int) -> None:
        transport: Any = self.transport
        transport.bufferSize = size

    def _forget_input(self) -> None:
        self._input = b""
        if self._body is not None:
            self._body.discard()
