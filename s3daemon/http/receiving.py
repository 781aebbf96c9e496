"""Requests on a connection, one after the other.

A request is processed as soon as its head is there.  What a client sends ahead waits, and beyond a
bound the client is paused.
"""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Any

from twisted.internet.interfaces import (
    IAddress,
    IHalfCloseableProtocol,
    ISSLTransport,
    ITCPTransport,
    IUNIXTransport,
)
from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from s3daemon.http.admission import Verdict
from s3daemon.http.answering import Answering
from s3daemon.http.body import Body, BodyIncomplete, BodyTooSlow
from s3daemon.http.ending import Phase
from s3daemon.http.outlet import Outlet
from s3daemon.http.request import Request
from s3daemon.streams.addresses import host_of
from s3daemon.wire.framing import ChunkedFraming, Framing, LengthFraming
from s3daemon.wire.http1 import Head, HeadError, check_begin, parse_head

if TYPE_CHECKING:
    from s3daemon.http.factory import S3Factory

# RFC 9112, section 2.2: empty lines before a request are no part of it.
_EMPTY_LINES = re.compile(rb"(?:\r\n)++")

#: Bodies from this length on are received in big reads, of so many bytes.
BIG_BODY = 1024 * 1024
BIG_READ = 256 * 1024

#: Requests of one connection, sent ahead and answered at once, before others have their turn.
BURST = 32


@implementer(IHalfCloseableProtocol)
class Receiver(Answering):
    """A connection that receives requests, one at a time."""

    def __init__(self, factory: S3Factory, peer: IAddress | None) -> None:
        super().__init__(factory)
        self._peer = peer  # of the transport, or by the word of a balancer
        self.proxied = False  # by a trusted proxy, which tells in each head whose request it is
        self._searched = 0  # so much of the input holds no end of a head
        self._advancing = False
        self._resting = False  # other connections have their turn
        self._secure = False

    # -- from the transport ------------------------------------------------------------

    def connectionMade(self) -> None:
        """Begin; the first head is awaited."""
        transport: Any = self.transport
        self._secure = ISSLTransport.providedBy(transport)
        # Twisted's UNIX transports say that they are TCP; older ones then fail at this.
        if ITCPTransport.providedBy(transport) and not IUNIXTransport.providedBy(transport):
            transport.setTcpNoDelay(True)
        self.outlet = Outlet(transport, self._output_changed)
        self._deadline = self._reactor.seconds() + self._timeouts.head
        if self._peer is None:
            self._peer = transport.getPeer()
        self.proxied = self.factory.trusted.has(host_of(self._peer))
        self._admit(self.factory.joined(self, self._peer, self.proxied))

    def _admit(self, verdict: Verdict) -> None:
        if verdict is Verdict.TOLD:
            self.outlet.write(self.factory.too_many)
            self._finish(linger=True)
        elif verdict is Verdict.DROPPED:
            self.abortConnection()

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
        """Begin what can be begun; requests that are answered at once do not nest.

        Whoever sends many ahead does not keep the other connections waiting for all of them.
        """
        if self._advancing or self._resting:
            return
        self._advancing = True
        begun = 0
        try:
            while (
                (self._input or self._eof)
                and self._is_between
                and not self.outlet.blocked
                and self._begin()
            ):
                begun += 1
                if begun == BURST and self._input and self._is_between:
                    self._resting = True
                    self._reactor.callLater(0, self._rested)
                    break
        finally:
            self._advancing = False

    def _rested(self) -> None:
        self._resting = False
        if self._is_between:
            self._advance()
            self._update_reading()

    @property
    def _is_busy(self) -> bool:
        return self._resting or self.outlet.blocked

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
        body = Body(framing, self, limits.hold)
        self._expect_body(body)
        self._expect_answer()
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
        self.factory.no_request(self._peer, error.status, error.reason)
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

    def _late(self) -> None:
        if self._phase is Phase.REQUEST:
            if self._body is not None:
                self._body.fail(BodyTooSlow("No byte of the body came for too long."))
        elif self._phase is Phase.HEAD:
            self._refuse(HeadError(408, "Your request did not arrive in time."))
        else:
            super()._late()
