"""Clients that drip, stall, never read, or send all at once; healthy ones go on beside them."""

from __future__ import annotations

from typing import Any

import pytest
from twisted.internet.defer import Deferred, ensureDeferred
from twisted.python.failure import Failure

from s3daemon.http.body import BodyTooSlow
from s3daemon.http.limits import Limits, Timeouts
from s3daemon.http.receiving import BURST
from s3daemon.http.request import Request

GET = b"GET /a HTTP/1.1\r\nHost: h\r\n\r\n"
PUT = b"PUT /b HTTP/1.1\r\nHost: h\r\nContent-Length: 1000000\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nServer: test\r\n\r\nok"
QUICK = Timeouts(head=5, body=6, idle=20, write=8, linger=3)


def ok(request: Request) -> None:
    request.answer(200, [], b"ok")


def taking(request: Request) -> Deferred[None]:
    """Takes the body, and says what became of it."""

    async def answer() -> None:
        try:
            await request.body.read(10**7)
        except BodyTooSlow as error:
            request.answer(408, [], str(error).encode())
        else:
            request.answer(200, [], b"ok")

    return ensureDeferred(answer())


# -- heads ---------------------------------------------------------------------------------------


def test_thousands_that_drip_their_heads_are_gone_in_time_and_harm_nobody(serve: Any) -> None:
    server = serve(ok, timeouts=QUICK, limits=Limits(connections_per_peer=0))
    slow = [server.connect() for _ in range(2000)]
    healthy = server.connect()
    for second in range(10):
        for client in slow:
            if not client.closed:
                client.send(GET[second : second + 1])
        healthy.send(GET)
        assert healthy.received() == OK
        server.after(1)
    assert {client.closed for client in slow} == {"done"}
    assert slow[0].received().startswith(b"HTTP/1.1 408 ")
    assert server.factory.connections == 1


def test_empty_lines_without_end_are_no_progress(serve: Any) -> None:
    server = serve(ok, timeouts=QUICK)
    client = server.connect()
    for _ in range(7):
        client.send(b"\r\n" * 1000)
        server.after(1)
    assert client.closed == "done"


# -- bodies --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("each_second", "refused"), [(1, True), (50, True), (99, True), (100, False), (5000, False)]
)
def test_a_body_has_to_keep_to_the_least_rate(serve: Any, each_second: int, refused: bool) -> None:
    server = serve(taking, timeouts=QUICK, limits=Limits(min_body_rate=100))
    client = server.connect()
    client.send(PUT)
    for _ in range(900):
        if client.closed or server.requests[0].finished:
            break
        client.send(b"x" * each_second)
        server.after(1)
    answer = client.received()
    assert answer.startswith(b"HTTP/1.1 408 ") is refused
    if refused:
        assert b"less than 100 bytes a second" in answer
        server.after(4)
        assert client.closed == "done"


def test_a_drip_is_refused_as_soon_as_a_standstill(serve: Any) -> None:
    server = serve(taking, timeouts=QUICK, limits=Limits(min_body_rate=1000))
    client = server.connect()
    client.send(PUT)
    for _ in range(6):
        assert client.received() == b""
        server.after(1)
        client.send(b"x")
    server.after(2)
    assert client.received().startswith(b"HTTP/1.1 408 ")


def test_chunks_of_nothing_are_no_progress(serve: Any) -> None:
    """What is not payload does not count: sizes, extensions, trailers."""
    server = serve(taking, timeouts=QUICK)
    client = server.connect()
    client.send(b"PUT / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n")
    for _ in range(8):
        client.send(b"1;" + b"x" * 500 + b"\r\ny\r\n")
        server.after(1)
    assert client.received().startswith(b"HTTP/1.1 408 ")


