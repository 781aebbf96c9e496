"""What clients put where it may come out again: lines of the log, fields of an answer, limits."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest
from lxml import etree
from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.logger import LogEvent, globalLogPublisher
from twisted.python.failure import Failure

from s3daemon.actions.base import Limits
from s3daemon.http.factory import S3Factory
from s3daemon.ops import logformat
from s3daemon.store.memory import MemoryStore
from s3daemon.wire.http1 import parse_head
from tests.support.gateway import make_factory

SIGNED = (
    b"Authorization: AWS4-HMAC-SHA256 Credential=me/20260101/us-east-1/s3/aws4_request,"
    b" SignedHeaders=host, Signature=00\r\n"
)


class World:
    """A gateway over memory, spoken to in bytes; and what it logged."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.store = MemoryStore()
        self.factory: S3Factory = make_factory(self.store, Limits(), self.clock)
        self.events: list[LogEvent] = []
        self.say(b"PUT", b"/bucket")

    def send(self, data: bytes) -> bytes:
        """The answer to these bytes, on a connection of its own."""
        protocol, transport = self.factory.buildProtocol(None), StringTransport()
        protocol.makeConnection(transport)
        protocol.dataReceived(data)
        return transport.value()

    def say(
        self, method: bytes, target: bytes, *fields: bytes, body: bytes = b"", signed: bool = True
    ) -> bytes:
        lines = b"".join(field + b"\r\n" for field in fields)
        return self.send(
            b"%b %b HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n%b%b\r\n%b"
            % (method, target, len(body), SIGNED if signed else b"", lines, body)
        )

    @property
    def lines(self) -> list[str]:
        """What the log holds since the last call."""
        events = self.events.copy()
        self.events.clear()
        lines = [line for event in events if (line := logformat.line(event)) is not None]
        for line in lines:
            assert line[-1] == "\n"
            assert line[:-1].isprintable()
        # What is logged at level debug says in other words why a request was refused.
        return [line for line in lines if line.split()[1] != "debug"]


@pytest.fixture
def world() -> Iterator[World]:
    made = World()
    observer = made.events.append
    globalLogPublisher.addObserver(observer)
    yield made
    globalLogPublisher.removeObserver(observer)


def status(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1])


def code(answer: bytes) -> str:
    found = etree.fromstring(answer.partition(b"\r\n\r\n")[2]).findtext("Code")
    assert found is not None
    return found


def fields(answer: bytes) -> dict[bytes, bytes]:
    """The fields of an answer, read as strictly as those of a request."""
    lines = answer.partition(b"\r\n\r\n")[0].split(b"\r\n")[1:]
    head = b"GET / HTTP/1.1\r\nHost: h\r\n" + b"".join(line + b"\r\n" for line in lines) + b"\r\n"
    found = parse_head(head).fields[1:]
    assert len(dict(found)) == len(found)
    return dict(found)


# -- the log ---------------------------------------------------------------------------------------

EVIL = [
    "\r\nfake line user=root",
    "\n",
    "\x1b[2J\x1b]0;title\x07",
    "\x85next",
    "\u2028line\u2029",
    "\u202etxet",
    "a b status=200 error=-",
    "\0",
    "\x9b31m",
    "\u00e9\U0001f600",
]


@pytest.mark.parametrize("evil", EVIL, ids=ascii)
@pytest.mark.parametrize(
    "target",
    [
        b"/bucket/%b",
        b"/%b/key",
        b"/bucket?list-type=2&prefix=%b",
        b"/bucket/k?x-amz-meta-a=%b&X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=me/x",
        b"/bucket?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=%b/20260101/x",
        b"/bucket?uploads&%b=1",
    ],
)
def test_one_request_one_line(world: World, target: bytes, evil: str) -> None:
    """Whatever is in keys, buckets, parameters and names of users."""
    signed = b"X-Amz-Algorithm" not in target
    world.say(b"GET", target % quote(evil).encode(), signed=signed)
    (line,) = world.lines
    # Date, level and place; then as many words as every such line has.
    words = line.split()
    assert len(words) == 3 + 11, line
    assert [word.partition("=")[0] for word in words[3:]] == [
        *("request_id", "peer", "user", "operation", "method", "target", "status", "error"),
        *("received", "sent", "ms"),
    ]


@pytest.mark.parametrize(
    "raw", [b"/bucket/\xff\xfe", b"/bucket/\xe2\x80\xa8", b"/bucket/\xc2\x85x", b'/b/"\\|{}^`']
)
def test_raw_bytes_in_a_target(world: World, raw: bytes) -> None:
    world.say(b"GET", raw)
    (line,) = world.lines
    assert line[:-1].isascii()
    assert len(line.split()) == 14


def test_raw_bytes_in_the_name_of_a_user(world: World) -> None:
    for name in (b"\xff\xfe", b"\xe2\x80\xa8", b"\xc2\x85", b"\xed\xb2\x80"):
        world.send(
            b"GET /bucket HTTP/1.1\r\nHost: h\r\n" + SIGNED.replace(b"me/", name + b"/") + b"\r\n"
        )
        (line,) = world.lines
        assert len(line.split()) == 14


