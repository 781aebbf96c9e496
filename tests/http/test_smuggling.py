"""Bytes that two readers could take for different requests: one answer at most, then the end.

Each row holds a request inside what may be taken for the body, or for the next request, of
another.  Sections are of RFC 9112 unless said otherwise.
"""

from __future__ import annotations

import re
from typing import Any

import pytest
from twisted.internet.defer import ensureDeferred

from s3daemon.http.body import BodyError
from s3daemon.http.limits import Limits
from s3daemon.http.request import Request

INNER = b"DELETE /inner HTTP/1.1\r\nHost: h\r\n\r\n"


def put(*fields: bytes, rest: bytes = INNER) -> bytes:
    lines = b"".join(field + b"\r\n" for field in fields)
    return b"PUT /outer HTTP/1.1\r\nHost: h\r\n" + lines + b"\r\n" + rest


def chunked(*pieces: bytes) -> bytes:
    return put(b"Transfer-Encoding: chunked", rest=b"".join(pieces) + INNER)


class World:
    """Takes every body; remembers what it was."""

    def __init__(self, serve: Any, **options: Any) -> None:
        self.seen: list[tuple[bytes, bytes, bytes]] = []
        self.server = serve(self.process, **options)
        self.client = self.server.connect()

    def process(self, request: Request) -> None:
        async def answer() -> None:
            try:
                body = await request.body.read(10**6)
            except BodyError as error:
                request.answer(400, [], str(error).encode())
                return
            self.seen.append((request.method, request.uri, body))
            request.answer(200, [], b"ok")

        ensureDeferred(answer())

    @property
    def statuses(self) -> list[int]:
        return [int(code) for code in re.findall(rb"HTTP/1.1 (\d{3}) ", self.client.received())]


