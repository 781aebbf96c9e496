"""The PROXY header: believed from the balancer, and from nobody else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.interfaces import IAddress
from twisted.internet.protocol import Protocol, ServerFactory
from twisted.internet.task import Clock
from twisted.logger import capturedLogs

from s3daemon.config_listen import TlsFiles
from s3daemon.ops.proxied import ProxiedFactory
from s3daemon.ops.tls import Certificates, TlsFactory
from s3daemon.wire.forwarded import Networks
from tests.support.certificates import NOW, Authority
from tests.support.tlsclient import Socket, TlsClient, trusting

BALANCER = IPv4Address("TCP", "10.0.0.1", 4000)
HEADER = b"PROXY TCP4 192.0.2.1 10.0.0.1 56324 443\r\n"
CLIENT = IPv4Address("TCP", "192.0.2.1", 56324)


class Echo(Protocol):
    def __init__(self, addr: IAddress | None) -> None:
        self.addr = addr
        self.lost = 0

    def dataReceived(self, data: bytes) -> None:
        assert self.transport is not None
        self.transport.write(data)

    def connectionLost(self, reason: Any = None) -> None:
        self.lost += 1


class Echoes(ServerFactory):
    """Keeps what it made; refuses when it is told to."""

    noisy = False

    def __init__(self) -> None:
        self.made: list[Echo] = []
        self.full = False

    def buildProtocol(self, addr: IAddress | None) -> Echo | None:  # type: ignore[override]
        if self.full:
            return None
        self.made.append(Echo(addr))
        return self.made[-1]


class Behind:
    """A listener behind a balancer, without a network."""

    def __init__(self, *trusted: str) -> None:
        self.clock = Clock()
        self.echoes = Echoes()
        self.factory = ProxiedFactory(self.echoes, Networks(trusted), 10.0, self.clock)

    def connect(self, peer: IAddress = BALANCER) -> Socket | None:
        protocol = self.factory.buildProtocol(peer)
        if protocol is None:
            return None
        socket = Socket(self.clock)
        socket.protocol = protocol
        protocol.makeConnection(socket)
        return socket


def connected(*trusted: str) -> tuple[Behind, Socket]:
    behind = Behind(*(trusted or ("10.0.0.0/8",)))
    socket = behind.connect()
    assert socket is not None
    return behind, socket


@pytest.mark.parametrize("step", [1, 7, 1000])
def test_the_client_is_whom_the_header_names(step: int) -> None:
    behind, socket = connected()
    data = HEADER + b"hello"
    for begin in range(0, len(data), step):
        socket.protocol.dataReceived(data[begin : begin + step])
    (echo,) = behind.echoes.made
    assert echo.addr == CLIENT
    assert socket.value() == b"hello"
    assert socket.protocol is echo, "nothing stays in between"
    assert behind.clock.getDelayedCalls() == []
    assert not behind.factory.waiting


def test_a_client_of_ipv6() -> None:
    behind, socket = connected()
    socket.protocol.dataReceived(b"PROXY TCP6 2001:db8::1 ::1 5 443\r\n")
    assert behind.echoes.made[0].addr == IPv6Address("TCP", "2001:db8::1", 5)


def test_a_balancer_that_speaks_for_itself() -> None:
    behind, socket = connected()
    socket.protocol.dataReceived(b"PROXY UNKNOWN\r\n")
    assert behind.echoes.made[0].addr == BALANCER


@pytest.mark.parametrize(
    "peer", [IPv4Address("TCP", "203.0.113.5", 1), UNIXAddress(None), IPv6Address("TCP", "::1", 1)]
)
def test_nobody_else_gets_in(peer: IAddress) -> None:
    behind = Behind("10.0.0.0/8")
    with capturedLogs() as events:
        assert behind.connect(peer) is None
    assert "not in server.trusted_proxies" in events[0]["log_format"]
    assert not behind.echoes.made


def test_programs_of_this_machine_when_they_are_named() -> None:
    behind = Behind("unix")
    socket = behind.connect(UNIXAddress(None))
    assert socket is not None
    socket.protocol.dataReceived(HEADER)
    assert behind.echoes.made[0].addr == CLIENT


@pytest.mark.parametrize(
    "data", [b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01", b"PROXY TCP4 a b c d\r\n", b"\r\n\r\nx"]
)
def test_what_is_no_header_ends_the_connection(data: bytes) -> None:
    behind, socket = connected()
    with capturedLogs() as events:
        socket.protocol.dataReceived(data)
    assert socket.closed == "aborted"
    assert not behind.echoes.made
    assert socket.value() == b""
    assert events[0]["host"] == "10.0.0.1"
    behind.clock.advance(0)
    assert behind.clock.getDelayedCalls() == []


def test_a_header_has_to_come_in_time() -> None:
    behind, socket = connected()
    socket.protocol.dataReceived(HEADER[:-1])
    behind.clock.advance(9.9)
    assert not socket.closed
    with capturedLogs() as events:
        behind.clock.advance(0.1)
    assert socket.closed == "aborted"
    assert "did not come in time" in events[0]["log_format"]


def test_a_balancer_that_goes_away_before() -> None:
    behind, socket = connected()
    socket.loseConnection()
    behind.clock.advance(0)
    assert behind.clock.getDelayedCalls() == []
    assert not behind.factory.waiting
    assert not behind.echoes.made


def test_the_end_of_the_listener_ends_what_waits_only() -> None:
    behind, waits = connected()
    through = behind.connect()
    assert through is not None
    through.protocol.dataReceived(HEADER)
    behind.factory.close()
    assert (waits.closed, through.closed) == ("aborted", "")


def test_a_factory_that_takes_nobody() -> None:
    behind, socket = connected()
    behind.echoes.full = True
    socket.protocol.dataReceived(HEADER)
    assert socket.closed == "done"


@pytest.mark.parametrize("early", [True, False])
def test_the_header_comes_before_tls(early: bool, tmp_path: Path) -> None:
    authority = Authority.today()
    made = Certificates(TlsFiles(*authority.issue().write(tmp_path)), lambda: NOW)
    echoes = Echoes()
    factory = ProxiedFactory(TlsFactory(made, echoes), Networks(["192.0.2.0/24"]), 10.0, Clock())
    client = TlsClient(factory, trusting(authority.certificate), HEADER if early else b"")
    if not early:
        client.deliver(HEADER[:9])
        client.deliver(HEADER[9:])
    client.handshake()
    client.send(b"hello")
    assert client.received == b"hello"
    assert echoes.made[0].addr == CLIENT
