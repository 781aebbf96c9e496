"""The tree: the daemon's own paths beside S3."""

from __future__ import annotations

import json

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.logger import formatEvent, globalLogPublisher

from s3daemon.actions.base import Limits
from s3daemon.store.health import Health
from s3daemon.store.memory import MemoryStore
from s3daemon.streams.pool import SynchronousPool
from tests.support.gateway import make_factory
from tests.support.inmemory import Wire

SIGNED = {
    "Authorization": "AWS4-HMAC-SHA256 Credential=me/20260101/us-east-1/s3/aws4_request,"
    " SignedHeaders=host, Signature=00"
}


def wire(**settings) -> tuple[Wire, Clock]:
    clock = Clock()
    return Wire(make_factory(MemoryStore(), Limits(), clock, **settings), clock), clock


def test_health_and_readiness():
    client, _ = wire()
    for path in ("/healthz", "/readyz"):
        got = client.request("GET", path)
        assert (got.status, got.headers["content-type"]) == (200, "text/plain; charset=utf-8")
        assert client.request("HEAD", path).status == 200
    assert client.request("GET", "/healthz").body == b"ok\n"


def test_not_ready_says_why_and_stays_healthy():
    client, _ = wire(ready=lambda: Health("the root directory is gone"))
    got = client.request("GET", "/readyz")
    assert (got.status, got.body) == (503, b"not ready: the root directory is gone\n")
    assert client.request("GET", "/healthz").status == 200


@pytest.mark.parametrize(
    ("path", "fields"),
    [("/readyz?verbose", {}), ("/readyz", {"Accept": "text/html;q=0.1, application/JSON"})],
)
@pytest.mark.parametrize("reason", ["", "the root is gone"])
def test_all_that_is_known(path, fields, reason):
    client, _ = wire(ready=lambda: Health(reason, {"now": {"free_bytes": 5}}))
    got = client.request("GET", path, fields)
    assert got.status == (503 if reason else 200)
    assert got.headers["content-type"] == "application/json"
    told = {"ready": not reason, "reason": reason or None, "now": {"free_bytes": 5}}
    assert json.loads(got.body) == told
    assert client.request("HEAD", path, fields).body == b""


@pytest.mark.parametrize("path", ["/readyz?verbose=1", "/readyz?x&verbose"])
def test_other_queries_are_for_s3(path):
    client, _ = wire()
    assert client.request("GET", path).status == 403


def test_what_is_the_matter_is_logged_when_it_changes():
    reasons = ["", "full", "full", "gone", "", ""]
    client, _ = wire(ready=lambda: Health(reasons.pop(0)))
    events: list = []
    globalLogPublisher.addObserver(events.append)
    try:
        while reasons:
            client.request("GET", "/readyz")
    finally:
        globalLogPublisher.removeObserver(events.append)
    told = [formatEvent(event) for event in events if event.get("log_namespace") == "s3daemon.http"]
    assert told == ["not ready: full", "not ready: gone", "ready again"]


def test_a_store_that_does_not_answer_is_not_ready():
    class Hanging:
        def run(self, call, *args):
            return Deferred()

    client, clock = wire(light=Hanging())
    asked = client.begin("GET", "/readyz", {})
    assert not asked.done
    clock.advance(6)
    client.pump()
    assert asked.response().status == 503


def test_signed_requests_for_these_names_are_s3():
    client, _ = wire()
    got = client.request("GET", "/healthz", SIGNED)
    assert got.status == 404
    assert b"NoSuchBucket" in got.body
    assert client.request("PUT", "/healthz").status == 403
    assert client.request("GET", "/healthz/key").status == 403


def test_readiness_asks_the_pool():
    asked: list = []

    class Asked(SynchronousPool):
        def run(self, call, *args):
            asked.append(call)
            return super().run(call, *args)

    client, _ = wire(light=Asked())
    client.request("GET", "/readyz")
    assert len(asked) == 1


def test_what_is_no_request_is_answered_and_logged():
    clock = Clock()
    factory = make_factory(MemoryStore(), Limits(), clock)
    protocol, transport = factory.buildProtocol(None), StringTransport()
    events: list = []
    globalLogPublisher.addObserver(events.append)
    try:
        protocol.makeConnection(transport)
        protocol.dataReceived(b"GET / HTTP/1.1\r\nNo Host\r\n\r\n")
    finally:
        globalLogPublisher.removeObserver(events.append)
    assert transport.value().startswith(b"HTTP/1.1 400 ")
    assert b"<Code>BadRequest</Code>" in transport.value()
    assert [event["status"] for event in events if "no request" in event.get("log_format", "")] == [
        400
    ]
