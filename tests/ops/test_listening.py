"""Listeners: all or none, a clear word when not, and a gentle end."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.defer import Deferred
from twisted.internet.error import CannotListenError
from twisted.internet.protocol import ServerFactory
from twisted.internet.testing import MemoryReactorClock
from twisted.logger import capturedLogs

from s3daemon.ops.accepting import SharedPort
from s3daemon.ops.listening import BACKLOG, ENDING, CannotStart, Listeners, Place, shown
from s3daemon.ops.proxied import ProxiedFactory
from s3daemon.ops.tls import TlsFactory
from s3daemon.wire.forwarded import Networks
from tests.support.certificates import NOW, Authority
from tests.support.tlsclient import Socket

TRUSTED = Networks(["10.0.0.0/8"])


class Factory(ServerFactory):
    """Drains by hand."""

    def __init__(self) -> None:
        self.drained: Deferred[None] | None = None
        self.aborted = 0
        self.retired: Deferred[None] | None = None

    def retire(self) -> Deferred[None]:
        self.retired = Deferred()
        return self.retired

    def drain(self) -> Deferred[None]:
        self.drained = Deferred()
        return self.drained

    def abort(self) -> None:
        self.aborted += 1


def listeners(*descriptions: str, reactor: Any = None, drain: float = 30.0) -> Listeners:
    places = [Place.of(description, lambda: NOW) for description in descriptions]
    return Listeners(reactor or MemoryReactorClock(), Factory(), places, drain, TRUSTED, 10.0)


def test_it_opens_every_endpoint_and_says_where() -> None:
    service = listeners("tcp:1:interface=127.0.0.1", "tcp:2:interface=127.0.0.1")
    service.privilegedStartService()
    with capturedLogs() as events:
        service.startService()
    opened = [(port, backlog) for port, _, backlog, _ in service._reactor.tcpServers]
    assert opened == [(1, BACKLOG), (2, BACKLOG)]
    assert len(events) == 2


def test_a_port_that_is_taken() -> None:
    class Taken(MemoryReactorClock):
        def listenTCP(self, port: int, factory: Any, *args: Any, **kwargs: Any) -> Any:
            raise CannotListenError("127.0.0.1", port, OSError(98, "Address already in use"))

    with pytest.raises(
        CannotStart, match=r"cannot listen on 'tcp:1.*': Address already in use; stop"
    ):
        listeners("tcp:1:interface=127.0.0.1", reactor=Taken()).privilegedStartService()


def test_a_port_that_may_not_be_had() -> None:
    class Refused(MemoryReactorClock):
        def listenTCP(self, port: int, factory: Any, *args: Any, **kwargs: Any) -> Any:
            raise PermissionError(13, "Permission denied")

    with pytest.raises(CannotStart, match=r"on 'tcp:80': Permission denied; ports below 1024"):
        listeners("tcp:80", reactor=Refused()).privilegedStartService()


def running() -> tuple[Listeners, Factory, MemoryReactorClock]:
    service = listeners("tcp:1:interface=127.0.0.1", drain=30.0)
    service.privilegedStartService()
    service.startService()
    return service, service._factory, service._reactor


def test_the_stop_waits_for_the_requests_under_way() -> None:
    service, factory, clock = running()
    stopped = service.stopService()
    assert service.ports == []
    clock.advance(29)
    assert factory.drained is not None
    assert not stopped.called
    factory.drained.callback(None)
    assert stopped.called
    assert not factory.aborted
    assert clock.getDelayedCalls() == []


def test_the_stop_does_not_wait_for_ever() -> None:
    service, factory, clock = running()
    stopped = service.stopService()
    with capturedLogs() as events:
        clock.advance(30)
    assert factory.aborted == 1
    assert "still under way" in events[0]["log_format"]
    assert not stopped.called, "what was ended has to end, and be logged"
    assert factory.drained is not None
    factory.drained.callback(None)
    assert stopped.called
    assert clock.getDelayedCalls() == []


def test_nor_does_it_for_connections_that_do_not_end() -> None:
    service, factory, clock = running()
    stopped = service.stopService()
    clock.advance(30)
    assert factory.aborted == 1
    clock.advance(ENDING)
    assert stopped.called


@pytest.mark.parametrize("asked", [True, False])
def test_connections_may_ask_once_more_where_they_can_connect_again(asked: bool) -> None:
    service, factory, clock = running()
    service.linger = 5.0
    stopped = service.stopService()
    assert service.ports == []
    clock.advance(4)
    assert factory.retired is not None
    assert factory.drained is None, "nobody is closed yet"
    if asked:
        factory.retired.callback(None)
    else:
        clock.advance(1)
    assert factory.drained is not None
    factory.drained.callback(None)
    assert stopped.called
    assert clock.getDelayedCalls() == []


def test_sockets_that_listen_already() -> None:
    service = listeners("tcp:1:interface=127.0.0.1", "haproxy:tcp:2:interface=127.0.0.1")
    given = [Given(), Given()]
    service.adopt(given)  # type: ignore[arg-type]
    service.privilegedStartService()
    with capturedLogs() as events:
        service.startService()
    assert events == [], "whoever opened them says so"
    assert service._reactor.tcpServers == []
    plain, behind = service.ports
    assert set(service._reactor.getReaders()) == {plain, behind}
    assert isinstance(plain, SharedPort)
    assert plain._factory is service._factory
    assert isinstance(behind, SharedPort)
    assert isinstance(behind._factory, ProxiedFactory)
    service.stopService()
    assert [one.closed for one in given] == [True, True]


class Given:
    """A socket."""

    closed = False

    def setblocking(self, flag: bool) -> None: ...

    def close(self) -> None:
        self.closed = True


def test_where_and_how_it_listens(tmp_path: Path) -> None:
    key, certificate = Authority().issue("s3.example.com").write(tmp_path)
    description = f"haproxy:ssl:7:{key}:{certificate}:interface=127.0.0.1"
    service = listeners("tcp:1:interface=127.0.0.1", description)
    service.privilegedStartService()
    with capturedLogs() as events:
        service.startService()
    assert [event["how"] for event in events] == [
        "",
        ", behind PROXY headers, TLS for s3.example.com, valid until 2030-04-16 17:46:40 UTC",
    ]
    plain, behind = (factory for _, factory, _, _ in service._reactor.tcpServers)
    assert plain is service._factory
    assert isinstance(behind, ProxiedFactory)
    assert behind.buildProtocol(IPv4Address("TCP", "11.0.0.1", 1)) is None
    assert behind.buildProtocol(IPv4Address("TCP", "10.0.0.1", 1)) is not None
    assert isinstance(behind._wrapped, TlsFactory)


def test_the_stop_ends_connections_whose_header_has_not_come() -> None:
    service = listeners("haproxy:tcp:1:interface=127.0.0.1")
    service.privilegedStartService()
    (proxied,) = (factory for _, factory, _, _ in service._reactor.tcpServers)
    socket = Socket(service._reactor)
    socket.protocol = proxied.buildProtocol(IPv4Address("TCP", "10.0.0.1", 1))
    socket.protocol.makeConnection(socket)
    service.stopService()
    assert socket.closed == "aborted"


@pytest.mark.parametrize(
    ("problem", "says"),
    [
        (OSError(99, "Cannot assign requested address"), "this machine has no such address"),
        (OSError(105, "No buffer space available"), "No buffer space available"),
        (ValueError("something"), "cannot listen on 'tcp:80': something"),
        (CannotListenError("", 80, OSError(98, "Address already in use")), "choose another port"),
    ],
)
def test_what_to_do_about_it(problem: Exception, says: str) -> None:
    class Failing(MemoryReactorClock):
        def listenTCP(self, port: int, factory: Any, *args: Any, **kwargs: Any) -> Any:
            raise problem

    with pytest.raises(CannotStart) as caught:
        listeners("tcp:80", reactor=Failing()).privilegedStartService()
    assert says in str(caught.value)


@pytest.mark.parametrize(
    ("address", "text"),
    [
        (IPv4Address("TCP", "127.0.0.1", 80), "127.0.0.1:80"),
        (IPv6Address("TCP", "::1", 80), "[::1]:80"),
        (UNIXAddress(b"/run/x"), "/run/x"),
        (Path("other"), "other"),
    ],
)
def test_addresses_for_people(address: object, text: str) -> None:
    assert shown(address) == text
