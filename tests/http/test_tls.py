"""S3 over TLS: long bodies both ways, clients that are slow, and ends of all kinds."""

from __future__ import annotations

import random
import re
from pathlib import Path
from typing import Any

import pytest
from twisted.internet.task import Clock
from twisted.logger import capturedLogs

from s3daemon.actions.base import Limits
from s3daemon.config_listen import TlsFiles
from s3daemon.ops.tls import Certificates, TlsFactory
from s3daemon.store.memory import MemoryStore
from s3daemon.store.posix import PosixStore
from s3daemon.wire.forwarded import Networks
from tests.support.certificates import NOW, Authority
from tests.support.gateway import make_factory
from tests.support.tlsclient import TlsClient, trusting

MIB = 1024 * 1024
SIGNED = "Host: localhost\r\nAuthorization: AWS4-HMAC-SHA256 Credential=alice/x\r\n"


class Served:
    """A gateway behind TLS, over a folder."""

    def __init__(self, directory: Path, proxies: tuple[str, ...] = ()) -> None:
        self.clock = Clock()
        self.root = directory / "data"
        self.root.mkdir()
        (self.root / "b").mkdir()
        authority = Authority.today()
        files = authority.issue().write(directory)
        self.factory = make_factory(
            PosixStore(self.root),
            Limits(strict_names=False, min_part=0),
            self.clock,
            trusted=Networks(proxies),
        )
        made = Certificates(TlsFiles(*files), lambda: NOW)
        self._tls = TlsFactory(made, self.factory)
        self._context = trusting(authority.certificate)

    def connect(self) -> TlsClient:
        return TlsClient(self._tls, self._context, clock=self.clock)

    def client(self) -> TlsClient:
        return self.connect().handshake()

    def ask(self, client: TlsClient, method: str, target: str, fields: str = "") -> None:
        client.send(f"{method} {target} HTTP/1.1\r\n{SIGNED}{fields}\r\n".encode())

    def settle(self, client: TlsClient) -> bytearray:
        """Turn both sides until nothing comes any more; what has come in all."""
        still = 0
        while still < 3:
            before = len(client.received)
            # The reactor's turns, between which long bodies go out; no time passes.
            self.clock.advance(0)
            client.read()
            still = 0 if len(client.received) > before else still + 1
        return client.received

    def after(self, seconds: int) -> None:
        for _ in range(seconds):
            self.clock.advance(1)


@pytest.fixture
def served(tmp_path: Path) -> Served:
    return Served(tmp_path)


def content(size: int) -> bytes:
    return random.Random(7).randbytes(size)


def split(answer: bytearray) -> tuple[int, bytearray]:
    head, _, body = answer.partition(b"\r\n\r\n")
    return int(head.split()[1]), body


def test_a_long_body_out(served: Served) -> None:
    data = content(64 * MIB)
    (served.root / "b" / "k").write_bytes(data)
    client = served.client()
    served.ask(client, "GET", "/b/k")
    status, body = split(served.settle(client))
    assert status == 200
    assert body == data
    client.received.clear()
    served.ask(client, "GET", "/b/k", "Range: bytes=5000000-9999999\r\n")
    assert split(served.settle(client)) == (206, data[5_000_000:10_000_000])


def test_a_long_body_in(served: Served) -> None:
    data = content(64 * MIB)
    client = served.client()
    served.ask(client, "PUT", "/b/k", f"Content-Length: {len(data)}\r\nExpect: 100-continue\r\n")
    assert client.received == b"HTTP/1.1 100 Continue\r\n\r\n"
    client.received.clear()
    client.send(data)
    assert split(served.settle(client))[0] == 200
    assert (served.root / "b" / "k").read_bytes() == data


def test_a_client_that_takes_nothing_is_not_read_ahead_for(served: Served) -> None:
    (served.root / "b" / "k").write_bytes(content(8 * MIB))
    client = served.client()
    client.tls.write(f"GET /b/k HTTP/1.1\r\n{SIGNED}\r\n".encode())
    client.turn()
    held = len(client.socket.value())
    for _ in range(20):
        served.clock.advance(0)
    assert len(client.socket.value()) == held
    assert held < MIB
    assert len(split(served.settle(client))[1]) == 8 * MIB


def test_a_client_that_takes_nothing_for_long_is_left(served: Served) -> None:
    (served.root / "b" / "k").write_bytes(content(8 * MIB))
    client = served.client()
    client.tls.write(f"GET /b/k HTTP/1.1\r\n{SIGNED}\r\n".encode())
    client.turn()
    with capturedLogs() as events:
        served.after(62)
    assert client.socket.closed == "aborted"
    assert "error=ClientGone" in events[-1]["line"]
    assert not served.factory.connections


@pytest.mark.parametrize("begin", [b"", b"\x16\x03\x01\x02"])
def test_a_handshake_that_does_not_end(served: Served, begin: bytes) -> None:
    client = served.connect()
    client.deliver(begin)
    served.after(29)
    assert not client.socket.closed
    served.after(3)
    assert client.socket.closed
    assert not served.factory.connections


