"""Signed requests from the wire to the store: what the signature says of a body is kept to."""

from __future__ import annotations

import base64
import hashlib
import re
import zlib
from collections.abc import Mapping, Sequence
from typing import Any

import attrs
import pytest
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.logger import eventAsText
from twisted.logger import globalLogPublisher as publisher

from s3daemon.actions.base import Limits
from s3daemon.auth.identity import Identity
from s3daemon.auth.users import Key, User
from s3daemon.store.memory import MemoryStore
from tests.support.gateway import make_factory
from tests.support.inmemory import Response, Wire
from tests.support.signing import Signer, signature_of

ALICE, BOB = Signer(), Signer("AKIDBOB", "bob-secret")
USERS = [
    User(Identity(f"id-{name}", name, name), {signer.access_key: Key(signer.secret_key)})
    for name, signer in (("alice", ALICE), ("bob", BOB))
]
STREAMING = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
DELETE = b"<Delete><Object><Key>k</Key></Object></Delete>"


@attrs.frozen
class Gateway:
    """A gateway with two users and one bucket, which is Alice's."""

    wire: Wire
    factory: Any

    def send(
        self, method: str, target: str, headers: Mapping[str, str], body: bytes = b""
    ) -> Response:
        return self.wire.request(method, target, headers, body)

    def call(
        self,
        method: str,
        target: str,
        body: bytes = b"",
        *,
        signer: Signer = ALICE,
        sent: bytes | None = None,
        **more: Any,
    ) -> Response:
        """A signed request; ``sent`` goes out in place of the body that was signed."""
        headers = signer.headers(method, target, body=body, **more)
        return self.send(method, target, headers, body if sent is None else sent)

    def head_only(self, method: str, target: str, headers: Mapping[str, str]) -> bytes:
        """What the gateway says before it gets a body."""
        transport = StringTransport()
        channel = self.factory.buildProtocol(None)
        channel.makeConnection(transport)
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        head = f"{method} {target} HTTP/1.1\r\nHost: gateway.test\r\n{lines}\r\n"
        channel.dataReceived(head.encode())
        return transport.value()


@pytest.fixture
def gateway() -> Gateway:
    factory = make_factory(
        MemoryStore(),
        Limits(min_part=5, strict_names=False),
        Clock(),
        users=USERS,
        domains=["s3.test"],
    )
    made = Gateway(Wire(factory, Clock()), factory)
    assert made.call("PUT", "/b").status == 200
    return made


def code(response: Response) -> str:
    found = re.search(rb"<Code>(\w+)</Code>", response.body)
    return found[1].decode() if found else ""


def test_who_signs_gets_what_is_theirs(gateway: Gateway) -> None:
    assert gateway.call("PUT", "/b/k%20%2B", b"hello").status == 200
    assert gateway.call("GET", "/b/k%20%2B").body == b"hello"
    assert code(gateway.call("GET", "/b/k%20%2B", signer=BOB)) == "AccessDenied"
    assert gateway.send("GET", ALICE.presigned("GET", "/b/k%20%2B"), {}).body == b"hello"
    assert code(gateway.send("GET", "/b/k%20%2B", {})) == "AccessDenied"


def test_base_path_and_virtual_host(gateway: Gateway) -> None:
    gateway.call("PUT", "/b/k", b"hello")
    assert gateway.call("GET", "/api/v1/s3/b/k").body == b"hello"
    headers = ALICE.headers("GET", "/k", host="b.s3.test")
    said = gateway.head_only("GET", "http://b.s3.test/k", headers)
    assert said.endswith(b"\r\n\r\nhello")
    # The path of one style is not good for the other.
    headers = ALICE.headers("GET", "/b/k", host="b.s3.test")
    assert b"SignatureDoesNotMatch" in gateway.head_only("GET", "http://b.s3.test/k", headers)


