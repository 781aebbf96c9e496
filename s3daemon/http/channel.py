"""HTTP/1.1 from the server's side: a request is processed as soon as its head is there.

To ``twisted.web``'s request this is what its own channel is, or a stream of its HTTP/2.  One
request at a time is under way; what a client sends ahead waits, and beyond a bound the client is
paused.  After an answer that leaves a body unread, the rest is thrown away when it is short, else
the connection ends, and in such a way that the client still reads the answer (RFC 9112, section
9.6).
"""

from __future__ import annotations

import enum
import math
import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from twisted.internet.interfaces import (
    IAddress,
    IHalfCloseableProtocol,
    ISSLTransport,
    ITCPTransport,
)
from twisted.internet.protocol import Protocol, connectionDone
from twisted.internet.tcp import Connection
from twisted.python.failure import Failure
from zope.interface import implementer

from s3daemon.http.body import Body, BodyIncomplete, BodyTooSlow
from s3daemon.http.head import CLOSE, KEEP_ALIVE, twisted_head
from s3daemon.http.outlet import Outlet
from s3daemon.http.producers import Producers
from s3daemon.http.request import Request
from s3daemon.wire.framing import ChunkedFraming, Framing, LengthFraming
from s3daemon.wire.http1 import HeadError, check_begin, parse_head

if TYPE_CHECKING:
    from s3daemon.http.factory import S3Factory

# RFC 9112, section 2.2: empty lines before a request are no part of it.
_EMPTY_LINES = re.compile(rb"(?:\r\n)++")

_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"

#: Bodies from this length on are received in big reads, of so many bytes.
BIG_BODY = 1024 * 1024
BIG_READ = 256 * 1024


class _Phase(enum.Enum):
    """What a connection is about."""

    IDLE = enum.auto()  # no request is under way, no byte of the next has come
    HEAD = enum.auto()  # some of a head has come
    REQUEST = enum.auto()  # a request is under way
    DRAIN = enum.auto()  # it was answered; the rest of its body is thrown away
    FLUSH = enum.auto()  # the last answer was given, and is going out
    LINGER = enum.auto()  # it went out; what still comes is thrown away
    CLOSING = enum.auto()  # the transport is told to close
    CLOSED = enum.auto()