@pytest.mark.parametrize(
    "data",
    [
        b"\x16\x03\x01\n\x1b[2J",
        b"GET / HTTP/1.1\r\nHost: h\r\nA\x1b[2J: x\r\n\r\n",
        b"G\nE\n",
        b"\0",
    ],
)
def test_what_is_no_request_has_a_line_of_fixed_words(world: World, data: bytes) -> None:
    assert status(world.send(data)) == 400
    (line,) = world.lines
    assert re.search(r"no request: peer=192\.168\.1\.1:54321 status=400 reason='[^']+'$", line[:-1])


def test_long_targets_are_cut_in_the_log(world: World) -> None:
    world.say(b"GET", b"/bucket?prefix=" + b"x" * 50_000)
    (line,) = world.lines
    assert len(line) < 2600


def test_no_secret_is_in_the_log(world: World) -> None:
    world.say(
        b"GET",
        b"/bucket/k?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=me/x&X-Amz-Signature=s3cr3t"
        b"&X-Amz-Security-Token=s3cr3t",
        signed=False,
    )
    world.say(b"GET", b"/bucket?AWSAccessKeyId=me&Signature=s3cr3t&Expires=1", signed=False)
    world.send(b"GET / HTTP/1.1\r\nHost: h\r\nAuthorization: Basic s3cr3t\r\n\r\n")
    world.send(b"GET / HTTP/1.1\r\nHost: h\r\nAuthorization: s3cr3t\rx\r\n\r\n")
    assert not any("s3cr3t" in line for line in world.lines)


# -- fields of answers -----------------------------------------------------------------------------

BREAKS = ["\r\nX-Evil: 1", "\nX-Evil: 1", "\rX-Evil: 1", "\r\n\r\n<html>", "\0"]


@pytest.mark.parametrize("evil", BREAKS, ids=ascii)
def test_no_parameter_becomes_a_field(world: World, evil: str) -> None:
    """Parameters of a query can hold what no header field can."""
    end = quote(evil).encode()
    world.say(b"PUT", b"/bucket/k", body=b"content")
    for name in (b"content-type", b"content-disposition", b"cache-control", b"expires"):
        answer = world.say(b"GET", b"/bucket/k?response-%b=a%b" % (name, end))
        assert (status(answer), code(answer)) == (400, "InvalidArgument")
        assert b"x-evil" not in fields(answer)
    for name, value in ((b"x-amz-meta-a", b"b" + end), (b"x-amz-meta-a" + end, b"b")):
        world.say(b"PUT", b"/bucket/k?%b=%b" % (name, value), body=b"content")
        for method in (b"GET", b"HEAD"):
            answer = world.say(method, b"/bucket/k")
            assert status(answer) == 200
            assert not [name for name in fields(answer) if b"evil" in name or b"meta-a" in name]
            assert fields(answer)[b"x-amz-missing-meta"] == b"1"
            assert answer.count(b"\r\n\r\n") == 1
            assert b"<html>" not in answer


@pytest.mark.parametrize("evil", BREAKS[:-1], ids=ascii)
def test_no_key_and_no_bucket_becomes_a_field(world: World, evil: str) -> None:
    name = quote(evil, safe="").encode()
    for base in (b"", b"/api/v1/s3"):
        answers = [
            world.say(b"PUT", base + b"/bucket/" + name, body=b"x"),
            world.say(b"GET", base + b"/bucket/" + name),
            world.say(b"POST", base + b"/bucket/%b?uploads" % name),
            world.say(b"GET", base + b"/bucket?prefix=%b&delimiter=%b" % (name, name)),
            world.say(b"PUT", base + b"/" + name),
            world.say(b"GET", base + b"/" + name + b"/" + name),
            world.say(b"PUT", base + b"/bucket/c", b"x-amz-copy-source: /bucket/" + name),
            world.say(b"DELETE", base + b"/bucket/" + name),
        ]
        for answer in answers:
            assert b"x-evil" not in fields(answer)
            assert answer.startswith(b"HTTP/1.1 ")
            assert b"\r\n\r\n<html>" not in answer


def test_what_a_client_says_of_itself_does_not_come_back(world: World) -> None:
    answer = world.say(
        b"GET", b"/bucket", b"Origin: http://evil", b"X-Request-Id: evil", b"Referer: evil"
    )
    assert b"evil" not in answer


# -- limits ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        (b"k" * 1024, 200),
        (b"k" * 1025, 400),
        ("\u00e9".encode() * 512, 200),
        ("\u00e9".encode() * 513, 400),
        (b"%C3%A9" * 512, 200),
        (b"%C3%A9" * 513, 400),
        (b"/" * 1024, 200),
    ],
    ids=lambda part: f"{part[:6]!r}{len(part)}" if isinstance(part, bytes) else "",
)
def test_keys_have_1024_bytes_at_most(world: World, key: bytes, expected: int) -> None:
    answer = world.say(b"PUT", b"/bucket/" + key, body=b"x")
    assert status(answer) == expected
    if expected == 400:
        assert code(answer) == "KeyTooLongError"