def test_what_a_refusal_says(gateway: Gateway) -> None:
    wrong = Signer(secret_key="wrong")
    response = gateway.call("GET", "/b/k?x=%3C%26", signer=wrong)
    assert response.status == 403
    names = re.findall(rb"<(\w+)>", response.body)
    assert names == [
        b"Error", b"Code", b"Message", b"AWSAccessKeyId", b"StringToSign", b"SignatureProvided",
        b"StringToSignBytes", b"CanonicalRequest", b"CanonicalRequestBytes", b"Resource",
        b"RequestId", b"HostId",
    ]  # fmt: skip
    assert b"GET\n/b/k\nx=%3C%26\nhost:gateway.test\n" in response.body
    assert ALICE.secret_key.encode() not in response.body
    head = gateway.call("HEAD", "/b/k", signer=wrong)
    assert (head.status, head.body) == (403, b"")


def test_bytes_that_are_no_text_are_refused_like_others(gateway: Gateway) -> None:
    headers = ALICE.headers("GET", "/b/k")
    transport = StringTransport()
    channel = gateway.factory.buildProtocol(None)
    channel.makeConnection(transport)
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items()).encode()
    lines = lines.replace(ALICE.access_key.encode(), b"\xff\xfe")
    channel.dataReceived(b"GET /b/k HTTP/1.1\r\nHost: gateway.test\r\n" + lines + b"\r\n")
    assert transport.value().startswith(b"HTTP/1.1 403 ")
    assert b"<Code>InvalidAccessKeyId</Code>" in transport.value()


def test_no_signature_reaches_the_log(gateway: Gateway) -> None:
    said: list[str] = []

    def observe(event: Any) -> None:
        said.append(eventAsText(event) + repr(event))

    publisher.addObserver(observe)
    try:
        target = ALICE.presigned("GET", "/b/k")
        gateway.send("GET", target, {})
        headers = ALICE.headers("GET", "/b/k")
        gateway.send("GET", "/b/k", headers)
        wrong = Signer(secret_key="wrong").headers("GET", "/b/k")
        gateway.send("GET", "/b/k", wrong)
    finally:
        publisher.removeObserver(observe)
    text = "".join(said)
    assert "user=alice" in text
    assert "SignatureDoesNotMatch" in text
    for secret in (
        target.rpartition("=")[2],
        signature_of(headers),
        signature_of(wrong),
        ALICE.secret_key,
        ALICE.key.hex(),
        repr(ALICE.key),
    ):
        assert secret not in text


# ---------------------------------------------------------------- bodies


def test_nobody_is_asked_for_a_body_who_is_not_let_in(gateway: Gateway) -> None:
    expect = {"expect": "100-continue", "content-length": "5"}
    wrong = Signer(secret_key="wrong").headers("PUT", "/b/k", expect, payload="UNSIGNED-PAYLOAD")
    said = gateway.head_only("PUT", "/b/k", wrong)
    assert said.startswith(b"HTTP/1.1 403 ")
    good = ALICE.headers("PUT", "/b/k", expect, payload="UNSIGNED-PAYLOAD")
    assert gateway.head_only("PUT", "/b/k", good).startswith(b"HTTP/1.1 100 Continue\r\n")


@pytest.mark.parametrize(
    ("method", "target", "body"),
    [
        ("POST", "/b?delete", DELETE),
        ("PUT", "/b/k?tagging", b"<Tagging><TagSet></TagSet></Tagging>"),
        ("PUT", "/new", b"<CreateBucketConfiguration></CreateBucketConfiguration>"),
    ],
)
def test_a_document_has_to_be_the_one_that_was_signed(
    gateway: Gateway, method: str, target: str, body: bytes
) -> None:
    gateway.call("PUT", "/b/k", b"hello")
    other = body + b" "
    response = gateway.call(method, target, body, sent=other)
    assert (response.status, code(response)) == (400, "XAmzContentSHA256Mismatch")
    assert hashlib.sha256(body).hexdigest().encode() in response.body
    assert hashlib.sha256(other).hexdigest().encode() in response.body
    assert gateway.call("GET", "/b/k").body == b"hello"
    assert gateway.call("HEAD", "/new").status == 404
    assert gateway.call(method, target, body).status in (200, 204)


def test_an_object_has_to_be_the_one_that_was_signed(gateway: Gateway) -> None:
    response = gateway.call("PUT", "/b/k", b"hello", sent=b"hellO")
    assert (response.status, code(response)) == (400, "XAmzContentSHA256Mismatch")
    assert gateway.call("GET", "/b/k").status == 404
    assert gateway.call("PUT", "/b/k", b"hello", payload="UNSIGNED-PAYLOAD").status == 200


