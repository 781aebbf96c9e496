"""A server factory and its connections, over memory or over a socket that is turned by hand."""

from __future__ import annotations

import re
import socket
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from twisted.internet.address import IPv4Address
from twisted.internet.defer import execute
from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.interfaces import IAddress
from twisted.internet.main import CONNECTION_DONE
from twisted.internet.task import Clock
from twisted.internet.tcp import Connection
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from zope.interface import directlyProvides

from s3daemon.http.channel import Channel
from s3daemon.http.factory import S3Factory
from s3daemon.http.request import Request


class Memory(StringTransport):
    """A transport that closes when nobody produces for it, and tells its protocol."""

    def __init__(self) -> None:
        super().__init__(peerAddress=IPv4Address("TCP", "192.0.2.7", 5555))
        self.channel: Channel | None = None
        self.closed = ""

    def write(self, data: bytes) -> None:
        assert not self.closed, "written after the end"
        super().write(data)

    def loseConnection(self) -> None:
        assert self.producer is None, "a transport does not close for a producer"
        self.end("done", ConnectionDone())

    def abortConnection(self) -> None:
        self.end("aborted", ConnectionLost())

    def end(self, how: str, reason: Exception) -> None:
        if not self.closed:
            self.closed = how
            assert self.channel is not None
            self.channel.connectionLost(Failure(reason))


class Client:
    """The other side of one connection over memory."""

    def __init__(self, factory: S3Factory, peer: IAddress | None = None) -> None:
        self.transport = Memory()
        self.channel = factory.buildProtocol(peer)
        self.transport.channel = self.channel
        self.channel.makeConnection(self.transport)

    def send(self, data: bytes, step: int = 0) -> None:
        """Send it at once, or so many bytes at a time."""
        for begin in range(0, len(data), step or len(data)):
            self.channel.dataReceived(data[begin : begin + (step or len(data))])

    def received(self) -> bytes:
        """What came since the last call, without Date."""
        data = self.transport.value()
        self.transport.clear()
        return re.sub(rb"Date: [^\r]*\r\n", b"", data)

    @property
    def closed(self) -> str:
        """How the connection was closed, or ''."""
        return self.transport.closed

    @property
    def paused(self) -> bool:
        return self.transport.producerState == "paused"

    def stall(self) -> None:
        """The client reads no more, and the buffers are full."""
        assert self.transport.producer is not None
        self.transport.producer.pauseProducing()

    def go_on(self) -> None:
        assert self.transport.producer is not None
        self.transport.producer.resumeProducing()

    def vanish(self) -> None:
        self.transport.end("lost", ConnectionLost())


class Server:
    """A factory, its clock, and the requests that were processed."""

    def __init__(self, process: Callable[[Request], object] | None = None, **options: Any) -> None:
        self.clock = Clock()
        self.requests: list[Request] = []
        self._process = process
        if "site" not in options:
            options["process"] = self.process
        self.factory = S3Factory(self.clock, execute, server=b"test", wall=lambda: 0.0, **options)

    def process(self, request: Request) -> None:
        self.requests.append(request)
        if self._process is not None:
            self._process(request)

    def connect(self, peer: IAddress | None = None) -> Client:
        """A client; of this address by the word of a balancer, if one is given."""
        return Client(self.factory, peer)

    def after(self, seconds: float) -> None:
        for _ in range(int(seconds)):
            self.clock.advance(1)


class Loop:
    """A reactor for descriptors that does nothing by itself."""

    def __init__(self) -> None:
        self.readers: set[Any] = set()
        self.writers: set[Any] = set()
        self.addReader = self.readers.add
        self.addWriter = self.writers.add
        self.removeReader = self.readers.discard
        self.removeWriter = self.writers.discard
        self.callLater: Any = None


class SocketServerSide(Connection):
    """The transport of the server's side, as a listening port would make it."""

    def getPeer(self) -> IPv4Address:
        return IPv4Address("TCP", "192.0.2.7", 5555)

    def getHost(self) -> IPv4Address:
        return IPv4Address("TCP", "192.0.2.1", 80)

    def setTcpNoDelay(self, enabled: bool) -> None:
        assert enabled


class SocketClient:
    """The other side of one connection over a socket; nothing moves by itself."""

    def __init__(self, server: Server, provided: Any = None) -> None:
        # Not TCP: there every byte is where it belongs when the call returns.
        self.socket, side = socket.socketpair()
        self.socket.setblocking(False)
        side.setblocking(False)
        self.loop = Loop()
        self.loop.callLater = server.clock.callLater
        self.server = server
        self.channel = server.factory.buildProtocol(None)
        self.transport = SocketServerSide(side, self.channel, self.loop)
        if provided is not None:
            directlyProvides(self.transport, provided)
        self.transport.connected = 1
        self.channel.makeConnection(self.transport)
        self.transport.startReading()

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)
        self.read()

    def read(self) -> None:
        """Let the server read what was sent."""
        if self.transport in self.loop.readers:
            self._dispose(self.transport.doRead(), reading=True)

    def write(self) -> None:
        """Let the server write what it has, as far as the socket takes it."""
        if self.transport in self.loop.writers:
            self._dispose(self.transport.doWrite(), reading=False)

    def _dispose(self, why: Any, reading: bool) -> None:
        if why is None:
            return
        self.transport.stopReading()
        if reading and why is CONNECTION_DONE:
            self.transport.readConnectionLost(Failure(why))
        else:
            self.transport.stopWriting()
            self.transport.connectionLost(Failure(why))

    def receive(self, size: int) -> bytes:
        """Exactly so many bytes, or all up to the end of the connection."""
        data = bytearray()
        while len(data) < size:
            try:
                piece = self.socket.recv(min(65536, size - len(data)))
            except BlockingIOError:
                assert self.loop.writers or self.server.clock.getDelayedCalls()
                self.server.clock.advance(0)
                self.write()
                continue
            if not piece:
                break
            data += piece
        return bytes(data)

    def close(self) -> None:
        self.socket.close()
        self.transport.abortConnection()
        self.server.clock.advance(0)


@pytest.fixture
def serve() -> type[Server]:
    """Makes a server."""
    return Server


@pytest.fixture
def over_socket() -> Iterator[Callable[..., SocketClient]]:
    """Makes a client of a server over a socket."""
    clients: list[SocketClient] = []

    def connect(server: Server, provided: Any = None) -> SocketClient:
        clients.append(SocketClient(server, provided))
        return clients[-1]

    yield connect
    for client in clients:
        client.close()