def test_a_handshake_that_fails_leaves_nothing(served: Served) -> None:
    client = served.connect()
    client.deliver(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    assert client.socket.closed
    assert not served.factory.connections


def test_the_last_answer_ends_with_a_word_of_tls(served: Served) -> None:
    """Or the client could not tell it from one that was cut off (RFC 8446, section 6.1)."""
    client = served.client()
    served.ask(client, "GET", "/", "Connection: close\r\n")
    assert split(client.received)[0] == 200
    assert client.ended


def test_an_answer_that_is_cut_off_does_not(served: Served) -> None:
    (served.root / "b" / "k").write_bytes(content(8 * MIB))
    client = served.client()
    client.tls.write(f"GET /b/k HTTP/1.1\r\n{SIGNED}\r\n".encode())
    client.turn()
    served.factory.abort()
    client.read()
    assert client.socket.closed == "aborted"
    assert not client.ended


@pytest.mark.parametrize("how", ["say_goodbye", "vanish"])
def test_a_body_that_is_cut_off_becomes_no_object(served: Served, how: str) -> None:
    client = served.client()
    served.ask(client, "PUT", "/b/k", f"Content-Length: {MIB}\r\n")
    client.send(content(MIB - 1))
    with capturedLogs() as events:
        getattr(client, how)()
    assert list((served.root / "b").iterdir()) == []
    assert "operation=PutObject" in events[-1]["line"]
    assert "status=200" not in events[-1]["line"]
    assert not served.factory.connections


def test_a_goodbye_between_requests(served: Served) -> None:
    client = served.client()
    served.ask(client, "GET", "/")
    client.say_goodbye()
    assert client.socket.closed == "done"
    assert not served.factory.connections


def test_many_requests_on_one_connection(served: Served) -> None:
    client = served.client()
    client.send(f"GET / HTTP/1.1\r\n{SIGNED}\r\n".encode() * 50)
    assert served.settle(client).count(b"HTTP/1.1 200 OK\r\n") == 50


def upload(served: Served, client: TlsClient, fields: str = "") -> str:
    """The Location of an object in one part."""
    served.ask(client, "POST", "/b/k?uploads", "Content-Length: 0\r\n")
    found = re.search(rb"<UploadId>(.*?)</UploadId>", client.received)
    assert found is not None
    where = f"/b/k?uploadId={found[1].decode()}"
    served.ask(client, "PUT", f"{where}&partNumber=1", "Content-Length: 0\r\n")
    etag = re.findall(rb'ETag: ("[^"]*")', client.received)[-1].decode()
    body = (
        "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber>"
        f"<ETag>{etag}</ETag></Part></CompleteMultipartUpload>"
    )
    served.ask(client, "POST", where, f"Content-Length: {len(body)}\r\n{fields}")
    client.send(body.encode())
    located = re.search(rb"<Location>(.*?)</Location>", client.received)
    assert located is not None
    return located[1].decode()


def test_links_are_of_tls(served: Served) -> None:
    assert upload(served, served.client()) == "https://localhost/b/k"


@pytest.mark.parametrize(
    ("proxies", "location", "peer"),
    [
        (("192.0.2.0/24",), "http://localhost/b/k", "203.0.113.9"),
        ((), "https://localhost/b/k", "192.0.2.7:5555"),
    ],
)
def test_links_and_the_log_are_by_the_word_of_a_trusted_proxy(
    tmp_path: Path, proxies: tuple[str, ...], location: str, peer: str
) -> None:
    served = Served(tmp_path, proxies)
    with capturedLogs() as events:
        found = upload(served, served.client(), "Forwarded: for=203.0.113.9;proto=http\r\n")
    assert found == location
    assert f" peer={peer} user=alice operation=CompleteMultipartUpload " in events[-1]["line"]


def test_the_bodies_of_a_store_without_files(tmp_path: Path) -> None:
    """Where there is no file, pieces are read and sent; over TLS that is the way of all."""
    authority = Authority.today()
    made = Certificates(TlsFiles(*authority.issue().write(tmp_path)), lambda: NOW)
    clock = Clock()
    factory: Any = make_factory(MemoryStore(), Limits(strict_names=False), clock)
    client = TlsClient(TlsFactory(made, factory), trusting(authority.certificate)).handshake()
    data = content(3 * MIB)
    client.send(f"PUT /b HTTP/1.1\r\n{SIGNED}\r\n".encode())
    client.send(f"PUT /b/k HTTP/1.1\r\n{SIGNED}Content-Length: {len(data)}\r\n\r\n".encode())
    client.send(data)
    client.received.clear()
    client.send(f"GET /b/k HTTP/1.1\r\n{SIGNED}\r\n".encode())
    assert split(client.received) == (200, data)