@pytest.mark.parametrize(
    ("name", "expected"), [(b"abc", 200), (b"b" * 63, 200), (b"ab", 400), (b"b" * 64, 400)]
)
def test_bucket_names_have_3_to_63_characters(world: World, name: bytes, expected: int) -> None:
    answer = world.say(b"PUT", b"/" + name)
    assert status(answer) == expected
    if expected == 400:
        assert code(answer) == "InvalidBucketName"


@pytest.mark.parametrize(("size", "expected"), [(2048, 200), (2049, 400)])
def test_user_metadata_has_2_kb(world: World, size: int, expected: int) -> None:
    half = size // 2
    answer = world.say(
        b"PUT",
        b"/bucket/k",
        b"x-amz-meta-a: " + b"v" * (half - 1),
        b"x-amz-meta-b: " + b"v" * (size - half - 1),
    )
    assert status(answer) == expected
    if expected == 400:
        assert code(answer) == "MetadataTooLarge"


@pytest.mark.parametrize(("count", "expected"), [(10, 200), (11, 400)])
def test_objects_have_ten_tags(world: World, count: int, expected: int) -> None:
    tags = b"&".join(b"k%d=v" % number for number in range(count))
    assert status(world.say(b"PUT", b"/bucket/k", b"x-amz-tagging: " + tags)) == expected


@pytest.mark.parametrize(("count", "expected"), [(1000, 200), (1001, 400)])
def test_delete_objects_takes_1000_keys(world: World, count: int, expected: int) -> None:
    body = b"".join(b"<Object><Key>k%d</Key></Object>" % number for number in range(count))
    answer = world.say(b"POST", b"/bucket?delete", body=b"<Delete>" + body + b"</Delete>")
    assert status(answer) == expected


def test_a_head_of_any_length_is_read_or_refused(world: World) -> None:
    for size in (60_000, 70_000, 200_000):
        long = b"x" * size
        for target, field in ((b"/bucket?prefix=" + long, b"A: b"), (b"/", b"A: " + long)):
            answer = world.say(b"GET", target, field)
            if size < 65_000:
                assert status(answer) in (200, 400)
                assert b"TooLarge" not in answer
            else:
                assert status(answer) == 400
                assert code(answer) == "RequestHeaderSectionTooLarge"
                assert fields(answer)[b"connection"] == b"close"


def test_many_parameters_are_read_in_no_time(world: World) -> None:
    """As many as a head can hold: nothing takes time by their square."""
    query = b"&".join(b"%x=" % number for number in range(9000))
    assert status(world.say(b"GET", b"/bucket?" + query)) in (200, 501)
    assert status(world.say(b"GET", b"/bucket?" + b"&" * 60_000)) == 200
    assert status(world.say(b"GET", b"/bucket?" + b"a=1&" * 15_000)) == 200


@pytest.mark.parametrize(
    ("method", "expected"),
    [(b"TRACE", 405), (b"CONNECT", 405), (b"PATCH", 405), (b"get", 405), (b"PROPFIND", 405)],
)
def test_methods_that_s3_does_not_have(world: World, method: bytes, expected: int) -> None:
    answer = world.say(method, b"/bucket/k")
    assert (status(answer), code(answer)) == (expected, "MethodNotAllowed")
    assert b"\r\nmessage/http" not in answer.lower()


def test_nobody_gets_a_traceback(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def bug(*args: Any) -> None:
        raise ZeroDivisionError("of the inside")

    monkeypatch.setattr(type(world.store.objects), "open", bug)
    answer = world.say(b"GET", b"/bucket/k")
    assert (status(answer), code(answer)) == (500, "InternalError")
    assert b"inside" not in answer
    assert len(world.lines) == 2


# -- ends in the middle ----------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["reset", "half-close"])
@pytest.mark.parametrize(
    "fields",
    [
        b"Content-Length: 7\r\n",
        b"Content-Length: 7\r\nExpect: 100-continue\r\n",
        b"Transfer-Encoding: chunked\r\n",
    ],
)
def test_a_request_cut_anywhere_is_whole_or_nothing(world: World, how: str, fields: bytes) -> None:
    body = b"3\r\ncon\r\n4\r\ntent\r\n0\r\n\r\n" if b"chunked" in fields else b"content"
    request = b"PUT /bucket/key HTTP/1.1\r\nHost: h\r\n" + SIGNED + fields + b"\r\n" + body
    for size in range(len(request) + 1):
        protocol, transport = world.factory.buildProtocol(None), StringTransport()
        protocol.makeConnection(transport)
        for at in range(0, size, 50):
            protocol.dataReceived(request[at : min(at + 50, size)])
        if how == "reset":
            protocol.connectionLost(Failure(ConnectionLost()))
        else:
            protocol.readConnectionLost()
            assert transport.disconnecting
            protocol.connectionLost(Failure(ConnectionDone()))
        stored = status(world.say(b"GET", b"/bucket/key")) == 200
        assert stored is (size == len(request)), request[:size]
        if not stored and size > len(request) - len(body) and how == "half-close":
            assert b"IncompleteBody" in transport.value()
    assert world.factory.running == 0
    assert not [line for line in world.lines if "Traceback" in line or " bug" in line]
