"""The client's side of a TLS connection over memory: Python's own ssl against our factory."""

from __future__ import annotations

import ssl
from contextlib import suppress
from typing import Any

from twisted.internet.address import IPv4Address
from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.interfaces import ITCPTransport
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from zope.interface import implementer

PEER = IPv4Address("TCP", "192.0.2.7", 5555)


@implementer(ITCPTransport)
class Socket(StringTransport):
    """The server's transport; what it writes waits to be taken.

    It tells its protocol of the end in the next turn of the clock, as sockets do.

    :ivar closed: how the server's side was closed, or "".
    :ivar most: so many bytes fit before the producer is paused, as in a socket and its buffer.
    """

    def __init__(self, clock: Clock) -> None:
        super().__init__(peerAddress=PEER)
        self._clock = clock
        self.protocol: Any = None
        self.closed = ""
        self.most = 64 * 1024
        self._full = False

    def setTcpNoDelay(self, enabled: bool) -> None: ...

    def write(self, data: bytes) -> None:
        if self.closed:
            return
        super().write(data)
        if self.producer is not None and not self._full and len(self.value()) > self.most:
            self._full = True
            self.producer.pauseProducing()

    def take(self) -> bytes:
        """The client's kernel takes everything."""
        data = self.value()
        self.clear()
        if self._full:
            self._full = False
            if self.producer is not None:
                self.producer.resumeProducing()
        elif self.disconnecting:
            self._end("done", ConnectionDone())
        return data

    def loseConnection(self) -> None:
        super().loseConnection()
        if not self.value():
            self._end("done", ConnectionDone())

    def abortConnection(self) -> None:
        self.clear()  # what the kernel has not taken is gone
        self._end("aborted", ConnectionLost())

    def lose(self) -> None:
        """The other side is gone."""
        self._end("lost", ConnectionLost())

    def _end(self, how: str, reason: Exception) -> None:
        if not self.closed:
            self.closed = how
            self._clock.callLater(0, lambda: self.protocol.connectionLost(Failure(reason)))


def trusting(authority: bytes) -> ssl.SSLContext:
    """What a careful client has."""
    return ssl.create_default_context(cadata=authority.decode())


class TlsClient:
    """One connection to a factory that speaks TLS.

    :ivar received: clear text that came.
    :ivar ended: the server has said that nothing more comes (close_notify).
    """

    def __init__(
        self,
        factory: Any,
        context: ssl.SSLContext,
        preamble: bytes = b"",
        clock: Clock | None = None,
    ) -> None:
        self._clock = Clock() if clock is None else clock
        self.socket = Socket(self._clock)
        self._in, self._out = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self._in, self._out, server_hostname="localhost")
        self.socket.protocol = factory.buildProtocol(PEER)
        self.received = bytearray()
        self.ended = False
        self.socket.protocol.makeConnection(self.socket)
        if preamble:
            self.deliver(preamble)

    def deliver(self, data: bytes) -> None:
        """Bytes on the wire, as they are."""
        if data and not self.socket.closed:
            self.socket.protocol.dataReceived(data)
        self._clock.advance(0)

    def turn(self) -> bool:
        """Move what waits, both ways; whether anything did."""
        out = self._out.read()
        if out:
            self.deliver(out)
        came = self.socket.take()
        if came:
            self._in.write(came)
        self._clock.advance(0)
        return bool(out or came)

    def handshake(self) -> TlsClient:
        """Both sides agree, or ssl.SSLError."""
        for _ in range(10):
            try:
                self.tls.do_handshake()
            except ssl.SSLWantReadError:
                if not self.turn():
                    raise
            else:
                self.turn()
                return self
        raise AssertionError("the handshake does not end")

    def send(self, data: bytes) -> None:
        """Send clear text, and take what comes."""
        view = memoryview(data)
        while view:
            view = view[self.tls.write(view[: 64 * 1024]) :]
            self.turn()
        self.read()

    def read(self) -> bytearray:
        """All clear text that has come so far."""
        while True:
            self.turn()
            try:
                piece = self.tls.read(256 * 1024)
            except ssl.SSLWantReadError:
                if not self.turn():
                    return self.received
                continue
            except ssl.SSLZeroReturnError:
                piece = b""
            if not piece:
                self.ended = True
                return self.received
            self.received += piece

    def vanish(self) -> None:
        """The connection breaks, without a word of TLS."""
        self.socket.lose()
        self._clock.advance(0)

    def say_goodbye(self) -> None:
        """Send close_notify."""
        with suppress(ssl.SSLWantReadError):
            self.tls.unwrap()
        self.turn()
