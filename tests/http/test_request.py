"""Requests: what twisted.web's users know of them, and the faster ways to answer."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, cast

import pytest
from klein import Klein
from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred, ensureDeferred, succeed
from twisted.python.failure import Failure
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET

from s3daemon.http.head import http_date
from s3daemon.http.request import BodyCutShort, ClientGone, Request

GET = b"GET /a HTTP/1.1\r\nHost: h\r\n\r\n"
HEAD = GET.replace(b"GET", b"HEAD")


def begin(serve: Any, data: bytes = GET) -> tuple[Any, Request]:
    server = serve()
    client = server.connect()
    client.send(data)
    return client, server.requests[0]


def outcome(deferred: Deferred[Any]) -> list[Any]:
    """Gets the result, or the type of the error, when there is one."""
    results: list[Any] = []
    deferred.addCallbacks(results.append, lambda failure: results.append(failure.type))
    return results


# -- what twisted.web knows --------------------------------------------------------------------


def test_what_a_request_is(serve: Any) -> None:
    _, request = begin(
        serve,
        b"POST /a%2Fb//c?x=1&x=%32&y HTTP/1.1\r\nHost: h:8\r\nContent-Length: 3\r\n"
        b"Content-Type: application/x-www-form-urlencoded\r\nA: 1\r\na: 2\r\n\r\nz=1",
    )
    assert (request.method, request.uri, request.path, request.clientproto) == (
        b"POST",
        b"/a%2Fb//c?x=1&x=%32&y",
        b"/a%2Fb//c",
        b"HTTP/1.1",
    )
    assert request.args == {b"x": [b"1", b"2"], b"y": [b""]}
    assert request.content.read() == b""
    assert request.requestHeaders.getRawHeaders(b"A") == [b"1", b"2"]
    assert request.getHeader("host") == "h:8"
    assert request.getRequestHostname() == b"h"
    assert (request.prepath, request.postpath) == ([], [b"a/b", b"", b"c"])
    assert request.body.length == 3
    assert request.isSecure() is False
    assert request.getClientAddress() == IPv4Address("TCP", "192.0.2.7", 5555)
    request.args, request.postpath = {}, [b"x"]
    assert (request.args, request.postpath) == ({}, [b"x"])


class Page(Resource):
    """A leaf of twisted.web."""

    isLeaf = True

    def render_GET(self, request: Any) -> bytes:
        request.setHeader(b"server", b"other")
        request.addCookie(b"k", b"v")
        return b"page:" + (request.getCookie(b"c") or b"")


def test_resources_are_found_and_rendered(serve: Any) -> None:
    root = Resource()
    root.putChild(b"page", Page())
    client = serve(site=root).connect()
    client.send(b"GET /page?x HTTP/1.1\r\nHost: h\r\nCookie: c=1; d=2\r\n\r\n")
    answer = client.received()
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
    assert answer.endswith(b"\r\n\r\npage:1")
    assert answer.count(b"Server: ") == 1
    assert b"\r\nServer: test\r\n" in answer
    assert b"\r\nSet-Cookie: k=v\r\n" in answer
    client.send(b"HEAD /page HTTP/1.1\r\nHost: h\r\n\r\nGET /none HTTP/1.1\r\nHost: h\r\n\r\n")
    first, second = client.received().split(b"\r\n\r\n", 1)
    assert b"\r\nContent-Length: 5" in first
    assert second.startswith(b"HTTP/1.1 404 Not Found\r\n")
    client.send(b"POST /page HTTP/1.0\r\n\r\n")
    assert client.received().startswith(b"HTTP/1.1 405 ")
    assert client.closed == "done"


def test_klein_runs_unchanged(serve: Any) -> None:
    app = Klein()

    @app.route("/late/<name>", methods=["GET", "HEAD"])
    async def late(request: Any, name: str) -> bytes:
        await waiting
        request.setResponseCode(202)
        return name.encode()

    waiting: Deferred[None] = Deferred()
    client = serve(site=app.resource()).connect()
    client.send(b"GET /late/bird HTTP/1.1\r\nHost: h\r\n\r\nGET /x HTTP/1.1\r\nHost: h\r\n\r\n")
    assert client.received() == b""
    waiting.callback(None)
    first, rest = client.received().split(b"bird", 1)
    assert first.startswith(b"HTTP/1.1 202 Accepted\r\n")
    assert b"\r\nTransfer-Encoding: chunked\r\n" in first
    assert first.endswith(b"\r\n\r\n4\r\n")
    assert rest.startswith(b"\r\n0\r\n\r\nHTTP/1.1 404 ")


def test_klein_renders_a_request_that_was_not_traversed(serve: Any) -> None:
    app = Klein()

    @app.route("/healthz")
    def healthz(request: Any) -> bytes:
        return b"ok\n"

    client = serve(lambda request: request.render(app.resource())).connect()
    client.send(b"GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n")
    assert client.received().endswith(b"\r\n\r\n3\r\nok\n\r\n0\r\n\r\n")


class Pull:
    """A pull producer of three pieces."""

    def __init__(self, request: Request) -> None:
        self.request, self.left, self.stopped = request, 3, False
        self.after_the_first: Callable[[], None] = lambda: None

    def resumeProducing(self) -> None:
        self.left -= 1
        self.request.write(b"piece")
        if self.left == 2:
            self.after_the_first()
        if not self.left:
            self.request.unregisterProducer()
            self.request.finish()

    def stopProducing(self) -> None:
        self.stopped = True


def test_pull_producers_go_at_the_clients_pace(serve: Any) -> None:
    server = serve()
    client = server.connect()
    client.send(GET)
    (request,) = server.requests
    request.setHeader(b"content-length", b"15")
    pull = Pull(request)
    pull.after_the_first = client.stall
    request.registerProducer(pull, False)
    server.after(5)
    assert pull.left == 2
    client.go_on()
    server.clock.advance(0)
    assert client.received().endswith(b"\r\n\r\n" + b"piece" * 3)
    assert (pull.left, server.factory.running) == (0, 0)


def test_a_pull_producer_hears_of_the_end(serve: Any) -> None:
    client, request = begin(serve)
    pull = Pull(request)
    request.registerProducer(pull, False)
    with pytest.raises(ValueError):
        request.registerProducer(Pull(request), False)
    client.vanish()
    assert pull.stopped


class Push:
    """A push producer that counts."""

    def __init__(self) -> None:
        self.calls: list[str] = []

    def pauseProducing(self) -> None:
        self.calls.append("pause")

    def resumeProducing(self) -> None:
        self.calls.append("resume")

    def stopProducing(self) -> None:
        self.calls.append("stop")


def test_push_producers_are_paused_with_the_client(serve: Any) -> None:
    client, request = begin(serve)
    push = Push()
    request.registerProducer(push, True)
    client.stall()
    client.go_on()
    client.stall()
    client.vanish()
    assert push.calls == ["pause", "resume", "pause", "stop"]


def test_a_push_producer_for_a_client_that_is_slow_already(serve: Any) -> None:
    client, request = begin(serve)
    client.stall()
    push = Push()
    request.registerProducer(push, True)
    request.unregisterProducer()
    client.go_on()
    assert push.calls == ["pause"]


def test_a_resource_that_breaks_its_promise_is_cut(serve: Any) -> None:
    class Short(Resource):
        isLeaf = True

        def render_GET(self, request: Any) -> int:
            request.setHeader(b"content-length", b"10")
            request.write(b"short")
            request.finish()
            return cast(int, NOT_DONE_YET)

    client = serve(site=Short()).connect()
    client.send(GET)
    assert client.closed == "aborted"


def test_an_answer_without_a_length_ends_with_the_connection_on_1_0(serve: Any) -> None:
    class Stream(Resource):
        isLeaf = True

        def render_GET(self, request: Any) -> int:
            request.write(b"abc")
            request.finish()
            return cast(int, NOT_DONE_YET)

    client = serve(site=Stream()).connect()
    client.send(b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
    assert b"\r\nConnection: close\r\n" in (answer := client.received())
    assert answer.endswith(b"\r\n\r\nabc")
    assert client.closed == "done"


# -- whole answers -------------------------------------------------------------------------------


def test_an_answer(serve: Any) -> None:
    client, request = begin(serve)
    finished = outcome(request.notifyFinish())
    request.answer(206, [(b"ETag", b'"x"'), (b"x-amz-meta-a", b"\xc3\xa4")], b"body")
    assert client.received() == (
        b'HTTP/1.1 206 Partial Content\r\nETag: "x"\r\nx-amz-meta-a: \xc3\xa4\r\n'
        b"Content-Length: 4\r\nServer: test\r\n\r\nbody"
    )
    assert (request.code, request.sentLength, request.finished, finished) == (206, 4, 1, [None])


@pytest.mark.parametrize(
    ("data", "status", "fields", "length"),
    [
        (HEAD, 200, [(b"Content-Length", b"123")], b"Content-Length: 123\r\n"),
        (HEAD, 200, [(b"content-length", b"123")], b"content-length: 123\r\n"),
        (HEAD, 404, [], b"Content-Length: 4\r\n"),
        (GET, 204, [], b""),
        (GET, 304, [], b""),
        (GET, 304, [(b"Content-Length", b"123")], b"Content-Length: 123\r\n"),
    ],
)
def test_answers_without_a_body(
    serve: Any, data: bytes, status: int, fields: Any, length: bytes
) -> None:
    for send in ("answer", "pieces"):
        client, request = begin(serve, data)
        if send == "answer":
            request.answer(status, fields, b"body")
        else:
            produce = cast(Any, None)
            assert outcome(ensureDeferred(request.answer_pieces(status, fields, produce, 4))) == [
                True
            ]
        assert re.fullmatch(
            rb"HTTP/1\.1 %d [^\r]+\r\n%bServer: test\r\n\r\n" % (status, length),
            client.received(),
        )
        assert (request.sentLength, client.closed) == (0, "")


def test_a_length_that_is_not_that_of_the_body_is_a_bug(serve: Any) -> None:
    client, request = begin(serve)
    with pytest.raises(ValueError):
        request.answer(200, [(b"Content-Length", b"5")], b"body")
    with pytest.raises(ValueError):
        request.begin_stream(200, [(b"Content-Length", b"5")])
    request.answer(200, [(b"Content-Length", b"4")], b"body")
    assert client.received().count(b"Content-Length") == 1


def test_values_cannot_write_fields_or_bodies(serve: Any) -> None:
    client, request = begin(serve)
    request.answer(200, [(b"A", b"x\r\nSet-Cookie: y\r\n\r\n<b>\0"), (b"B", b"\n")])
    assert client.received() == (
        b"HTTP/1.1 200 OK\r\nA: x  Set-Cookie: y    <b> \r\nB:  \r\n"
        b"Content-Length: 0\r\nServer: test\r\n\r\n"
    )


def test_an_unknown_status_has_a_line_too(serve: Any) -> None:
    client, request = begin(serve)
    request.answer(599, [])
    assert client.received().startswith(b"HTTP/1.1 599 -\r\n")


@pytest.mark.parametrize("size", [1, 262144, 262145, 3000000])
def test_large_answers_wait_for_the_client(serve: Any, size: int) -> None:
    server = serve()
    client = server.connect()
    client.send(GET + GET)
    body = bytes(range(256)) * (size // 256) + b"x" * (size % 256)
    client.stall()
    server.requests[0].answer(200, [], body)
    assert client.received() == b""
    client.go_on()
    assert client.received().endswith(b"\r\n\r\n" + body)
    assert len(server.requests) == 2


def test_nobody_is_there(serve: Any) -> None:
    client, request = begin(serve)
    client.vanish()
    with pytest.raises(ClientGone):
        request.answer(200, [])
    with pytest.raises(ClientGone):
        request.end_stream()
    request.begin_stream(200, [])
    request.stream(b"x")
    produce = cast(Any, None)
    assert outcome(ensureDeferred(request.answer_pieces(200, [], produce, 4))) == [ClientGone]


def test_an_answer_is_given_once(serve: Any) -> None:
    _, request = begin(serve)
    request.begin_stream(200, [])
    with pytest.raises(RuntimeError):
        request.answer(200, [])


def test_the_date_is_made_once_a_second(serve: Any) -> None:
    assert http_date(784111777) == b"Sun, 06 Nov 1994 08:49:37 GMT"
    now = [0.0]
    client = serve(lambda request: request.answer(200, [])).connect()
    client.channel.factory.stamp._wall = lambda: now[0]
    for second, date in ((0.1, b"00:00:00"), (0.9, b"00:00:00"), (1.0, b"00:00:01")):
        now[0] = second
        client.send(GET)
        assert b"\r\nDate: Thu, 01 Jan 1970 %b GMT\r\n" % date in client.transport.value()
        client.transport.clear()


# -- streams ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (GET, b"Transfer-Encoding: chunked\r\nServer: test\r\n\r\n1\r\n \r\n2\r\nab\r\n0\r\n\r\n"),
        (HEAD, b"Transfer-Encoding: chunked\r\nServer: test\r\n\r\n"),
        (b"GET / HTTP/1.0\r\n\r\n", b"Server: test\r\nConnection: close\r\n\r\n ab"),
    ],
)
def test_streams(serve: Any, data: bytes, expected: bytes) -> None:
    client, request = begin(serve, data)
    request.begin_stream(200, [])
    request.stream(b" ")
    request.stream(b"")
    request.end_stream(b"ab")
    assert client.received() == b"HTTP/1.1 200 OK\r\n" + expected
    assert request.sentLength == (0 if data is HEAD else 3)
    assert bool(client.closed) is data.endswith(b"1.0\r\n\r\n")


# -- pieces ----------------------------------------------------------------------------------------


def test_pieces(serve: Any) -> None:
    body = bytes(range(251)) * 3000
    asked: list[tuple[int, int]] = []

    def produce(offset: int, size: int) -> Deferred[bytes]:
        asked.append((offset, size))
        return succeed(body[offset : offset + min(size, 100000)])

    client, request = begin(serve)
    done = outcome(ensureDeferred(request.answer_pieces(200, [], produce, len(body))))
    assert done == [True]
    assert client.received().endswith(b"\r\n\r\n" + body)
    assert asked[:2] == [(0, 262144), (100000, 262144)]
    assert request.sentLength == len(body)


def test_no_piece_is_asked_for_while_the_client_does_not_read(serve: Any) -> None:
    asked: list[int] = []

    def produce(offset: int, size: int) -> Deferred[bytes]:
        asked.append(offset)
        if offset == 2:
            client.stall()
        return succeed(b"ab")

    client, request = begin(serve)
    done = outcome(ensureDeferred(request.answer_pieces(200, [], produce, 8)))
    assert (asked, done) == ([0, 2], [])
    client.go_on()
    assert (asked, done) == ([0, 2, 4, 6], [True])


@pytest.mark.parametrize("piece", [b"", b"too long"])
def test_pieces_that_are_not_what_was_promised_cut_the_connection(serve: Any, piece: bytes) -> None:
    client, request = begin(serve)
    pieces = [b"ab", piece]
    produce = lambda offset, size: succeed(pieces.pop(0))  # noqa: E731
    assert outcome(ensureDeferred(request.answer_pieces(200, [], produce, 5))) == [BodyCutShort]
    assert (client.closed, request.sentLength) == ("aborted", 2)


def test_a_source_that_fails_cuts_the_connection(serve: Any) -> None:
    for error, expected in ((OSError(5, "EIO"), BodyCutShort), (KeyError(), KeyError)):
        client, request = begin(serve)
        failing: Deferred[bytes] = Deferred()
        failing.errback(Failure(error))
        done = outcome(
            ensureDeferred(request.answer_pieces(200, [], lambda offset, size, it=failing: it, 5))
        )
        assert (done, client.closed) == ([expected], "aborted")


def test_a_client_that_vanishes_between_pieces(serve: Any) -> None:
    for stalled in (True, False):
        client, request = begin(serve)
        waiting: Deferred[bytes] = Deferred()
        done = outcome(
            ensureDeferred(request.answer_pieces(200, [], lambda offset, size, it=waiting: it, 5))
        )
        if stalled:
            client.stall()
            waiting.callback(b"ab")
        client.vanish()
        if not stalled:
            waiting.callback(b"hello")
        assert done == [ClientGone]


def test_a_cancelled_answer_cuts_the_connection(serve: Any) -> None:
    client, request = begin(serve)
    client.stall()
    sending = ensureDeferred(request.answer_pieces(200, [], lambda offset, size: succeed(b"x"), 5))
    done = outcome(sending)
    sending.cancel()
    assert client.closed == "aborted"
    assert len(done) == 1
