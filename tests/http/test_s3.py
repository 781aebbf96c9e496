"""S3 requests over the real channel and a store in memory."""

from __future__ import annotations

import attrs
import pytest
from lxml import etree
from twisted.internet.defer import Deferred, fail
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport

from s3daemon.actions.base import Limits
from s3daemon.http.respond import bad_request
from s3daemon.store.interfaces import OutOfSpace, Unavailable
from s3daemon.store.memory import MemoryStore
from s3daemon.streams.pool import PoolBusy, PoolStopped, SynchronousPool
from tests.support.gateway import make_factory
from tests.support.inmemory import Wire

MIB = 1024 * 1024
AUTHORIZATION = (
    "AWS4-HMAC-SHA256 Credential=me/20260101/us-east-1/s3/aws4_request, "
    "SignedHeaders=host, Signature=00"
)


class HandPool:
    """Runs a job when the test says so."""

    def __init__(self) -> None:
        self.jobs: list = []

    def run(self, call, *args):
        done: Deferred = Deferred()
        self.jobs.append((call, args, done))
        return done

    ask = run

    def step(self) -> None:
        call, args, done = self.jobs.pop(0)
        try:
            done.callback(call(*args))
        except Exception:
            done.errback()


@attrs.define
class World:
    """A factory over a memory store, with its clock."""

    clock: Clock
    store: MemoryStore
    wire: Wire
    factory: object

    def call(self, method, path, body=b"", **headers):
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.wire.request(method, path, {"Authorization": AUTHORIZATION, **sent}, body)

    def raw(self, data: bytes) -> StringTransport:
        """A connection on which these bytes have arrived."""
        protocol = self.factory.buildProtocol(None)
        transport = StringTransport()
        protocol.makeConnection(transport)
        transport.protocol = protocol
        protocol.dataReceived(data)
        return transport


def make(**settings) -> World:
    clock, store = Clock(), MemoryStore()
    factory = make_factory(store, Limits(), clock, **settings)
    world = World(clock, store, Wire(factory, clock), factory)
    world.call("PUT", "/bucket")
    return world


@pytest.fixture
def world() -> World:
    return make()


def code(document: bytes) -> str:
    return etree.fromstring(document).findtext("Code")


def test_every_answer_has_request_ids(world):
    one, two = world.call("GET", "/bucket"), world.call("GET", "/missing")
    assert one.headers["x-amz-request-id"] != two.headers["x-amz-request-id"]
    assert one.headers["x-amz-id-2"]
    error = etree.fromstring(two.body)
    assert error.findtext("RequestId") == two.headers["x-amz-request-id"]
    assert error.findtext("HostId") == two.headers["x-amz-id-2"]
    assert error.findtext("Resource") == "/missing"
    assert error.findtext("BucketName") == "missing"
    assert two.headers["content-type"] == "application/xml"


def test_errors_of_head_have_no_body(world):
    got = world.call("HEAD", "/bucket/none")
    assert (got.status, got.body) == (404, b"")


@pytest.mark.parametrize(
    ("fact", "status", "name"),
    [(OutOfSpace("x"), 507, "StorageFull"), (Unavailable("disk gone"), 503, "ServiceUnavailable")],
)
def test_storage_facts_become_s3_errors_and_their_text_stays_here(
    world, monkeypatch, fact, status, name
):
    def fail(*args, **kwargs):
        raise fact

    monkeypatch.setattr(type(world.store.objects), "open", fail)
    got = world.call("GET", "/bucket/key")
    assert (got.status, code(got.body)) == (status, name)
    assert b"disk gone" not in got.body


def test_a_bug_is_an_internal_error_and_its_text_goes_to_the_log(world, monkeypatch):
    def bug(*args, **kwargs):
        raise ZeroDivisionError("secret detail")

    monkeypatch.setattr(type(world.store.objects), "open", bug)
    got = world.call("GET", "/bucket/key")
    assert (got.status, code(got.body)) == (500, "InternalError")
    assert b"secret" not in got.body


def test_a_stopping_daemon_says_so(monkeypatch):
    world = make()

    def stopped(self, call, *args):
        raise PoolStopped

    monkeypatch.setattr(SynchronousPool, "ask", stopped)
    got = world.call("GET", "/bucket/key")
    assert (got.status, code(got.body)) == (503, "ServiceUnavailable")


def test_a_pool_without_a_free_thread(monkeypatch):
    world = make()

    def busy(self, call, *args):
        return fail(PoolBusy())

    monkeypatch.setattr(SynchronousPool, "ask", busy)
    for method, target, body in (("GET", "/bucket/key", b""), ("PUT", "/bucket/key", b"data")):
        got = world.call(method, target, body=body)
        assert (got.status, code(got.body)) == (503, "SlowDown")


PUT = b"PUT /bucket/key HTTP/1.1\r\nHost: h\r\nAuthorization: " + AUTHORIZATION.encode() + b"\r\n"


def test_refusal_comes_instead_of_100_continue(world):
    head = PUT.replace(b"/bucket/", b"/missing/")
    transport = world.raw(head + b"Expect: 100-continue\r\nContent-Length: 5\r\n\r\n")
    assert transport.value().startswith(b"HTTP/1.1 404 ")


def test_100_continue_then_the_body(world):
    protocol = world.factory.buildProtocol(None)
    transport = StringTransport()
    protocol.makeConnection(transport)
    protocol.dataReceived(PUT + b"Expect: 100-continue\r\nContent-Length: 5\r\n\r\n")
    assert transport.value() == b"HTTP/1.1 100 Continue\r\n\r\n"
    transport.clear()
    protocol.dataReceived(b"12345")
    assert transport.value().startswith(b"HTTP/1.1 200 ")
    assert world.call("GET", "/bucket/key").body == b"12345"