HEADS = [
    # 2.2: what ends a line.
    b"PUT /outer HTTP/1.1\nHost: h\nContent-Length: 5\n\n" + INNER,
    put(b"Content-Length: 5\nX: y"),
    put(b"X: y\rContent-Length: 5"),
    put(b"X: y\r\rContent-Length: 5"),
    put(b"X: y\0Content-Length: 5"),
    put(b"X: \x0bContent-Length: 5"),
    put(b"X: y\x85Content-Length: 5\n"),
    # 2.2: a blank before the first field; 5.1: one before a colon.
    b"PUT /outer HTTP/1.1\r\n Host: h\r\nContent-Length: 5\r\n\r\n" + INNER,
    put(b"Content-Length : 35"),
    put(b"Content-Length\t: 35"),
    put(b"Content-Length\x0b: 35"),
    put(b"Transfer-Encoding : chunked"),
    put(b": 35"),
    put(b"Content-Length"),
    # 5.2: obs-fold.
    put(b"X: y", b" Content-Length: 35"),
    put(b"Content-Length:", b" 35"),
    put(b"Transfer-Encoding:", b"\tchunked"),
    # 3: the request line.
    b"PUT /outer HTTP/1.1 x\r\nHost: h\r\n\r\n" + INNER,
    b"PUT /outer  HTTP/1.1\r\nHost: h\r\n\r\n" + INNER,
    b"PUT\t/outer\tHTTP/1.1\r\nHost: h\r\n\r\n" + INNER,
    b"PUT /outer\x0cHTTP/1.1\r\nHost: h\r\n\r\n" + INNER,
    b"PUT /outer\r\nHost: h\r\n\r\n" + INNER,
    b"GET /\r\n" + INNER,
    b"PUT /outer HTTP/1.1\xa0\r\nHost: h\r\n\r\n" + INNER,
    b"PUT /outer HTTP/01.1\r\nHost: h\r\n\r\n" + INNER,
    b"PUT /outer HTTP/1.1\r\r\nHost: h\r\n\r\n" + INNER,
    b"PUT /outer HTTP/2.0\r\nHost: h\r\n\r\n" + INNER,
    b"PUT /outer HTTP/1.9\r\nHost: h\r\n\r\n" + INNER,
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + INNER,
    b"CONNECT h:443 HTTP/1.1\r\nHost: h\r\n\r\n" + INNER,
    b"PUT outer HTTP/1.1\r\nHost: h\r\n\r\n" + INNER,
    b"PUT //h@evil\\x:http://y HTTP/1.1\r\nHost: h h\r\n\r\n" + INNER,
    # 3.2: Host.
    b"PUT /outer HTTP/1.1\r\n\r\n" + INNER,
    put(b"Host: h"),
    put(b"hOsT: evil"),
    b"PUT /outer HTTP/1.1\r\nHost: h, evil\x00\r\n\r\n" + INNER,
    b"PUT /outer HTTP/1.1\r\nHost: user@h\r\n\r\n" + INNER,
    b"PUT /outer HTTP/1.1\r\nHost: h/evil\r\n\r\n" + INNER,
    b"PUT /outer HTTP/1.1\r\nHost: h:80:80\r\n\r\n" + INNER,
    b"PUT /outer HTTP/1.1\r\nHost: h:8o\r\n\r\n" + INNER,
    b"PUT /outer HTTP/1.1\r\nHost: [::1\r\n\r\n" + INNER,
    b"PUT /outer HTTP/1.1\r\nHost: ::1\r\n\r\n" + INNER,
    b"PUT http://user@h/outer HTTP/1.1\r\nHost: h\r\n\r\n" + INNER,
    b"PUT http:///outer HTTP/1.1\r\nHost: h\r\n\r\n" + INNER,
    # 6.1, 6.3: how the body is framed.
    put(b"Content-Length: 35", b"Transfer-Encoding: chunked"),
    put(b"Transfer-Encoding: chunked", b"Content-Length: 35"),
    put(b"Content-Length: 0", b"Content-Length: 35"),
    put(b"Content-Length: 35", b"Content-Length: 35"),
    put(b"Content-Length: 35, 35"),
    put(b"Content-Length: 0, 35"),
    put(b"Content-Length: +35"),
    put(b"Content-Length: -0"),
    put(b"Content-Length: 0x23"),
    put(b"Content-Length: 3 5"),
    put(b"Content-Length: 35;"),
    put(b"Content-Length: 3_5"),
    put(b"Content-Length: 35.0"),
    put(b"Content-Length: \xb23"),
    put(b"Content-Length:"),
    put(b"Content-Length: 99999999999999999999"),
    put(b"Transfer-Encoding: identity"),
    put(b"Transfer-Encoding: chunked, chunked"),
    put(b"Transfer-Encoding: gzip, chunked"),
    put(b"Transfer-Encoding: chunked, identity"),
    put(b"Transfer-Encoding: xchunked"),
    put(b"Transfer-Encoding: x chunked"),
    put(b"Transfer-Encoding: chunked;x=y"),
    put(b'Transfer-Encoding: "chunked"'),
    put(b"Transfer-Encoding: chunked\x0b"),
    put(b"Transfer-Encoding: ,chunked"),
    put(b"Transfer-Encoding:"),
    put(b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked"),
    put(b"Transfer-Encoding: chunked", b"Transfer-Encoding: identity"),
    put(b"Transfer-Encoding: identity", b"Transfer-Encoding: chunked"),
    b"PUT /outer HTTP/1.0\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + INNER,
]


@pytest.mark.parametrize("step", [0, 1])
@pytest.mark.parametrize("data", HEADS, ids=repr)
def test_nothing_after_a_refused_head_is_a_request(serve: Any, data: bytes, step: int) -> None:
    world = World(serve)
    world.client.send(data, step)
    world.client.send(INNER * 3, step)
    (status,) = world.statuses
    assert status in (400, 501, 505)
    assert world.seen == []
    world.server.after(11)
    assert world.client.closed == "done"


BODIES = [
    # 7.1: sizes.
    chunked(b"g\r\n"),
    chunked(b"0x5\r\n"),
    chunked(b"-1\r\n"),
    chunked(b"+0\r\n\r\n"),
    chunked(b" 0\r\n\r\n"),
    chunked(b"0 \r\n\r\n"),
    chunked(b"\r\n"),
    chunked(b"5_0\r\n"),
    chunked(b"\xd9\xa3\r\n"),
    chunked(b"10000000000000000\r\n"),  # 2 to the 64th
    chunked(b"00000000000000000\r\n\r\n"),  # more digits than 64 bits have
    # 7.1: ends of lines, and of chunks.
    chunked(b"0\n\r\n"),
    chunked(b"0\n\n"),
    chunked(b"0\r\n\n"),
    chunked(b"0\r\r\n\r\n"),
    chunked(b"2\nok\r\n0\r\n\r\n"),
    chunked(b"2\r\nok\n0\r\n\r\n"),
    chunked(b"2\r\nokk\r\n0\r\n\r\n"),
    chunked(b"2\r\nok0\r\n\r\n"),
    chunked(b"2\r\nokXX0\r\n\r\n"),
    chunked(b"0\r\n" + INNER),
    # 7.1.1: extensions.
    chunked(b"0;\n\r\n\r\n"),
    chunked(b"0;x=\r y\r\n\r\n"),
    chunked(b"0;x=\0\r\n\r\n"),
    chunked(b"0;" + b"x" * 2000 + b"\r\n\r\n"),
    # 7.1.2: trailers.
    chunked(b"0\r\n folded: x\r\n\r\n"),
    chunked(b"0\r\nX : y\r\n\r\n"),
    chunked(b"0\r\nX: y\n\r\n"),
    chunked(b"0\r\nX: y\r\n z\r\n\r\n"),
    chunked(b"0\r\n: y\r\n\r\n"),
    chunked(b"0\r\n" + b"X: y\r\n" * 33 + b"\r\n"),
    chunked(b"0\r\nX: " + b"y" * 2000 + b"\r\n\r\n"),
]


@pytest.mark.parametrize("step", [0, 1])
@pytest.mark.parametrize("data", BODIES, ids=lambda data: repr(data[67:-34])[:60])
def test_nothing_after_a_broken_body_is_a_request(serve: Any, data: bytes, step: int) -> None:
    world = World(serve)
    world.client.send(data, step)
    world.client.send(INNER * 3, step)
    assert world.statuses == [400]
    assert world.seen == []
    world.server.after(11)
    assert world.client.closed == "done"


@pytest.mark.parametrize(
    ("data", "body"),
    [
        (put(b"Content-Length: 35"), INNER),
        (put(b"Content-Length: 0000035"), INNER),
        (chunked(b"23\r\n" + INNER + b"\r\n0\r\n\r\n").removesuffix(INNER), INNER),
        (chunked(b'23;x="y";z\r\n' + INNER + b"\r\n00;a\r\n\r\n").removesuffix(INNER), INNER),
        (put(b"Transfer-Encoding: \t Chunked \t", rest=b"0\r\n\r\n"), b""),
        (put(b"Upgrade: h2c", b"Connection: Upgrade, HTTP2-Settings", rest=b""), b""),
        (put(b"Connection: content-length, host", b"Content-Length: 35"), INNER),
        (put(b"Content_Length: 9", b"Content-Length: 35"), INNER),
        (put(b"Expect: 100-continue, x", b"Content-Length: 35"), INNER),
    ],
)
@pytest.mark.parametrize("step", [0, 1])
def test_what_has_one_meaning_is_read_so(serve: Any, data: bytes, body: bytes, step: int) -> None:
    assert len(INNER) == 35
    world = World(serve)
    world.client.send(data + INNER, step)
    assert world.seen == [(b"PUT", b"/outer", body), (b"DELETE", b"/inner", b"")]
    assert world.statuses == [200, 200]


def test_trailers_never_become_header_fields(serve: Any) -> None:
    world = World(serve)
    trailers = b"Content-Length: 35\r\nHost: evil\r\nTransfer-Encoding: chunked\r\nX-Amz-Acl: x\r\n"
    world.client.send(chunked(b"2\r\nok\r\n0\r\n" + trailers + b"\r\n"))
    assert [seen[:2] for seen in world.seen] == [(b"PUT", b"/outer"), (b"DELETE", b"/inner")]
    outer = world.server.requests[0]
    assert outer.head.host == b"h"
    assert {name for name, _ in outer.head.fields} == {b"host", b"transfer-encoding"}
    assert len(outer.body.trailers) == 4


@pytest.mark.parametrize(
    ("method", "rest"),
    [(b"GET", INNER), (b"HEAD", INNER), (b"DELETE", INNER), (b"TRACE", INNER), (b"put", INNER)],
)
def test_any_method_may_have_a_body(serve: Any, method: bytes, rest: bytes) -> None:
    """RFC 9110, section 9.3.1: the framing does not depend on the method."""
    world = World(serve)
    world.client.send(put(b"Content-Length: 35").replace(b"PUT", method) + INNER)
    assert world.seen == [(method, b"/outer", rest), (b"DELETE", b"/inner", b"")]


def test_the_authority_of_the_target_counts(serve: Any) -> None:
    """3.2.2: and nobody above sees the other one."""
    world = World(serve)
    world.client.send(b"GET http://other:8/x HTTP/1.1\r\nHost: h\r\nX-Host: h\r\n\r\n")
    head = world.server.requests[0].head
    assert (head.host, head.target) == (b"other:8", b"/x")
    assert dict(head.fields)[b"host"] == b"other:8"


@pytest.mark.parametrize("length", [1000, 10**9])
def test_what_a_refused_request_would_have_sent_is_no_request(serve: Any, length: int) -> None:
    """Answered before its body: the rest is thrown away up to its end, or the connection ends."""
    server = serve(lambda request: request.answer(403, []), limits=Limits(drain=10_000))
    client = server.connect()
    client.send(put(b"Content-Length: %d" % length, rest=INNER * 3))
    client.send(INNER)
    assert [request.uri for request in server.requests] == [b"/outer"]
    assert (b"Connection: close" in client.received()) is (length == 10**9)


def test_who_asked_to_be_told_is_not_read_on_after_a_refusal(serve: Any) -> None:
    """RFC 9110, section 10.1.1: it may send the body or the next request; nobody can tell."""
    server = serve(lambda request: request.answer(403, []))
    client = server.connect()
    client.send(put(b"Content-Length: 35", b"Expect: 100-continue", rest=b""))
    client.send(INNER)
    assert len(server.requests) == 1
