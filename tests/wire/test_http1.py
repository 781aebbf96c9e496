"""Heads: one meaning or none."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from s3daemon.wire.http1 import Head, HeadError, Limits, check_begin, parse_head


def head(*lines: bytes) -> bytes:
    return b"".join(line + b"\r\n" for line in lines) + b"\r\n"


def get(*fields: bytes) -> bytes:
    return head(b"GET / HTTP/1.1", b"Host: h", *fields)


def test_everything_of_a_head() -> None:
    found = parse_head(
        head(
            b"PUT /b/a%20b?x=1&y HTTP/1.1",
            b"HOST: gate.test:9",
            b"x-amz-meta-Two: \t a  b\tc \t",
            b"Content-Length: 12",
            b"Expect: 100-Continue",
            b"Empty:",
            b"Utf: \xc3\xa4",
        )
    )
    assert found == Head(
        method=b"PUT",
        target=b"/b/a%20b?x=1&y",
        version=(1, 1),
        fields=[
            (b"host", b"gate.test:9"),
            (b"x-amz-meta-two", b"a  b\tc"),
            (b"content-length", b"12"),
            (b"expect", b"100-Continue"),
            (b"empty", b""),
            (b"utf", b"\xc3\xa4"),
        ],
        host=b"gate.test:9",
        length=12,
        chunked=False,
        keep_alive=True,
        expect_continue=True,
    )


@pytest.mark.parametrize(
    ("fields", "length", "chunked"),
    [
        ((), None, False),
        ((b"Content-Length: 0",), 0, False),
        ((b"Transfer-Encoding: Chunked",), None, True),
    ],
)
def test_how_a_body_is_framed(fields: tuple[bytes, ...], length: int | None, chunked: bool) -> None:
    found = parse_head(get(*fields))
    assert (found.length, found.chunked) == (length, chunked)


@pytest.mark.parametrize(
    ("data", "status"),
    [
        # The ends of lines, and where a field begins.
        (b"GET / HTTP/1.1\nHost: h\n\n", 400),
        (b"GET / HTTP/1.1\nHost: h\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: h\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: h\r\n\n", 400),
        (b"GET / HTTP/1.1\r\nHost: h\r\n", 400),
        (get(b"A: b\nC: d"), 400),
        (get(b"A: b\rC: d"), 400),
        (get(b"A: b\r\r"), 400),
        (get(b"A: b", b" folded"), 400),
        (get(b"A: b", b"\tfolded"), 400),
        (head(b"GET / HTTP/1.1", b" Host: h"), 400),
        (head(b"GET / HTTP/1.1", b"Host : h"), 400),
        (get(b"Content-Length : 3"), 400),
        (get(b"Content-Length\t: 3"), 400),
        (get(b": nameless"), 400),
        (get(b"no colon"), 400),
        (get(b"bad name: x"), 400),
        (get(b"b\xc3\xa4d: x"), 400),
        (get(b"A: \x00"), 400),
        (get(b"A: x\x0by"), 400),
        (get(b"A: x\x7f"), 400),
        (get(b"A:" + b" " * 60000 + b"\0"), 400),
        (get(b"A:" + b" a" * 30000 + b"\0"), 400),
        (get() + b"GET", 400),
        (get() + b"\r\n", 400),
        (b"\r\n" + get(), 400),
        # The request line.
        (head(b"GET  / HTTP/1.1", b"Host: h"), 400),
        (head(b"GET / HTTP/1.1 ", b"Host: h"), 400),
        (head(b"GET /a b HTTP/1.1", b"Host: h"), 400),
        (head(b"GET\t/ HTTP/1.1", b"Host: h"), 400),
        (head(b" GET / HTTP/1.1", b"Host: h"), 400),
        (head(b"GET /#f HTTP/1.1", b"Host: h"), 400),
        (head(b"GET /\x00 HTTP/1.1", b"Host: h"), 400),
        (head(b"GET /\x7f HTTP/1.1", b"Host: h"), 400),
        (head(b"G(T / HTTP/1.1", b"Host: h"), 400),
        (head(b"1GET / HTTP/1.1", b"Host: h"), 400),
        (head(b"G" * 33 + b" / HTTP/1.1", b"Host: h"), 400),
        (head(b"GET /"), 400),
        (head(b"GET / http/1.1", b"Host: h"), 400),
        (head(b"GET / HTTP/1.10", b"Host: h"), 400),
        (head(b"GET / HTTP/1.2", b"Host: h"), 505),
        (head(b"GET / HTTP/0.9", b"Host: h"), 505),
        (head(b"PRI * HTTP/2.0"), 505),
        (b"", 400),
        (b"\r\n\r\n", 400),
        # Targets.
        (head(b"GET a/b HTTP/1.1", b"Host: h"), 400),
        (head(b"GET * HTTP/1.1", b"Host: h"), 400),
        (head(b"CONNECT h:80 HTTP/1.1", b"Host: h"), 400),
        (head(b"GET ftp://h/ HTTP/1.1", b"Host: h"), 400),
        (head(b"GET http:///x HTTP/1.1", b"Host: h"), 400),
        (head(b"GET http://u@h/x HTTP/1.1", b"Host: h"), 400),
        (head(b"GET http://h/x HTTP/1.1"), 400),
        (head(b"GET http://a\\b/x HTTP/1.1", b"Host: h"), 400),
        # Host.
        (head(b"GET / HTTP/1.1"), 400),
        (get(b"Host: h"), 400),
        (get(b"hOST: other"), 400),
        (head(b"GET / HTTP/1.0", b"Host: a", b"Host: b"), 400),
        (head(b"GET / HTTP/1.1", b"Host: a b"), 400),
        (head(b"GET / HTTP/1.1", b"Host: a/b"), 400),
        (head(b"GET / HTTP/1.1", b"Host: u@a"), 400),
        (head(b"GET / HTTP/1.1", b"Host: a:80:80"), 400),
        (head(b"GET / HTTP/1.1", b"Host: a:x"), 400),
        (head(b"GET / HTTP/1.1", b"Host: a:123456"), 400),
        (head(b"GET / HTTP/1.1", b"Host: ::1"), 400),
        (head(b"GET / HTTP/1.1", b"Host: [::1"), 400),
        (head(b"GET / HTTP/1.1", b"Host: [::1]x"), 400),
        (head(b"GET http://a:b/x HTTP/1.1", b"Host: h"), 400),
        # Lengths.
        (get(b"Content-Length: 3", b"Content-Length: 3"), 400),
        (get(b"Content-Length: 3", b"content-length: 4"), 400),
        (get(b"Content-Length: 3, 3"), 400),
        (get(b"Content-Length:"), 400),
        (get(b"Content-Length: +3"), 400),
        (get(b"Content-Length: -3"), 400),
        (get(b"Content-Length: 0x3"), 400),
        (get(b"Content-Length: 3 3"), 400),
        (get(b"Content-Length: 1_0"), 400),
        (get(b"Content-Length: \xd9\xa3"), 400),
        (get(b"Content-Length: 9223372036854775808"), 400),
        (get(b"Content-Length: " + b"9" * 400), 400),
        (get(b"Content-Length: 3", b"Transfer-Encoding: chunked"), 400),
        (get(b"Transfer-Encoding: chunked", b"Content-Length: 3"), 400),
        (get(b"Transfer-Encoding: identity"), 501),
        (get(b"Transfer-Encoding: gzip, chunked"), 501),
        (get(b"Transfer-Encoding: chunked, chunked"), 501),
        (get(b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked"), 501),
        (get(b"Transfer-Encoding: chunked", b"Transfer-Encoding: x"), 501),
        (get(b"Transfer-Encoding: xchunked"), 501),
        (get(b"Transfer-Encoding: chunked;q=1"), 501),
        (get(b"Transfer-Encoding:"), 501),
        (head(b"POST / HTTP/1.0", b"Transfer-Encoding: chunked"), 400),
        # How much.
        (get(*[b"A: b"] * 100), 431),
        (get(b"A: " + b"b" * 65536), 431),
    ],
)
def test_what_has_more_than_one_meaning_is_refused(data: bytes, status: int) -> None:
    with pytest.raises(HeadError) as caught:
        parse_head(data)
    assert caught.value.status == status
    assert caught.value.reason == str(caught.value) != ""


def test_limits_are_exact() -> None:
    data = get(b"A: b", b"C: d")
    parse_head(data, Limits(head=len(data), fields=3))
    for limits in (Limits(head=len(data) - 1), Limits(fields=2)):
        with pytest.raises(HeadError) as caught:
            parse_head(data, limits)
        assert caught.value.status == 431


@pytest.mark.parametrize(
    ("length", "value"), [(b"0", 0), (b"007", 7), (b"9223372036854775807", 2**63 - 1)]
)
def test_content_length(length: bytes, value: int) -> None:
    assert parse_head(get(b"Content-Length: " + length)).length == value


@pytest.mark.parametrize(
    ("method", "target", "path", "host"),
    [
        (b"GET", b"http://other:8/a?b", b"/a?b", b"other:8"),
        (b"GET", b"HTTPS://other", b"/", b"other"),
        (b"GET", b"http://other?x", b"/?x", b"other"),
        (b"GET", b"http://[::1]:80//a", b"//a", b"[::1]:80"),
        (b"OPTIONS", b"*", b"*", b"h"),
        (b"GET", b"//a//b", b"//a//b", b"h"),
        (b"GET", b"/http://x", b"/http://x", b"h"),
        (b"GET", b'/\xc3\xa4|{}^"\\', b'/\xc3\xa4|{}^"\\', b"h"),
    ],
)
def test_targets(method: bytes, target: bytes, path: bytes, host: bytes) -> None:
    found = parse_head(head(method + b" " + target + b" HTTP/1.1", b"X: y", b"Host: h"))
    assert (found.target, found.host) == (path, host)
    # What is signed is the Host that counts.
    assert found.fields == [(b"x", b"y"), (b"host", host)]


def test_a_target_gives_the_host_that_http_1_0_may_leave_out():
    found = parse_head(head(b"GET http://other/x HTTP/1.0", b"X: y"))
    assert (found.host, found.fields) == (b"other", [(b"x", b"y"), (b"host", b"other")])


@pytest.mark.parametrize(
    ("version", "fields", "keep_alive"),
    [
        (b"1.1", (), True),
        (b"1.1", (b"Connection: close",), False),
        (b"1.1", (b"Connection: Keep-Alive, CLOSE",), False),
        (b"1.1", (b"Connection: keep-alive", b"Connection: close"), False),
        (b"1.1", (b"Connection: close", b"Connection: keep-alive"), False),
        (b"1.1", (b"Connection: closed",), True),
        (b"1.1", (b"Connection: upgrade",), True),
        (b"1.0", (), False),
        (b"1.0", (b"Connection: te, Keep-Alive",), True),
        (b"1.0", (b"Connection: keep-alive, close",), False),
        (b"1.0", (b"Connection: keep-alive", b"Connection: close"), False),
    ],
)
def test_keep_alive(version: bytes, fields: tuple[bytes, ...], keep_alive: bool) -> None:
    found = parse_head(head(b"GET / HTTP/" + version, b"Host: h", *fields))
    assert found.keep_alive is keep_alive


def test_http_1_0_needs_no_host_and_cannot_expect() -> None:
    found = parse_head(head(b"GET / HTTP/1.0", b"Expect: 100-continue"))
    assert (found.version, found.host, found.expect_continue) == ((1, 0), None, False)


@pytest.mark.parametrize(
    "data",
    [
        b"\x16\x03\x01\x02\x00",
        b" GET",
        b"\x00",
        b"GET / HTTP/1.1\nHost",
        b"G" * 65536,
        b"1",
        b"GET /\r\n",
        b"EHLO gate.test\r\n",
        b"GET / HTTP/1.1 \r\nHost: h",
        b"SSH-2.0-x\r\n",
    ],
)
def test_what_cannot_become_a_head_is_refused_early(data: bytes) -> None:
    with pytest.raises(HeadError):
        check_begin(data)


tokens = st.text("!#$%&'*+-.^_`|~09azAZ", min_size=1, max_size=8).map(str.encode)
values = st.text(
    st.sampled_from([chr(n) for n in range(0x20, 0x100) if n < 0x7F or n > 0x9F]),
    max_size=20,
).map(lambda text: text.encode("latin-1").strip(b" \t"))
special = {b"host", b"content-length", b"transfer-encoding", b"connection", b"expect"}
ordinary = st.lists(
    st.tuples(tokens.filter(lambda name: name.lower() not in special), values), max_size=8
)


@given(ordinary, st.sampled_from([b"", b" ", b"\t ", b"  "]))
def test_fields_come_back_as_sent(fields: list[tuple[bytes, bytes]], blanks: bytes) -> None:
    data = get(*[name + b":" + blanks + value + blanks for name, value in fields])
    expected = [(name.lower(), value) for name, value in fields]
    assert parse_head(data).fields == [(b"host", b"h"), *expected]
    for size in range(len(data)):
        check_begin(data[:size])


@given(st.binary(max_size=200))
def test_garbage_is_read_or_refused(data: bytes) -> None:
    for text in (data, get(data), head(data, b"Host: h"), head(b"GET " + data + b" HTTP/1.1")):
        try:
            found = parse_head(text)
        except HeadError:
            continue
        assert all(b"\n" not in value and b"\r" not in value for _, value in found.fields)


@given(st.data())
def test_a_changed_byte_never_hides_a_line(data: st.DataObject) -> None:
    """Whatever one byte becomes, the head has as many fields as lines, or is refused."""
    good = bytearray(get(b"Content-Length: 5", b"A: b"))
    position = data.draw(st.integers(0, len(good) - 1))
    good[position] = data.draw(st.integers(0, 255))
    try:
        found = parse_head(bytes(good))
    except HeadError:
        return
    assert len(found.fields) == 3


@pytest.mark.parametrize("value", [b"200-ok", b"", b"100-continue, x"])
def test_unknown_expectations_are_passed_over(value):
    """As S3 does; RFC 9110 only allows 417."""
    assert not parse_head(head(b"GET / HTTP/1.1", b"Host: h", b"Expect: " + value)).expect_continue


@pytest.mark.parametrize(
    "host", [b"", b"h", b"h:", b"h:65535", b"[::1]", b"[::ffff:1.2.3.4]:80", b"a_b.%41"]
)
def test_hosts(host):
    found = parse_head(head(b"GET / HTTP/1.1", b"Host: " + host))
    assert found.host == host
