"""Sockets that several processes accept from, without a network."""

from __future__ import annotations

import errno
import os
import socket
from typing import Any

import pytest
from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.protocol import ServerFactory
from twisted.internet.testing import MemoryReactorClock
from twisted.logger import capturedLogs
from twisted.python.failure import Failure

from s3daemon.ops.accepting import PAUSE, SharedPort, address_of


class Listening:
    """A listening socket; what it accepts comes from a list."""

    def __init__(self, *waiting: Any, family: int = socket.AF_INET, name: Any = ("h", 1)) -> None:
        self.waiting = list(waiting)
        self.family = family
        self.name = name
        self.blocking = True
        self.closed = False

    def setblocking(self, flag: bool) -> None:
        self.blocking = flag

    def fileno(self) -> int:
        return -1 if self.closed else 9

    def getsockname(self) -> Any:
        return self.name

    def close(self) -> None:
        self.closed = True

    def accept(self) -> tuple[Any, Any]:
        if not self.waiting:
            raise BlockingIOError(errno.EAGAIN, "nobody")
        found = self.waiting.pop(0)
        if isinstance(found, OSError):
            raise found
        return found, ("c", 2)


class Reactor(MemoryReactorClock):
    """Takes connections, or fails to."""

    def __init__(self) -> None:
        super().__init__()
        self.taken: list[tuple[int, int, bool]] = []
        self.problem: Exception | None = None

    def adoptStreamConnection(self, fd: int, family: int, factory: Any) -> None:  # type: ignore[override]
        if self.problem is not None:
            raise self.problem
        self.taken.append((fd, family, os.get_blocking(fd)))


def opened(*waiting: Any) -> tuple[SharedPort, Reactor, Listening]:
    reactor, listening = Reactor(), Listening(*waiting)
    port = SharedPort(listening, ServerFactory(), reactor)  # type: ignore[arg-type]
    port.startListening()
    assert not listening.blocking
    return port, reactor, listening


def pair() -> socket.socket:
    ours, theirs = socket.socketpair()
    theirs.close()
    return ours


def test_one_connection_in_a_turn() -> None:
    first, second = pair(), pair()
    port, reactor, _ = opened(first, second)
    number = first.fileno()
    port.doRead()
    assert reactor.taken == [(number, socket.AF_UNIX, False)]
    assert first.fileno() == -1, "the reactor has a descriptor of its own"
    port.doRead()
    port.doRead()
    assert len(reactor.taken) == 2
    assert reactor.getReaders() == [port]


@pytest.mark.parametrize("number", [errno.EAGAIN, errno.ECONNABORTED, errno.EINTR, errno.EPROTO])
def test_others_were_quicker_or_the_client_is_gone(number: int) -> None:
    port, reactor, _ = opened(OSError(number, "no"))
    port.doRead()
    assert reactor.getReaders() == [port]
    assert reactor.getDelayedCalls() == []


def test_a_client_that_is_gone_before_it_is_taken() -> None:
    port, reactor, _ = opened(pair())
    reactor.problem = OSError(errno.ENOTCONN, "not connected")
    port.doRead()
    assert reactor.getReaders() == [port]


@pytest.mark.parametrize("number", [errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM])
def test_without_descriptors_the_others_may_have_it(number: int) -> None:
    full = OSError(number, "too many")
    port, reactor, _ = opened(full, full, pair())
    with capturedLogs() as events:
        port.doRead()
        assert reactor.getReaders() == []
        reactor.advance(PAUSE)
        assert reactor.getReaders() == [port]
        port.doRead()
    assert [event["why"] for event in events] == ["too many"], "said once"
    reactor.advance(PAUSE)
    port.doRead()
    assert len(reactor.taken) == 1


def test_the_end_while_it_pauses() -> None:
    port, reactor, listening = opened(OSError(errno.EMFILE, "too many"))
    port.doRead()
    port.stopListening()
    port.stopListening()
    reactor.advance(PAUSE)
    assert reactor.getReaders() == []
    assert listening.closed
    assert port.fileno() == -1


def test_a_bug_with_one_connection_does_not_close_the_port() -> None:
    port, reactor, _ = opened(pair())
    reactor.problem = ZeroDivisionError()
    with capturedLogs() as events:
        port.doRead()
    assert events[0]["log_failure"].check(ZeroDivisionError)
    assert reactor.getReaders() == [port]


@pytest.mark.parametrize("in_accept", [True, False])
def test_whatever_else_may_happen_is_said_and_tried_again(in_accept: bool) -> None:
    problem = OSError(errno.EOPNOTSUPP if not in_accept else errno.EBADF, "what?")
    port, reactor, _ = opened(problem if in_accept else pair())
    reactor.problem = None if in_accept else problem
    with capturedLogs() as events:
        port.doRead()
    assert [event["why"] for event in events] == ["what?"]
    assert reactor.getReaders() == []
    reactor.advance(PAUSE)
    assert reactor.getReaders() == [port]


def test_the_end_with_the_reactor() -> None:
    port, reactor, listening = opened()
    assert port.logPrefix() == "SharedPort"
    port.connectionLost(Failure(ZeroDivisionError()))
    assert reactor.getReaders() == []
    assert listening.closed


@pytest.mark.parametrize(
    ("family", "name", "address"),
    [
        (socket.AF_INET, ("127.0.0.1", 80), IPv4Address("TCP", "127.0.0.1", 80)),
        (socket.AF_INET6, ("::1", 80, 0, 0), IPv6Address("TCP", "::1", 80, 0, 0)),
        (socket.AF_UNIX, "/run/x", UNIXAddress(b"/run/x")),
    ],
)
def test_addresses(family: int, name: Any, address: object) -> None:
    listening: Any = Listening(family=family, name=name)
    assert address_of(listening) == address
    assert SharedPort(listening, ServerFactory(), Reactor()).getHost() == address