def test_time_in_which_we_do_not_take_the_body_is_not_the_clients(serve: Any) -> None:
    server = serve(timeouts=QUICK)
    client = server.connect()
    client.send(PUT)
    body = server.requests[0].body
    server.after(100)  # nobody asked for it

    class Consumer:
        def __init__(self) -> None:
            self.taken = 0

        def registerProducer(self, producer: Any, streaming: bool) -> None: ...

        def unregisterProducer(self) -> None: ...

        def write(self, data: bytes) -> None:
            self.taken += len(data)
            body.pauseProducing()

    consumer = Consumer()
    failed: list[Failure] = []
    ensureDeferred(body.deliver(consumer)).addErrback(failed.append)
    client.send(b"x" * 100)
    for taken in (100, 200):
        assert consumer.taken == taken
        server.after(100)  # the disk is slow
        body.resumeProducing()
        client.send(b"x" * 100)
    assert failed == []


def test_each_body_has_the_whole_time(serve: Any) -> None:
    server = serve(taking, timeouts=QUICK, limits=Limits(min_body_rate=10))
    client = server.connect()
    for _ in range(5):
        client.send(PUT.replace(b"1000000", b"2") + b"o")
        server.after(4)
        client.send(b"k")
        assert client.received() == OK


# -- answers -------------------------------------------------------------------------------------


class Reader:
    """A client whose machine confirms bytes at some rate, while our buffers stay full."""

    def __init__(self, server: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        self.taken = 0
        self.server = server
        self.client = server.connect()
        monkeypatch.setattr(self.client.channel.outlet, "acknowledged", lambda: self.taken)
        self.client.send(GET)
        self.client.stall()

    def seconds(self, rate: int, most: int = 500) -> int:
        """How long it lasts."""
        for second in range(most):
            self.server.after(1)
            if self.client.closed:
                return second
            self.taken += rate
        return most


@pytest.mark.parametrize(
    ("rate", "seconds"), [(0, 7), (1, 8), (50, 16), (99, 500), (100, 500), (10**6, 500)]
)
def test_an_answer_has_to_be_taken_at_the_least_rate(
    serve: Any, monkeypatch: pytest.MonkeyPatch, rate: int, seconds: int
) -> None:
    server = serve(ok, timeouts=QUICK, limits=Limits(min_body_rate=100))
    reader = Reader(server, monkeypatch)
    assert abs(reader.seconds(rate) - seconds) <= 1
    assert reader.client.closed == ("aborted" if seconds < 500 else "")


def test_a_slow_reader_of_large_buffers_is_not_taken_for_a_dead_one(
    serve: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The kernel asks for more only when a good part of its buffer is free."""
    server = serve(ok, timeouts=QUICK, limits=Limits(min_body_rate=0))
    reader = Reader(server, monkeypatch)
    assert reader.seconds(1) == 500
    assert reader.seconds(0) <= 9


def test_who_went_on_in_time_begins_anew(serve: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    server = serve(ok, timeouts=QUICK, limits=Limits(min_body_rate=100))
    reader = Reader(server, monkeypatch)
    for _ in range(5):
        assert reader.seconds(1, most=6) == 6
        reader.client.go_on()
        reader.client.send(GET)
        server.after(1)
        reader.client.stall()
    assert not reader.client.closed


# -- too much at once ----------------------------------------------------------------------------


def test_many_requests_at_once_do_not_keep_the_others_waiting(serve: Any) -> None:
    server = serve(ok, limits=Limits(ahead=100))
    greedy, other = server.connect(), server.connect()
    greedy.send(GET * (2 * BURST + 5))
    assert len(server.requests) == BURST
    assert greedy.paused
    other.send(GET)
    assert other.received() == OK
    greedy.send(GET)
    assert len(server.requests) == BURST + 1, "its turn is over, whatever comes"
    server.clock.advance(0)
    assert greedy.received() == OK * (2 * BURST + 6)
    assert not greedy.paused


def test_the_end_of_a_connection_that_rests(serve: Any) -> None:
    server = serve(ok)
    ending, lost, drained = server.connect(), server.connect(), server.connect()
    for client in (ending, lost, drained):
        client.send(GET * (BURST + 1))
    ending.channel.readConnectionLost()
    lost.vanish()
    server.clock.advance(0)
    assert len(server.requests) == 3 * BURST + 2
    assert (ending.closed, lost.closed, drained.closed) == ("done", "lost", "")