def test_a_body_that_ends_early_changes_nothing(world):
    world.call("PUT", "/bucket/key", b"old")
    protocol = world.factory.buildProtocol(None)
    transport = StringTransport()
    protocol.makeConnection(transport)
    protocol.dataReceived(PUT + b"Content-Length: 100\r\n\r\nonly this")
    protocol.readConnectionLost()
    assert b"IncompleteBody" in transport.value()
    assert world.call("GET", "/bucket/key").body == b"old"


def test_a_slow_body_times_out(world):
    transport = world.raw(PUT + b"Content-Length: 100\r\n\r\nonly this")
    world.clock.pump([1] * 70)
    assert b"RequestTimeout" in transport.value()
    assert world.call("GET", "/bucket/key").status == 404


def test_a_small_body_in_very_small_chunks(world):
    """Five MiB of framing around 50 kB: the client is not paused for ever."""
    body = (b"1;" + b"x" * 100 + b"\r\ny\r\n") * 50_000 + b"0\r\n\r\n"
    transport = world.raw(
        PUT
        + b"Content-Length: %d\r\nx-amz-decoded-content-length: 50000\r\n" % len(body)
        + b"x-amz-content-sha256: STREAMING-UNSIGNED-PAYLOAD-TRAILER\r\n\r\n"
    )
    for at in range(0, len(body), 65536):
        assert transport.producerState == "producing"
        transport.protocol.dataReceived(body[at : at + 65536])
    assert transport.value().startswith(b"HTTP/1.1 200 ")
    assert world.call("GET", "/bucket/key").body == b"y" * 50_000


def test_too_long_a_document(world):
    got = world.call("POST", "/bucket?delete", b"x" * (4 * MIB + 1))
    assert (got.status, code(got.body)) == (400, "MaxMessageLengthExceeded")


def test_large_bodies_both_ways(world):
    body = bytes(range(256)) * 4096 * 3
    assert world.call("PUT", "/bucket/key", body).status == 200
    assert world.call("GET", "/bucket/key").body == body
    got = world.call("GET", "/bucket/key", Range="bytes=1000-2000000")
    assert (got.status, got.body) == (206, body[1000:2000001])


def test_a_long_copy_sends_blanks_and_then_its_result():
    heavy = HandPool()
    world = make(heavy=heavy)
    world.call("PUT", "/bucket/source", b"content")
    transport = world.raw(PUT + b"x-amz-copy-source: /bucket/source\r\nContent-Length: 0\r\n\r\n")
    assert transport.value() == b""
    world.clock.pump([1] * 25)
    head, body = transport.value().split(b"\r\n\r\n", 1)
    assert head.startswith(b"HTTP/1.1 200 ")
    assert b"Content-Type: application/xml" in head
    assert body.count(b"1\r\n \r\n") == 2
    heavy.step()
    document = unchunked(transport.value().split(b"\r\n\r\n", 1)[1])
    assert etree.QName(etree.fromstring(document)).localname == "CopyObjectResult"
    assert world.call("GET", "/bucket/key").body == b"content"
    quiet = len(transport.value())
    world.clock.pump([1] * 25)
    assert len(transport.value()) == quiet


def test_a_long_copy_that_fails_says_so_under_its_200():
    heavy = HandPool()
    world = make(heavy=heavy)
    transport = world.raw(PUT + b"x-amz-copy-source: /bucket/none\r\nContent-Length: 0\r\n\r\n")
    world.clock.pump([1] * 11)
    heavy.step()
    document = unchunked(transport.value().split(b"\r\n\r\n", 1)[1])
    assert code(document) == "NoSuchKey"


def test_a_quick_copy_has_a_status_of_its_own(world):
    got = world.call("PUT", "/bucket/key", x_amz_copy_source="/bucket/none")
    assert got.status == 404


def unchunked(data: bytes) -> bytes:
    whole = b""
    while data:
        size, _, data = data.partition(b"\r\n")
        whole += data[: int(size, 16)]
        data = data[int(size, 16) + 2 :]
    return whole


def test_downloads_keep_to_the_rate():
    world = make(read_rate=4 * MIB, read_rate_each=2 * MIB)
    body = bytes(8 * MIB)
    world.call("PUT", "/bucket/key", body)
    asked = world.wire.begin("GET", "/bucket/key", {"Authorization": AUTHORIZATION})
    seconds = 0.0
    while not asked.done:
        world.clock.advance(0.1)
        seconds += 0.1
        world.wire.pump()
        assert seconds < 10
    assert asked.response().body == body
    assert 3.0 <= seconds <= 5.0


@pytest.mark.parametrize(
    ("status", "name"),
    [(400, "BadRequest"), (408, "RequestTimeout"), (431, "RequestHeaderSectionTooLarge"),
     (501, "NotImplemented"), (505, "BadRequest")],
)  # fmt: skip
def test_what_is_no_request_gets_an_s3_error(status, name):
    head, document = bad_request(status, "a reason <&>").split(b"\r\n\r\n", 1)
    said = 400 if status == 431 else status
    assert head.startswith(f"HTTP/1.1 {said} ".encode())
    assert f"Content-Length: {len(document)}".encode() in head
    error = etree.fromstring(document)
    assert (error.findtext("Code"), error.findtext("Message")) == (name, "a reason <&>")