def _stream(
    method: str, target: str, chunks: Sequence[bytes], trailers: Mapping[str, str]
) -> tuple[dict[str, str], bytes]:
    said = {"x-amz-trailer": ",".join(trailers)} if trailers else {}
    headers = ALICE.headers(
        method,
        target,
        {"x-amz-decoded-content-length": str(sum(map(len, chunks))), **said},
        payload=STREAMING + ("-TRAILER" if trailers else ""),
    )
    return headers, ALICE.chunked(signature_of(headers), chunks, trailers)


def crc32(content: bytes) -> dict[str, str]:
    """The trailer with a body's CRC32."""
    digest = zlib.crc32(content).to_bytes(4, "big")
    return {"x-amz-checksum-crc32": base64.b64encode(digest).decode()}


@pytest.mark.parametrize("trailers", [{}, crc32(b"hello world")])
def test_signed_chunks(gateway: Gateway, trailers: Mapping[str, str]) -> None:
    headers, body = _stream("PUT", "/b/k", [b"hello ", b"world"], trailers)
    assert gateway.send("PUT", "/b/k", headers, body).status == 200
    assert gateway.call("GET", "/b/k").body == b"hello world"
    wrong = body.replace(b"world", b"w0rld")
    response = gateway.send("PUT", "/b/k", headers, wrong)
    assert (response.status, code(response)) == (403, "SignatureDoesNotMatch")
    assert gateway.call("GET", "/b/k").body == b"hello world"


def test_a_trailer_that_was_not_signed(gateway: Gateway) -> None:
    headers, body = _stream("PUT", "/b/k", [b"hello"], crc32(b"hello"))
    changed = body.replace(crc32(b"hello")["x-amz-checksum-crc32"].encode(), b"AAAAAA==")
    response = gateway.send("PUT", "/b/k", headers, changed)
    assert (response.status, code(response)) == (403, "SignatureDoesNotMatch")
    assert gateway.call("GET", "/b/k").status == 404


def test_the_chunks_of_a_document(gateway: Gateway) -> None:
    gateway.call("PUT", "/b/k", b"hello")
    headers, body = _stream("POST", "/b?delete", [DELETE[:20], DELETE[20:]], {})
    response = gateway.send("POST", "/b?delete", headers, body.replace(b">k<", b">x<"))
    assert (response.status, code(response)) == (403, "SignatureDoesNotMatch")
    assert gateway.call("GET", "/b/k").body == b"hello"
    assert gateway.send("POST", "/b?delete", headers, body).status == 200
    assert gateway.call("GET", "/b/k").status == 404


@pytest.mark.parametrize(
    ("length", "error"),
    [("4", "IncompleteBody"), ("6", "IncompleteBody"), ("x", "InvalidArgument")],
)
def test_the_length_of_a_decoded_body(gateway: Gateway, length: str, error: str) -> None:
    headers = ALICE.headers(
        "PUT", "/b/k", {"x-amz-decoded-content-length": length}, payload=STREAMING
    )
    body = ALICE.chunked(signature_of(headers), [b"hello"], {})
    response = gateway.send("PUT", "/b/k", headers, body)
    assert (response.status, code(response)) == (400, error)
    assert gateway.call("GET", "/b/k").status == 404


def test_a_body_that_nobody_reads_needs_no_hash(gateway: Gateway) -> None:
    gateway.call("PUT", "/b/k", b"hello")
    assert gateway.call("DELETE", "/b/k", b"x", sent=b"y").status == 204


def test_a_browser_asks_before_it_signs(gateway: Gateway) -> None:
    response = gateway.send("OPTIONS", ALICE.presigned("GET", "/b/k"), {})
    assert (response.status, code(response)) == (400, "BadRequest")
    asks = {"Origin": "https://a.test", "Access-Control-Request-Method": "GET"}
    for target in ("/b/k", "/none/k"):
        response = gateway.send("OPTIONS", target, asks)
        assert (response.status, code(response)) == (403, "AccessForbidden")
