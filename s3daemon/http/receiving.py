"""Requests on a connection, one after the other, and their bodies.

A request is processed as soon as its head is there.  What a client sends ahead waits, and beyond a
bound the client is paused.  After an answer that leaves a body unread, a short rest is thrown away
and the connection lives on; a long one ends it.
"""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Any

from twisted.internet.interfaces import IHalfCloseableProtocol, ISSLTransport, ITCPTransport
from twisted.internet.protocol import connectionDone
from twisted.internet.tcp import Connection
from twisted.python.failure import Failure
from zope.interface import implementer

from s3daemon.http.body import Body, BodyIncomplete, BodyTooSlow
from s3daemon.http.ending import Ending, Phase
from s3daemon.http.head import CLOSE, KEEP_ALIVE
from s3daemon.http.outlet import Outlet
from s3daemon.http.producers import Producers
from s3daemon.http.request import Request
from s3daemon.wire.framing import ChunkedFraming, Framing, LengthFraming
from s3daemon.wire.http1 import Head, HeadError, check_begin, parse_head

if TYPE_CHECKING:
    from s3daemon.http.factory import S3Factory

# RFC 9112, section 2.2: empty lines before a request are no part of it.
_EMPTY_LINES = re.compile(rb"(?:\r\n)++")

_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"

#: Bodies from this length on are received in big reads, of so many bytes.
BIG_BODY = 1024 * 1024
BIG_READ = 256 * 1024


