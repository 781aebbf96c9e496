"""Listeners behind a balancer: the PROXY header is read before there is a protocol above.

Twisted's own wrapper stays between transport and protocol for good, believes everybody, and puts
the header inside TLS, where no balancer sends it.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.interfaces import (
    IAddress,
    IDelayedCall,
    IProtocol,
    IProtocolFactory,
    IReactorTime,
)
from twisted.internet.protocol import Protocol, ServerFactory, connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure

from s3daemon.streams.addresses import host_of
from s3daemon.wire.forwarded import Networks
from s3daemon.wire.proxy_header import ProxyHeader, ProxyHeaderError, parse


class ProxiedFactory(ServerFactory):
    """Reads the PROXY header of each connection, then lets another factory have it.

    :param wrapped: its ``buildProtocol`` is called with the address of the client.
    :param trusted: whose headers are believed; connections of others are closed.
    :param within: seconds in which the header has to be there.
    """

    noisy = False

    def __init__(
        self, wrapped: IProtocolFactory, trusted: Networks, within: float, clock: IReactorTime
    ) -> None:
        self.within = within
        self.clock = clock
        self.waiting: set[Preamble] = set()
        self.log = Logger(namespace="s3daemon.listen", source=self)
        self._wrapped = wrapped
        self._trusted = trusted

    def buildProtocol(self, addr: IAddress) -> Preamble | None:  # type: ignore[override]
        """One more connection, or None when nobody there is trusted."""
        if not self._trusted.has(host_of(addr)):
            self.log.info(
                "closed a connection of {host}, which is not in server.trusted_proxies",
                host=host_of(addr),
            )
            return None
        return Preamble(self, addr)

    def above(self, addr: IAddress) -> IProtocol | None:
        """What the connection of this client is for."""
        return self._wrapped.buildProtocol(addr)

    def close(self) -> None:
        """End the connections whose headers have not come."""
        for connection in list(self.waiting):
            connection.give_up()


class Preamble(Protocol):
    """Takes a connection up to the end of its PROXY header."""

    def __init__(self, factory: ProxiedFactory, addr: IAddress) -> None:
        self._factory = factory
        self._addr = addr
        self._received = b""
        self._late: IDelayedCall | None = None

    def connectionMade(self) -> None:
        """The header is awaited."""
        factory = self._factory
        factory.waiting.add(self)
        self._late = factory.clock.callLater(factory.within, self._expire)

    def dataReceived(self, data: bytes) -> None:
        """Some of the header, and what follows it."""
        self._received += data
        try:
            header = parse(self._received)
        except ProxyHeaderError as error:
            self._factory.log.info(
                "closed a connection of {host}: {error}", host=host_of(self._addr), error=error
            )
            self.give_up()
            return
        if header is not None:
            self._hand_over(header)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """The balancer is gone."""
        self._leave()

    def give_up(self) -> None:
        """End the connection."""
        self._leave()
        transport: Any = self.transport
        transport.abortConnection()

    def _expire(self) -> None:
        self._late = None
        self._factory.log.info(
            "closed a connection of {host}: its PROXY header did not come in time",
            host=host_of(self._addr),
        )
        self.give_up()

    def _leave(self) -> None:
        self._factory.waiting.discard(self)
        if self._late is not None:
            self._late.cancel()
            self._late = None

    def _hand_over(self, header: ProxyHeader) -> None:
        self._leave()
        addr = self._addr
        if header.host is not None:
            kind = IPv6Address if ":" in header.host else IPv4Address
            addr = kind("TCP", header.host, header.port)
        rest, self._received = self._received[header.size :], b""
        protocol = self._factory.above(addr)
        transport: Any = self.transport
        if protocol is None:
            transport.loseConnection()
            return
        # From here on the transport has the other protocol and nothing is in between.
        transport.protocol = protocol
        protocol.makeConnection(transport)
        if rest:
            protocol.dataReceived(rest)
