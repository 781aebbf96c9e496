"""The daemon as a process, and stock clients that look at its certificate."""

from __future__ import annotations

import http.client
import random
import signal
import ssl
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from subprocess import Popen
from typing import Any

import attrs
import boto3
import pytest
from botocore.config import Config

from tests.support.certificates import Authority
from tests.support.process import process, read_until
from tests.support.tlsclient import trusting

MIB = 1024 * 1024


@attrs.frozen
class Daemon:
    """One that runs.

    :ivar trusted: file of the authority, for clients.
    :ivar clients: are closed at the end.
    """

    running: Popen[str]
    port: int
    authority: Authority
    directory: Path
    trusted: Path
    clients: ExitStack

    def boto3(self) -> Any:
        """A stock client."""
        client = boto3.client(
            "s3",
            endpoint_url=f"https://localhost:{self.port}",
            aws_access_key_id="AK1",
            aws_secret_access_key="sesame-8",
            region_name="us-east-1",
            verify=str(self.trusted),
            config=Config(signature_version="s3v4", retries={"max_attempts": 1}),
        )
        return self.clients.enter_context(closing(client))

    def connect(self) -> http.client.HTTPSConnection:
        """A connection on which one request has been answered."""
        context = trusting(self.authority.certificate)
        context.check_hostname = False
        client = http.client.HTTPSConnection("localhost", self.port, context=context)
        self.clients.enter_context(closing(client))
        client.connect()
        assert ask(client) == 200
        return client


def ask(client: http.client.HTTPSConnection) -> int:
    client.request("GET", "/healthz")
    answer = client.getresponse()
    answer.read()
    return answer.status


def shows(client: http.client.HTTPSConnection) -> str:
    """The name in the certificate."""
    assert isinstance(client.sock, ssl.SSLSocket)
    found: Any = client.sock.getpeercert()
    return str(found["subjectAltName"][0][1])


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Daemon]:
    authority = Authority.today()
    root, users, trusted = tmp_path / "data", tmp_path / "users.toml", tmp_path / "ca.pem"
    root.mkdir()
    users.touch(mode=0o600)
    users.write_text(
        '[[user]]\nname = "alice"\nkeys = [{access_key = "AK1", secret_key = "sesame-8"}]\n'
    )
    trusted.write_bytes(authority.certificate)
    key, certificate = authority.issue().write(tmp_path)
    listen = f"ssl:0:privateKey={key}:certKey={certificate}:interface=127.0.0.1"
    given = (f"--root={root}", f"--credentials={users}", f"--listen={listen}")
    with process(*given) as running, ExitStack() as clients:
        line = read_until(running, "listening on 127.0.0.1:")
        assert "TLS for localhost, valid until" in line
        port = int(line.partition("127.0.0.1:")[2].partition(",")[0])
        yield Daemon(running, port, authority, tmp_path, trusted, clients)


def test_a_stock_client_over_tls(daemon: Daemon) -> None:
    client = daemon.boto3()
    data = random.Random(1).randbytes(9 * MIB)
    client.create_bucket(Bucket="first")
    client.put_object(Bucket="first", Key="key", Body=data)
    assert client.get_object(Bucket="first", Key="key")["Body"].read() == data
    url = client.generate_presigned_url("get_object", Params={"Bucket": "first", "Key": "key"})
    assert url.startswith("https://localhost:")
    raw = daemon.connect()
    raw.request("GET", url.partition(str(daemon.port))[2])
    assert raw.getresponse().read() == data


def test_certificates_change_under_way(daemon: Daemon) -> None:
    before = daemon.connect()
    assert shows(before) == "localhost"

    daemon.authority.issue("new.example").write(daemon.directory)
    daemon.running.send_signal(signal.SIGHUP)
    read_until(daemon.running, "new connections get the new one, for new.example, valid until")
    assert shows(daemon.connect()) == "new.example"
    assert ask(before) == 200, "a connection that was there stays"

    (daemon.directory / "tls.key").write_text("broken")
    daemon.running.send_signal(signal.SIGHUP)
    assert "tls.key: server.listen: holds no private key" in read_until(
        daemon.running, "stay as they were"
    )
    assert shows(daemon.connect()) == "new.example"
    assert ask(before) == 200