@implementer(IHalfCloseableProtocol)
class Receiver(Ending):
    """A connection that receives requests, one at a time."""

    def __init__(self, factory: S3Factory) -> None:
        super().__init__(factory)
        self._input = b""  # received, and not yet part of a request
        self._searched = 0  # so much of it holds no end of a head
        self._reading = True
        self._advancing = False
        self._request: Request | None = None
        self._body: Body | None = None
        self._body_wanted = False  # somebody waits for it
        self._body_held = False  # as much of it is held as may be
        self._continued = False
        self._keep = False  # the answer under way leaves the connection open
        self._declared: int | None = None  # bytes that a head of twisted.web has promised
        self._producers = Producers(factory.reactor)
        self._secure = False

    # -- from the transport ------------------------------------------------------------

    def connectionMade(self) -> None:
        """Begin; the first head is awaited."""
        transport: Any = self.transport
        self._secure = ISSLTransport.providedBy(transport)
        if ITCPTransport.providedBy(transport):
            transport.setTcpNoDelay(True)
        self.outlet = Outlet(transport, self._output_changed)
        self._deadline = self._reactor.seconds() + self._timeouts.head
        if not self.factory.joined(self):
            self._refuse(HeadError(503, "Too many connections. Reduce your request rate."))

    def dataReceived(self, data: bytes) -> None:
        """Bytes of a head, of a body, of a later request, or of no interest."""
        phase = self._phase
        if phase is Phase.IDLE or phase is Phase.HEAD:
            self._input = self._input + data if self._input else data
            self._advance()
        elif phase is Phase.DRAIN or (phase is Phase.REQUEST and not self._whole):
            self._feed(data)
        elif phase is Phase.REQUEST:
            self._input += data
        else:
            self._throw_away(len(data))
        if self._input or not self._reading:
            self._update_reading()

    def readConnectionLost(self) -> None:
        """The client will send no more; it may still read (RFC 9112, section 9.6)."""
        self._eof, self._reading = True, False
        if self._phase is Phase.REQUEST:
            if not self._whole and self._body is not None:
                self._body.fail(BodyIncomplete("The body of your request ended early."))
        elif self._phase is Phase.IDLE or self._phase is Phase.HEAD:
            self._advance()
        elif self._phase is Phase.DRAIN:
            self._finish(linger=False)
        elif self._phase is Phase.LINGER:
            self._close()

    def writeConnectionLost(self) -> None:
        """Our own half-close is done."""

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """The connection is gone: whoever works for it or waits for it is told."""
        self._phase = Phase.CLOSED
        self._deadline = self._write_deadline = math.inf
        self._input = b""
        self._producers.lost()
        request, self._request = self._request, None
        if request is not None:
            self.factory.running -= 1
            request.connectionLost(reason)
        self.outlet.lost()
        body, self._body = self._body, None
        if body is not None:
            body.fail(BodyIncomplete("The connection was lost."))
        self.factory.left(self)

    # -- heads -------------------------------------------------------------------------

    def _advance(self) -> None:
        """Begin what can be begun; requests that are answered at once do not nest."""
        if self._advancing:
            return
        self._advancing = True
        try:
            while (
                (self._input or self._eof)
                and self._is_between
                and not self.outlet.blocked
                and self._begin()
            ):
                pass
        finally:
            self._advancing = False

    def _begin(self) -> bool:
        """Process the next request, if its head is there."""
        data = self._input
        if not self._searched and (empty := _EMPTY_LINES.match(data)) is not None:
            data = self._input = data[empty.end() :]
        limits = self._limits
        end = data.find(b"\r\n\r\n", max(0, self._searched - 3)) + 4
        try:
            if end < 4:
                self._await_head(data)
                return False
            head = parse_head(data[:end], limits.head)
        except HeadError as error:
            self._refuse(error)
            return False
        self._input = data[end:]
        self._searched = 0
        framing: Framing | None = None
        if head.chunked:
            framing = ChunkedFraming(limits.chunks)
        elif head.length:
            framing = LengthFraming(head.length)
        self._phase = Phase.REQUEST
        self._deadline = math.inf
        self._body_wanted = self._body_held = self._continued = self._keep = False
        self._declared = None
        body = self._body = Body(framing, self, limits.hold)
        request = self._request = self._make_request(head, body)
        self.factory.running += 1
        if framing is not None:
            if self.outlet.direct and (head.length or BIG_BODY) >= BIG_BODY:
                self._read_size(BIG_READ)
            if self._input:
                data, self._input = self._input, b""
                self._feed(data)
            if self._eof and not body.complete:
                body.fail(BodyIncomplete("The body of your request ended early."))
        try:
            self.factory.process(request)
        except Exception:  # noqa: BLE001  # a bug above must not stop the connections' reactor
            self.factory.logger.failure("while processing a request")
            self._give_up(request)
        return True

    def _await_head(self, data: bytes) -> None:
        if self._eof:
            self._finish(linger=False)
        elif data and data != b"\r":
            check_begin(data, self._limits.head, self._searched)
            self._searched = len(data)
            if self._phase is Phase.IDLE:
                self._phase = Phase.HEAD
                self._deadline = self._reactor.seconds() + self._timeouts.head

    def _refuse(self, error: HeadError) -> None:
        """Answer what is no request, and end the connection."""
        self._input = b""
        self.outlet.write(self.factory.bad_request(error.status, error.reason))
        self._finish(linger=True)

    def _give_up(self, request: Request) -> None:
        """The request will not be answered as it should."""
        if request.finished:
            return
        if request.startedWriting:
            self.abortConnection()
        elif self._request is request:
            self.outlet.write(self.factory.bad_request(500, "An internal error occurred."))
            self._finish(linger=True)

    def _make_request(self, head: Head, body: Body) -> Request:
        raise NotImplementedError

    # -- bodies --------------------------------------------------------------------------

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

    def body_wanted(self) -> None:
        """See :class:`s3daemon.http.body.ISource`."""
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
        """See :class:`s3daemon.http.body.ISource`."""
        if self._body_wanted:
            self._body_wanted = False
            self._deadline = math.inf

    def body_overflows(self) -> None:
        """See :class:`s3daemon.http.body.ISource`."""
        self._body_held = True
        self._update_reading()

    def _update_reading(self) -> None:
        """Pause the client when there is more of something than may be, else let it go on."""
        phase = self._phase
        if self._eof or phase is Phase.CLOSING or phase is Phase.CLOSED:
            return
        if phase is Phase.REQUEST and not self._whole:
            wanted = not self._body_held
        elif phase is Phase.REQUEST or self.outlet.blocked:
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

    def _read_size(self, size: int) -> None:
        transport: Any = self.transport
        transport.bufferSize = size

    # -- answers, and what comes after them -------------------------------------------------

    def connection_line(self, request: Request, delimited: bool = True) -> bytes:
        """Decide whether the connection outlives this answer; the header line that says so.

        :param delimited: the client can tell where the answer ends without a close.
        """
        keep = request.head.keep_alive and delimited and not self.factory.draining
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

    def _forget_input(self) -> None:
        self._input = b""
        if self._body is not None:
            self._body.discard()

    def _late(self) -> None:
        if self._phase is Phase.REQUEST:
            if self._body is not None:
                self._body.fail(BodyTooSlow("No byte of the body came for too long."))
        elif self._phase is Phase.HEAD:
            self._refuse(HeadError(408, "Your request did not arrive in time."))
        else:
            super()._late()
