"""Connections: requests one after the other, limits of time and bytes, and how they end."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from twisted.internet.defer import Deferred, ensureDeferred
from twisted.internet.error import ConnectionLost
from twisted.internet.interfaces import IProtocolNegotiationFactory, ISSLTransport
from twisted.python.failure import Failure
from twisted.web.resource import Resource
from zope.interface.verify import verifyObject

from s3daemon.http.body import BodyIncomplete, BodyTooSlow
from s3daemon.http.limits import Limits, Timeouts
from s3daemon.http.request import ClientGone, Request

GET = b"GET /a HTTP/1.1\r\nHost: h\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nServer: test\r\n\r\nok"
OK_CLOSE = OK.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")


def put(length: int, *fields: bytes) -> bytes:
    return b"PUT /b HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n%b\r\n" % (
        length,
        b"".join(field + b"\r\n" for field in fields),
    )


def ok(request: Request) -> None:
    request.answer(200, [], b"ok")


def echo(request: Request) -> Deferred[None]:
    async def answer() -> None:
        request.answer(200, [], await request.body.read(10**6))

    return ensureDeferred(answer())


# -- requests one after the other ------------------------------------------------------------


@pytest.mark.parametrize("step", [1, 2, 5, 0])
def test_a_connection_serves_one_request_after_the_other(serve: Any, step: int) -> None:
    server = serve(ok)
    client = server.connect()
    client.send(b"\r\n" + GET + b"\r\n\r\n" + GET + GET, step)
    assert client.received() == OK * 3
    assert not client.closed
    assert server.factory.running == 0


def test_a_request_begins_before_its_body(serve: Any) -> None:
    server = serve()
    client = server.connect()
    client.send(put(5))
    (request,) = server.requests
    assert (request.body.complete, request.body.length, request.body.received) == (False, 5, 0)
    assert server.factory.running == 1
    client.send(b"he")
    assert request.body.received == 2
    assert client.received() == b""


@pytest.mark.parametrize("step", [1, 3, 0])
def test_bodies_between_requests(serve: Any, step: int) -> None:
    server = serve(echo)
    client = server.connect()
    chunked = b"PUT / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"
    client.send(put(2) + b"ok" + chunked + GET.replace(b"GET", b"PUT") + put(2) + b"ok", step)
    empty = OK.replace(b": 2", b": 0").removesuffix(b"ok")
    assert client.received() == OK + OK + empty + OK


def test_one_request_at_a_time_in_order(serve: Any) -> None:
    server = serve()
    client = server.connect()
    client.send(GET + GET.replace(b"/a", b"/b"))
    assert [request.uri for request in server.requests] == [b"/a"]
    ok(server.requests[0])
    assert [request.uri for request in server.requests] == [b"/a", b"/b"]
    ok(server.requests[1])
    assert client.received() == OK + OK


def test_what_is_sent_ahead_is_bounded(serve: Any) -> None:
    server = serve(limits=Limits(ahead=100))
    client = server.connect()
    client.send(GET)
    client.send(GET * 3)
    assert not client.paused
    client.send(GET)
    assert client.paused
    ok(server.requests[0])
    assert not client.paused
    for index in range(1, 5):
        ok(server.requests[index])
    assert client.received() == OK * 5


def test_a_client_that_does_not_read_gets_no_further_answers(serve: Any) -> None:
    server = serve(ok, limits=Limits(ahead=100))
    client = server.connect()
    client.stall()
    client.send(GET * 4)
    assert (server.requests, client.paused) == ([], True)
    client.go_on()
    assert (len(server.requests), client.paused) == (4, False)


@pytest.mark.parametrize(
    ("head", "line", "closed"),
    [
        (b"GET / HTTP/1.0\r\n\r\n", b"Connection: close\r\n", "done"),
        (b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", b"Connection: keep-alive\r\n", ""),
        (b"GET / HTTP/1.1\r\nHost: h\r\n\r\n", b"", ""),
        (
            b"GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n",
            b"Connection: close\r\n",
            "done",
        ),
    ],
)
def test_versions_and_persistence(serve: Any, head: bytes, line: bytes, closed: str) -> None:
    client = serve(ok).connect()
    client.send(head)
    assert client.received() == OK.replace(b"\r\n\r\n", b"\r\n" + line + b"\r\n")
    assert client.closed == closed


# -- what is no request ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"\x16\x03\x01\x02\x00\x01", b"400"),
        (b"GET / HTTP/1.1\n", b"400"),
        (b"GET / HTTP/1.1\r\n\r\n", b"400"),
        (b"GET / HTTP/3.0\r\nHost: h\r\n\r\n", b"505"),
        (b"GET / HTTP/1.1\r\nHost: h\r\nA: " + b"a" * 70000, b"431"),
        (b"GET / HTTP/1.1\r\nHost: h\r\nA: " + b"a" * 70000 + b"\r\n\r\n", b"431"),
        (b"\r\n\nGET / HTTP/1.1\r\nHost: h\r\n\r\n", b"400"),
    ],
)
@pytest.mark.parametrize("step", [1000, 1])
def test_what_is_no_request_is_refused(serve: Any, data: bytes, status: bytes, step: int) -> None:
    server = serve(ok, limits=Limits())
    client = server.connect()
    client.send(data, step)
    answer = client.received()
    assert answer.startswith(b"HTTP/1.1 " + status + b" ")
    assert b"\r\nConnection: close\r\n" in answer
    assert server.requests == []
    server.after(11)
    assert client.closed == "done"


def test_the_refusal_can_be_in_the_words_of_s3(serve: Any) -> None:
    asked: list[tuple[int, str]] = []

    def words(status: int, reason: str) -> bytes:
        asked.append((status, reason))
        return b"<Error/>"

    client = serve(ok, bad_request=words).connect()
    client.send(b"?")
    assert client.received() == b"<Error/>"
    assert asked == [(400, "This is not an HTTP request.")]


def test_good_requests_before_a_bad_one_are_answered(serve: Any) -> None:
    client = serve(ok).connect()
    client.send(GET + b"?" + GET)
    answer = client.received()
    assert answer.startswith(OK + b"HTTP/1.1 400 ")
    assert answer.count(b"HTTP/1.1 ") == 2


# -- limits of time --------------------------------------------------------------------------

QUICK = Timeouts(head=5, body=6, idle=20, write=8, linger=3)


def test_a_silent_connection_is_closed(serve: Any) -> None:
    server = serve(ok, timeouts=QUICK)
    client = server.connect()
    server.after(4)
    assert not client.closed
    server.after(2)
    assert (client.closed, client.received()) == ("done", b"")


def test_a_head_has_a_time_limit_whatever_trickles(serve: Any) -> None:
    server = serve(ok, timeouts=QUICK)
    client = server.connect()
    client.send(GET)
    server.after(15)
    for byte in GET[:5]:
        client.send(bytes([byte]))
        server.after(1)
    server.after(1)
    assert client.received().startswith(OK + b"HTTP/1.1 408 ")
    server.after(4)
    assert client.closed == "done"


def test_an_idle_connection_is_closed(serve: Any) -> None:
    server = serve(ok, timeouts=QUICK)
    client = server.connect()
    for _ in range(3):
        client.send(GET)
        server.after(18)
    assert (client.received(), client.closed) == (OK * 3, "")
    server.after(4)
    assert client.closed == "done"


def test_a_request_under_way_has_no_limit(serve: Any) -> None:
    server = serve(timeouts=QUICK)
    client = server.connect()
    client.send(put(4) + b"ab")
    server.after(1000)
    ok(server.requests[0])
    assert client.received() == OK


def test_a_body_must_go_on(serve: Any) -> None:
    server = serve(timeouts=QUICK, limits=Limits(min_body_rate=0))
    client = server.connect()
    client.send(put(10**6))
    reading = ensureDeferred(server.requests[0].body.read(10**7))
    errors: list[Failure] = []
    reading.addErrback(errors.append)
    for _ in range(4):
        client.send(b"x")
        server.after(5)
    assert errors == []
    server.after(2)
    assert errors[0].check(BodyTooSlow)
    ok(server.requests[0])
    assert client.received() == OK_CLOSE


def test_a_client_that_stops_reading_is_cut(serve: Any) -> None:
    server = serve(ok, timeouts=QUICK)
    client = server.connect()
    client.send(GET)
    client.stall()
    server.after(7)
    client.go_on()
    client.stall()
    server.after(7)
    assert not client.closed
    server.after(2)
    assert client.closed == "aborted"


def test_the_clock_stops_with_the_last_connection(serve: Any) -> None:
    server = serve(ok)
    client = server.connect()
    assert len(server.clock.getDelayedCalls()) == 1
    client.vanish()
    assert server.clock.getDelayedCalls() == []


# -- early refusals --------------------------------------------------------------------------


def test_a_short_rest_of_a_body_is_thrown_away(serve: Any) -> None:
    server = serve(ok)
    client = server.connect()
    client.send(put(1000) + b"x" * 400)
    assert client.received() == OK
    client.send(b"x" * 600 + GET)
    assert (client.received(), client.closed) == (OK, "")


def test_a_short_rest_that_does_not_come_ends_the_connection(serve: Any) -> None:
    server = serve(ok, timeouts=QUICK)
    client = server.connect()
    client.send(put(1000))
    server.after(4)
    assert client.closed == "done"


@pytest.mark.parametrize(
    "head",
    [put(10**9), b"PUT / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n"],
)
def test_a_long_rest_ends_the_connection_and_the_client_can_read_on(
    serve: Any, head: bytes
) -> None:
    server = serve(ok, timeouts=QUICK, limits=Limits(linger=1000))
    client = server.connect()
    client.send(head + b"x")
    assert client.received() == OK_CLOSE
    client.send(b"x" * 1000)
    assert not client.closed
    client.send(GET)
    assert (client.received(), client.closed) == (b"", "done")
    assert len(server.requests) == 1


def test_lingering_has_a_time_limit(serve: Any) -> None:
    server = serve(ok, timeouts=QUICK)
    client = server.connect()
    client.send(put(10**9))
    for _ in range(3):
        client.send(b"x" * 1000)
        server.after(1)
    server.after(1)
    assert client.closed == "done"


def test_a_transport_that_does_not_close_is_aborted(
    serve: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = serve(ok, timeouts=QUICK)
    client = server.connect()
    monkeypatch.setattr(client.transport, "loseConnection", lambda: None)
    client.send(GET.replace(b"Host", b"Connection: close\r\nHost"))
    server.after(2)
    assert not client.closed
    server.after(2)
    assert client.closed == "aborted"


def test_a_client_that_waits_is_refused_without_its_body(serve: Any) -> None:
    server = serve(ok)
    client = server.connect()
    client.send(put(10, b"Expect: 100-continue"))
    assert client.received() == OK_CLOSE


# -- half-closed and lost --------------------------------------------------------------------


def test_a_client_that_only_stops_sending_still_gets_its_answers(serve: Any) -> None:
    server = serve()
    client = server.connect()
    client.send(GET + GET)
    client.channel.readConnectionLost()
    ok(server.requests[0])
    assert not client.closed
    ok(server.requests[1])
    assert client.received() == OK + OK_CLOSE
    assert client.closed == "done"


@pytest.mark.parametrize("begin", [b"", b"GET / HT"])
def test_a_client_that_stops_between_requests_is_closed(serve: Any, begin: bytes) -> None:
    client = serve(ok).connect()
    if begin:
        client.send(begin)
    client.channel.readConnectionLost()
    assert (client.closed, client.received()) == ("done", b"")


def test_a_body_that_ends_early(serve: Any) -> None:
    server = serve()
    client = server.connect()
    client.send(put(10) + b"12345")
    reading = ensureDeferred(server.requests[0].body.read(100))
    client.channel.readConnectionLost()
    errors: list[Failure] = []
    reading.addErrback(errors.append)
    assert errors[0].check(BodyIncomplete)
    server.requests[0].answer(400, [], b"no")
    assert client.received().startswith(b"HTTP/1.1 400 Bad Request\r\n")
    assert client.closed == "done"


def test_a_body_that_ended_before_it_was_asked_for(serve: Any) -> None:
    server = serve()
    client = server.connect()
    client.send(GET + put(10) + b"12345")
    client.channel.readConnectionLost()
    ok(server.requests[0])
    errors: list[Failure] = []
    ensureDeferred(server.requests[1].body.read(100)).addErrback(errors.append)
    assert errors[0].check(BodyIncomplete)


def test_the_end_of_input_ends_draining_and_lingering(serve: Any) -> None:
    for length in (1000, 10**9):
        client = serve(ok).connect()
        client.send(put(length))
        assert not client.closed
        client.channel.readConnectionLost()
        assert client.closed == "done"


def test_everybody_hears_of_a_lost_connection(serve: Any) -> None:
    server = serve()
    client = server.connect()
    client.send(put(10) + b"12345")
    (request,) = server.requests
    heard: list[Failure] = []
    request.notifyFinish().addErrback(heard.append)
    ensureDeferred(request.body.read(100)).addErrback(heard.append)
    client.vanish()
    assert [failure.type for failure in heard] == [ConnectionLost, BodyIncomplete]
    with pytest.raises(ClientGone):
        ok(request)
    assert (server.factory.running, server.factory.connections) == (0, 0)


# -- bugs above, and the end -----------------------------------------------------------------


def test_a_bug_above_is_answered_with_500(serve: Any) -> None:
    def bug(request: Request) -> None:
        raise ZeroDivisionError

    server = serve(bug)
    client = server.connect()
    client.send(GET)
    assert client.received().startswith(b"HTTP/1.1 500 ")
    server.after(11)
    assert (client.closed, server.factory.running) == ("done", 0)


def test_a_bug_after_the_answer_has_begun_cuts_the_connection(serve: Any) -> None:
    def bug(request: Request) -> None:
        request.begin_stream(200, [])
        raise ZeroDivisionError

    client = serve(bug).connect()
    client.send(GET)
    assert client.closed == "aborted"


def test_a_bug_after_the_answer_harms_nobody(serve: Any) -> None:
    def bug(request: Request) -> None:
        ok(request)
        raise ZeroDivisionError

    client = serve(bug).connect()
    client.send(GET + GET)
    assert (client.received(), client.closed) == (OK + OK, "")


def test_a_request_can_end_its_connection(serve: Any) -> None:
    server = serve()
    client = server.connect()
    client.send(GET)
    lost: list[Failure] = []
    server.requests[0].notifyFinish().addErrback(lost.append)
    server.requests[0].loseConnection()
    assert (client.closed, len(lost)) == ("done", 1)


def test_draining_waits_for_the_answers_under_way(serve: Any) -> None:
    server = serve()
    idle, half, busy = server.connect(), server.connect(), server.connect()
    half.send(b"GET /")
    busy.send(GET + GET)
    drained: list[None] = []
    server.factory.drain().addCallback(drained.append)
    assert (idle.closed, half.closed, busy.closed) == ("done", "done", "")
    assert (drained, server.factory.connections) == ([], 1)
    ok(server.requests[0])
    assert (busy.received(), busy.closed) == (OK_CLOSE, "done")
    assert len(server.requests) == 1
    assert len(drained) == 1


def test_draining_nothing_is_done_at_once(serve: Any) -> None:
    drained: list[None] = []
    serve().factory.drain().addCallback(drained.append)
    assert len(drained) == 1


def test_whoever_retires_answers_each_connection_once_more(serve: Any) -> None:
    server = serve()
    idle, half, promised = server.connect(), server.connect(), server.connect()
    half.send(b"GET / HTTP/1.1\r\n")
    promised.send(GET)
    server.requests[0].setHeader(b"content-length", b"2")
    server.requests[0].write(b"o")
    assert b"Connection: close" not in promised.received()
    retired: list[None] = []
    server.factory.retire().addCallback(retired.append)
    server.requests[0].write(b"k")
    server.requests[0].finish()
    assert (idle.closed, half.closed, promised.closed) == ("", "", ""), "nobody is cut off"
    for number, client in enumerate((idle, half, promised), 1):
        client.received()
        client.send(b"Host: x\r\n\r\n" if client is half else GET)
        ok(server.requests[number])
        assert (client.received(), client.closed) == (OK_CLOSE, "done")
        assert len(retired) == number // 3


def test_after_retiring_comes_draining(serve: Any) -> None:
    server = serve()
    idle = server.connect()
    done: list[None] = []
    server.factory.retire().addCallback(done.append)
    server.factory.drain().addCallback(done.append)
    assert idle.closed == "done"
    assert len(done) == 2


def test_an_answer_that_promised_to_go_on_does_not_survive_draining(serve: Any) -> None:
    server = serve()
    client = server.connect()
    client.send(GET)
    server.requests[0].begin_stream(200, [])
    server.factory.drain()
    server.requests[0].end_stream(b"x")
    assert client.closed == "done"


def test_abort_ends_everything(serve: Any) -> None:
    server = serve()
    client = server.connect()
    client.send(GET)
    server.factory.abort()
    assert (client.closed, server.factory.connections) == ("aborted", 0)


def test_one_connection_too_many_is_told_so(serve: Any) -> None:
    server = serve(ok, limits=Limits(connections=1))
    first, second = server.connect(), server.connect()
    assert second.received().startswith(b"HTTP/1.1 503 ")
    second.vanish()
    first.send(GET)
    assert first.received() == OK
    third = server.connect()
    assert third.received().startswith(b"HTTP/1.1 503 ")


def test_the_last_answer_goes_out_before_the_connection_ends(serve: Any) -> None:
    server = serve(timeouts=QUICK)
    client = server.connect()
    client.send(GET.replace(b"Host", b"Connection: close\r\nHost"))
    client.stall()
    ok(server.requests[0])
    client.send(b"more")
    assert (client.closed, client.received()) == ("", b"")
    client.go_on()
    assert (client.closed, client.received()) == ("done", OK_CLOSE)


# -- below and above -------------------------------------------------------------------------


def test_tls_clients_negotiate_http_1(serve: Any) -> None:
    factory = serve().factory
    verifyObject(IProtocolNegotiationFactory, factory)
    assert factory.acceptableProtocols()[0] == b"http/1.1"


def test_over_tls_nothing_goes_past_the_transport(
    serve: Any, over_socket: Callable[..., Any]
) -> None:
    server = serve()
    client = over_socket(server, ISSLTransport)
    assert not client.channel.outlet.direct
    client.send(GET)
    assert server.requests[0].isSecure()
    ok(server.requests[0])
    with pytest.raises(BlockingIOError):
        client.socket.recv(1)
    client.write()
    assert client.socket.recv(9) == b"HTTP/1.1 "


def test_a_site_can_be_given(serve: Any) -> None:
    class OneAnswer:
        displayTracebacks = False

        def getResourceFor(self, request: Request) -> Resource:
            return ErrorPage()

    class ErrorPage(Resource):
        isLeaf = True

        def render_GET(self, request: Any) -> bytes:
            return b"one"

    client = serve(site=OneAnswer()).connect()
    client.send(GET)
    assert client.received().endswith(b"\r\n\r\none")


def test_what_is_written_after_the_end_goes_nowhere(serve: Any) -> None:
    server = serve()
    client = server.connect()
    client.send(put(10**9))
    (request,) = server.requests
    request.begin_stream(200, [])
    client.received()
    request.loseConnection()
    request.end_stream(b"late")
    assert (client.received(), server.factory.running) == (b"", 0)
