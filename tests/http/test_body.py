"""Bodies: asked for once, at the consumer's pace, and whole or not at all."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import CancelledError, Deferred, ensureDeferred
from twisted.internet.interfaces import IConsumer, IPushProducer
from twisted.python.failure import Failure
from zope.interface import implementer
from zope.interface.verify import verifyObject

from s3daemon.http.body import (
    Body,
    BodyIncomplete,
    BodyMalformed,
    BodyTooLarge,
)
from s3daemon.http.limits import Limits
from s3daemon.wire.framing import ChunkedFraming, LengthFraming

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


def put(length: int, *fields: bytes) -> bytes:
    return b"PUT /b HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n%b\r\n" % (
        length,
        b"".join(field + b"\r\n" for field in fields),
    )


@implementer(IConsumer)
class Consumer:
    """Keeps the pieces; pauses its producer after each of the first ``pauses``."""

    def __init__(self, pauses: int = 0) -> None:
        self.pieces: list[bytes] = []
        self.producer: Any = None
        self.pauses = pauses

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        assert streaming
        assert self.producer is None
        self.producer = producer

    def unregisterProducer(self) -> None:
        assert self.producer is not None
        self.producer = None

    def write(self, data: bytes) -> None:
        assert self.producer is not None
        self.pieces.append(data)
        if self.pauses:
            self.pauses -= 1
            self.producer.pauseProducing()


def outcome(deferred: Deferred[Any]) -> list[Any]:
    """Gets the result, or the type of the error, when there is one."""
    results: list[Any] = []
    deferred.addCallbacks(results.append, lambda failure: results.append(failure.type))
    return results


def begin(serve: Any, data: bytes, **options: Any) -> tuple[Any, Body]:
    server = serve(**options)
    client = server.connect()
    client.send(data)
    return client, server.requests[0].body


def test_a_body_is_written_as_it_arrives(serve: Any) -> None:
    client, body = begin(serve, put(9) + b"ab")
    verifyObject(IPushProducer, body)
    consumer = Consumer()
    done = outcome(ensureDeferred(body.deliver(consumer)))
    assert consumer.pieces == [b"ab"]
    client.send(b"cdefg")
    assert (consumer.pieces, done, body.complete) == ([b"ab", b"cdefg"], [], False)
    client.send(b"hiGET")
    assert b"".join(consumer.pieces) == b"abcdefghi"
    assert (done, body.complete, body.received, consumer.producer) == ([None], True, 9, None)


@pytest.mark.parametrize("data", [b"GET / HTTP/1.1\r\nHost: h\r\n\r\n", put(0)])
def test_no_body(serve: Any, data: bytes) -> None:
    _, body = begin(serve, data)
    assert (body.expected, body.length, body.complete, body.remaining) == (False, 0, True, 0)
    consumer = Consumer()
    assert outcome(ensureDeferred(body.deliver(consumer))) == [None]
    assert (consumer.pieces, body.trailers) == ([], [])


def test_a_body_that_is_there_is_read_at_once(serve: Any) -> None:
    _, body = begin(serve, put(5) + b"hello")
    assert (body.expected, body.length) == (True, 5)
    assert outcome(ensureDeferred(body.read(5))) == [b"hello"]


def test_chunks_and_trailers(serve: Any) -> None:
    client, body = begin(
        serve, b"PUT / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n"
    )
    assert (body.expected, body.length, body.remaining) == (True, None, None)
    read = outcome(ensureDeferred(body.read(100)))
    client.send(b"2\r\nde\r\n0\r\nX-Sum: 7\r\n\r\n")
    assert (read, body.trailers, body.remaining) == ([b"abcde"], [(b"x-sum", b"7")], 0)


# -- 100 Continue ----------------------------------------------------------------------------


def test_continue_goes_out_when_the_body_is_asked_for(serve: Any) -> None:
    client, body = begin(serve, put(4, b"Expect: 100-continue"))
    assert client.received() == b""
    consumer = Consumer(pauses=1)
    done = outcome(ensureDeferred(body.deliver(consumer)))
    assert client.received() == CONTINUE
    client.send(b"ab")
    consumer.producer.resumeProducing()
    client.send(b"cd")
    assert (done, client.received()) == ([None], b"")


def test_no_continue_for_a_client_that_did_not_wait(serve: Any) -> None:
    for data in (put(4), put(4, b"Expect: 100-continue") + b"a", put(0, b"Expect: 100-continue")):
        client, body = begin(serve, data)
        outcome(ensureDeferred(body.read(10)))
        assert client.received() == b""


def test_no_continue_after_the_answer_has_begun(serve: Any) -> None:
    server = serve()
    client = server.connect()
    client.send(put(4, b"Expect: 100-continue"))
    server.requests[0].begin_stream(200, [])
    client.received()
    outcome(ensureDeferred(server.requests[0].body.read(10)))
    assert client.received() == b""


# -- pace ------------------------------------------------------------------------------------


def test_a_body_that_nobody_asked_for_is_held_up_to_a_bound(serve: Any) -> None:
    client, body = begin(serve, put(1000), limits=Limits(hold=10))
    client.send(b"123456789")
    assert not client.paused
    client.send(b"0")
    assert client.paused
    client.send(b"late")
    consumer = Consumer()
    outcome(ensureDeferred(body.deliver(consumer)))
    assert not client.paused
    client.send(b"x" * 500)
    assert (consumer.pieces[:3], client.paused) == ([b"123456789", b"0", b"late"], False)


def test_the_consumer_pauses_the_client(serve: Any) -> None:
    client, body = begin(serve, put(6))
    consumer = Consumer(pauses=2)
    done = outcome(ensureDeferred(body.deliver(consumer)))
    client.send(b"ab")
    assert client.paused
    client.send(b"cd")  # was on its way already
    client.send(b"ef")
    assert consumer.pieces == [b"ab"]
    consumer.producer.resumeProducing()
    assert (consumer.pieces, done) == ([b"ab", b"cd"], [])
    consumer.producer.resumeProducing()
    assert (consumer.pieces, done) == ([b"ab", b"cd", b"ef"], [None])


def test_the_client_goes_on_after_a_pause(serve: Any) -> None:
    client, body = begin(serve, put(6) + b"ab")
    consumer = Consumer(pauses=1)
    done = outcome(ensureDeferred(body.deliver(consumer)))
    client.send(b"cd")
    assert consumer.pieces == [b"ab"]
    consumer.producer.resumeProducing()
    client.send(b"ef")
    assert (b"".join(consumer.pieces), done, client.paused) == (b"abcdef", [None], False)


def test_a_paused_body_has_no_time_limit(serve: Any) -> None:
    server = serve()
    client = server.connect()
    client.send(put(4))
    consumer = Consumer(pauses=1)
    done = outcome(ensureDeferred(server.requests[0].body.deliver(consumer)))
    client.send(b"ab")
    server.after(1000)
    assert (done, client.paused) == ([], True)
    consumer.producer.resumeProducing()
    assert not client.paused
    client.send(b"cd")
    assert done == [None]


class Source:
    """A connection that only counts."""

    def __init__(self) -> None:
        self.body_wanted = self.body_unwanted = self.body_overflows = lambda: None


@given(
    pieces=st.lists(st.binary(min_size=1, max_size=5), min_size=1, max_size=8),
    pauses=st.integers(0, 5),
    taken_at=st.integers(0, 8),
    chunked=st.booleans(),
)
def test_whatever_the_pace_the_bytes_are_the_same(
    pieces: list[bytes], pauses: int, taken_at: int, chunked: bool
) -> None:
    whole = b"".join(pieces)
    body = Body(ChunkedFraming() if chunked else LengthFraming(len(whole)), Source(), 4)
    if chunked:
        pieces = [b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces] + [b"0\r\n\r\n"]
    consumer = Consumer(pauses)
    done: list[Any] | None = None
    for index, piece in enumerate(pieces):
        if index == taken_at:
            done = outcome(ensureDeferred(body.deliver(consumer)))
        if body.feed(piece) is not None:
            body.settle()
    if done is None:
        done = outcome(ensureDeferred(body.deliver(consumer)))
    for _ in range(pauses):
        if consumer.producer is not None:
            consumer.producer.resumeProducing()
    assert (b"".join(consumer.pieces), done) == (whole, [None])


# -- what goes wrong ---------------------------------------------------------------------------


def test_a_document_over_the_limit_is_refused_before_it_is_asked_for(serve: Any) -> None:
    client, body = begin(serve, put(11, b"Expect: 100-continue"))
    assert outcome(ensureDeferred(body.read(10))) == [BodyTooLarge]
    assert client.received() == b""


def test_a_document_over_the_limit_in_chunks(serve: Any) -> None:
    head = b"PUT / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
    client, body = begin(serve, head)
    read = outcome(ensureDeferred(body.read(10)))
    client.send(b"b\r\n12345678901\r\n5\r\nhello\r\n")
    assert read == [BodyTooLarge]
    client, body = begin(serve, head + b"b\r\n12345678901\r\n")
    assert outcome(ensureDeferred(body.read(10))) == [BodyTooLarge]


@pytest.mark.parametrize("early", [True, False])
def test_bad_chunks_end_the_body_and_the_connection(serve: Any, early: bool) -> None:
    server = serve()
    client = server.connect()
    client.send(b"PUT / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n")
    (request,) = server.requests
    if early:
        client.send(b"bug\r\n")
    read = outcome(ensureDeferred(request.body.read(10)))
    client.send(b"bug\r\n")
    assert read == [BodyMalformed]
    client.send(b"1\r\na\r\n")
    request.answer(400, [])
    assert b"\r\nConnection: close\r\n" in client.received()


def test_a_body_is_taken_once(serve: Any) -> None:
    _, body = begin(serve, put(2) + b"ab")
    outcome(ensureDeferred(body.read(10)))
    assert outcome(ensureDeferred(body.read(10))) == [RuntimeError]


def test_a_cancelled_delivery_leaves_the_rest_to_nobody(serve: Any) -> None:
    server = serve(limits=Limits(hold=10))
    client = server.connect()
    client.send(put(1000) + b"ab")
    (request,) = server.requests
    consumer = Consumer()
    delivery = ensureDeferred(request.body.deliver(consumer))
    done = outcome(delivery)
    delivery.cancel()
    assert (done, consumer.producer) == ([CancelledError], None)
    client.send(b"x" * 100)
    assert (consumer.pieces, client.paused) == ([b"ab"], True)
    request.answer(200, [])
    assert not client.paused
    client.send(b"x" * 898)
    assert not client.closed


@pytest.mark.parametrize("arrived", [b"", b"ab"])
def test_a_consumer_that_wants_no_more(serve: Any, arrived: bytes) -> None:
    client, body = begin(serve, put(10) + arrived)

    class Fussy(Consumer):
        def write(self, data: bytes) -> None:
            super().write(data)
            self.producer.stopProducing()

    done = outcome(ensureDeferred(body.deliver(Fussy())))
    if not arrived:
        client.send(b"ab")
    assert done == [BodyIncomplete]


@pytest.mark.parametrize("arrived", [b"", b"ab"])
def test_a_consumer_that_fails_fails_the_delivery_only(serve: Any, arrived: bytes) -> None:
    client, body = begin(serve, put(10) + arrived)

    class Broken(Consumer):
        def write(self, data: bytes) -> None:
            raise ZeroDivisionError

    done = outcome(ensureDeferred(body.deliver(Broken())))
    client.send(b"cd")
    assert (done, client.closed) == ([ZeroDivisionError], "")


def test_an_answer_ends_a_delivery_under_way(serve: Any) -> None:
    server = serve()
    client = server.connect()
    client.send(put(10) + b"ab")
    (request,) = server.requests
    done = outcome(ensureDeferred(request.body.read(10)))
    request.answer(200, [])
    assert done == [BodyIncomplete]
    client.send(b"x" * 8 + b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
    assert len(server.requests) == 2


def test_a_consumer_that_refuses_in_the_middle_of_a_read(serve: Any) -> None:
    """The answer goes out while the very bytes that caused it are being taken in."""
    server = serve()
    client = server.connect()
    client.send(put(10))
    (request,) = server.requests

    class Refusing(Consumer):
        def write(self, data: bytes) -> None:
            self.producer.stopProducing()

    async def handle() -> None:
        try:
            await request.body.deliver(Refusing())
        except BodyIncomplete:
            request.answer(400, [])

    failures: list[Failure] = []
    ensureDeferred(handle()).addErrback(failures.append)
    client.send(b"x" * 10 + b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
    assert failures == []
    assert client.received().startswith(b"HTTP/1.1 400 ")
    assert len(server.requests) == 2