@implementer(IHalfCloseableProtocol)
class Channel(Protocol):
    """One connection.

    :ivar outlet: where answers go.
    """

    factory: S3Factory
    outlet: Outlet

    def __init__(self, factory: S3Factory) -> None:
        self.factory = factory
        self.site = factory.site
        self._reactor = factory.reactor
        self._timeouts = factory.timeouts
        self._limits = factory.limits
        self._phase = _Phase.IDLE
        self._input = b""  # received, and not yet part of a request
        self._eof = False
        self._reading = True
        self._advancing = False
        self._request: Request | None = None
        self._body: Body | None = None
        self._body_wanted = False  # somebody waits for it
        self._body_held = False  # as much of it is held as may be
        self._continued = False
        self._keep = False  # the answer under way leaves the connection open
        self._declared: int | None = None
        self._linger = False
        self._discarded = 0
        self._deadline = math.inf
        self._write_deadline = math.inf
        self._addresses: tuple[IAddress, IAddress] | None = None
        self._secure = False
        self._producers = Producers(factory.reactor)

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
        if phase is _Phase.IDLE or phase is _Phase.HEAD:
            self._input = self._input + data if self._input else data
            self._advance()
        elif phase is _Phase.DRAIN or (phase is _Phase.REQUEST and not self._whole):
            self._feed(data)
        elif phase is _Phase.REQUEST:
            self._input += data
        else:
            self._discarded += len(data)
            if phase is _Phase.LINGER and self._discarded > self._limits.linger:
                self._close()
        if self._input or not self._reading:
            self._update_reading()

    def readConnectionLost(self) -> None:
        """The client will send no more; it may still read (RFC 9112, section 9.6)."""
        self._eof, self._reading = True, False
        if self._phase is _Phase.REQUEST:
            if not self._whole and self._body is not None:
                self._body.fail(BodyIncomplete("The body of your request ended early."))
        elif self._phase is _Phase.IDLE or self._phase is _Phase.HEAD:
            self._advance()
        elif self._phase is _Phase.DRAIN:
            self._finish(linger=False)
        elif self._phase is _Phase.LINGER:
            self._close()

    def writeConnectionLost(self) -> None:
        """Our own half-close is done."""

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """The connection is gone: whoever works for it or waits for it is told."""
        self._phase = _Phase.CLOSED
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
            while self._is_between and not self.outlet.blocked and self._begin():
                pass
        finally:
            self._advancing = False

    @property
    def _is_between(self) -> bool:
        return self._phase is _Phase.IDLE or self._phase is _Phase.HEAD

    def _begin(self) -> bool:
        """Process the next request, if its head is there."""
        data = self._input
        if (empty := _EMPTY_LINES.match(data)) is not None:
            data = self._input = data[empty.end() :]
        limits = self._limits
        end = data.find(b"\r\n\r\n") + 4
        try:
            if end < 4:
                self._await_head(data)
                return False
            head = parse_head(data[:end], limits.head)
        except HeadError as error:
            self._refuse(error)
            return False
        self._input = data[end:]
        framing: Framing | None = None
        if head.chunked:
            framing = ChunkedFraming(limits.chunks)
        elif head.length:
            framing = LengthFraming(head.length)
        self._phase = _Phase.REQUEST
        self._deadline = math.inf
        self._body_wanted = self._body_held = self._continued = self._keep = False
        self._declared = None
        body = self._body = Body(framing, self, limits.hold)
        request = self._request = Request(self, head, body)
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
            check_begin(data, self._limits.head)
            if self._phase is _Phase.IDLE:
                self._phase = _Phase.HEAD
                self._deadline = self._reactor.seconds() + self._timeouts.head

    def _refuse(self, error: HeadError) -> None:
        """Answer what is no request, and end the connection."""
        self._input = b""
        self.outlet.write(self.factory.bad_request(error.status, error.reason))
        self._finish(linger=True)

    def _give_up(self, request: Request) -> None:
        """The request will not be answered as it should."""
        if request.startedWriting:
            self.abortConnection()
        elif self._request is request:
            self.outlet.write(self.factory.bad_request(500, "An internal error occurred."))
            self._finish(linger=True)

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
        if self._phase is _Phase.REQUEST:
            self._input = rest
            self._body_wanted = False
            self._deadline = math.inf
            body.settle()
        elif self._phase is _Phase.DRAIN:
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
        if self._phase is _Phase.REQUEST and not self._whole:
            wanted = not self._body_held
        elif self._phase is _Phase.REQUEST or self.outlet.blocked:
            wanted = len(self._input) <= self._limits.ahead
        else:
            wanted = True
        closing = self._phase is _Phase.CLOSING or self._phase is _Phase.CLOSED
        if wanted != self._reading and not self._eof and not closing:
            self._reading = wanted
            transport: Any = self.transport
            if wanted:
                transport.resumeProducing()
            else:
                transport.pauseProducing()

    def _read_size(self, size: int) -> None:
        assert isinstance(self.transport, Connection)
        self.transport.bufferSize = size

    # -- answers: what a request calls ---------------------------------------------------

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
        if self._phase is not _Phase.REQUEST:
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
            self._phase = _Phase.DRAIN
            self._deadline = self._reactor.seconds() + self._timeouts.linger
            self._update_reading()

    def writeHeaders(self, version: bytes, code: bytes, reason: bytes, headers: Any) -> None:
        """The head of an answer that ``twisted.web`` put together."""
        request = self._request
        if request is None:
            return
        head, self._declared, delimited = twisted_head(
            int(code), reason, headers, request.method == b"HEAD"
        )
        line = self.connection_line(request, delimited)
        self.outlet.write(head + self.factory.stamp.lines() + line + b"\r\n", more=True)

    def write(self, data: bytes) -> None:
        """Bytes of an answer."""
        self.outlet.write(data)

    def writeSequence(self, pieces: Iterable[bytes]) -> None:
        """Bytes of an answer."""
        self.outlet.write(b"".join(pieces))

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        """Somebody will write the answer piece by piece, at the client's pace."""
        self._producers.register(producer, streaming, self.outlet.blocked)

    def unregisterProducer(self) -> None:
        """Nobody does any more."""
        self._producers.unregister()

    def getPeer(self) -> IAddress:
        """The client's address."""
        # Asked for late, since a PROXY header, which may change it, comes with the first bytes.
        if self._addresses is None:
            transport: Any = self.transport
            self._addresses = (transport.getPeer(), transport.getHost())
        return self._addresses[0]

    def getHost(self) -> IAddress:
        """Our address."""
        self.getPeer()
        assert self._addresses is not None
        return self._addresses[1]

    def isSecure(self) -> bool:
        """Whether this is TLS."""
        return self._secure

    def loseConnection(self) -> None:
        """End the connection when what was written has gone out."""
        if self._phase in (_Phase.IDLE, _Phase.HEAD, _Phase.REQUEST, _Phase.DRAIN):
            self._finish(linger=not self._whole)

    def abortConnection(self) -> None:
        """End the connection now; the client sees that something went wrong."""
        if self._phase is not _Phase.CLOSED:
            self._phase = _Phase.CLOSING
            self._deadline = self._write_deadline = math.inf
            self.outlet.close()
            transport: Any = self.transport
            transport.abortConnection()

    # -- between requests, and the end -----------------------------------------------------

    def _next(self) -> None:
        self._phase = _Phase.IDLE
        self._body = None
        self._deadline = self._reactor.seconds() + self._timeouts.idle
        if self.factory.draining:
            self._finish(linger=False)
        elif self._input or self._eof:
            self._advance()
        if not self._reading:
            self._update_reading()

    def drain(self) -> None:
        """End the connection as soon as no request is under way."""
        if self._is_between:
            self._finish(linger=False)

    def _finish(self, linger: bool) -> None:
        """There will be no further answer."""
        self._phase = _Phase.FLUSH
        self._deadline = math.inf
        self._linger = linger
        self._input = b""
        if self._body is not None:
            self._body.discard()
        if not self.outlet.blocked:
            self._flushed()
        else:
            self._update_reading()

    def _flushed(self) -> None:
        self.outlet.close()
        if not self._linger or self._eof:
            self._close()
            return
        self._phase = _Phase.LINGER
        self._deadline = self._reactor.seconds() + self._timeouts.linger
        if self.outlet.direct:
            # The client sees the end of the answers, while we still read what it sends: a close
            # with unread bytes would reset the connection and take the answer with it.
            assert isinstance(self.transport, Connection)
            self.transport.loseWriteConnection()
        self._update_reading()

    def _close(self) -> None:
        self._phase = _Phase.CLOSING
        self._deadline = self._reactor.seconds() + self._timeouts.linger
        assert self.transport is not None
        self.transport.loseConnection()

    def _output_changed(self) -> None:
        """The outlet is blocked or free, or the client took some of what blocks it."""
        blocked = self.outlet.blocked
        if blocked:
            self._write_deadline = self._reactor.seconds() + self._timeouts.write
        else:
            self._write_deadline = math.inf
        self._producers.flow(blocked)
        if not blocked:
            if self._phase is _Phase.FLUSH:
                self._flushed()
            elif self._is_between:
                self._advance()
                self._update_reading()

    def tick(self, now: float) -> None:
        """Act on what has taken too long; called about once a second."""
        if now >= self._write_deadline:
            self.abortConnection()
        elif now >= self._deadline:
            self._deadline = math.inf
            self._late()

    def _late(self) -> None:
        phase = self._phase
        if phase is _Phase.REQUEST:
            if self._body is not None:
                self._body.fail(BodyTooSlow("No byte of the body came for too long."))
        elif phase is _Phase.HEAD:
            self._refuse(HeadError(408, "Your request did not arrive in time."))
        elif phase is _Phase.LINGER:
            self._close()
        elif phase is _Phase.CLOSING:
            self.abortConnection()
        else:
            self._finish(linger=False)
