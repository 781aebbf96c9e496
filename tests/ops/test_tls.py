"""Certificates: what can be used, what is refused, and what a reload changes."""

from __future__ import annotations

import ssl
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from OpenSSL import SSL
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import Clock
from twisted.logger import LogLevel, capturedLogs

from s3daemon.config_listen import TlsFiles
from s3daemon.ops.tls import Certificates, TlsFactory, load
from s3daemon.toml_file import SettingError
from tests.support.certificates import NOW, Authority
from tests.support.tlsclient import PEER, Socket, TlsClient, trusting


class Echo(Protocol):
    """Says what it hears."""

    def dataReceived(self, data: bytes) -> None:
        assert self.transport is not None
        self.transport.write(data)


class Echoes(Factory):
    protocol = Echo
    noisy = False


def certificates(files: tuple[Path, Path], now: float = NOW) -> Certificates:
    return Certificates(TlsFiles(*files), lambda: now)


# ---------------------------------------------------------------- files


@pytest.mark.parametrize("kind", ["ec", "rsa", "ed25519"])
def test_keys_of_every_usual_kind(kind: str, tmp_path: Path) -> None:
    authority = Authority.today()
    made = certificates(authority.issue(kind=kind).write(tmp_path))
    client = TlsClient(TlsFactory(made, Echoes()), trusting(authority.certificate)).handshake()
    client.send(b"hello")
    assert client.received == b"hello"


def test_one_file_may_hold_both(tmp_path: Path) -> None:
    pair = Authority().issue("a.example")
    file = tmp_path / "both.pem"
    file.touch(mode=0o600)
    file.write_bytes(pair.key + pair.certificate)
    assert load(TlsFiles(file, file)).names == ("a.example",)


def test_what_a_certificate_says(tmp_path: Path) -> None:
    loaded = load(TlsFiles(*Authority().issue("s3.example.com").write(tmp_path)))
    assert loaded.describe() == "for s3.example.com, valid until 2030-04-16 17:46:40 UTC"


def test_a_key_for_a_group_is_fine(tmp_path: Path) -> None:
    key, certificate = Authority().issue().write(tmp_path)
    key.chmod(0o640)
    load(TlsFiles(key, certificate))


@pytest.mark.parametrize("mode", [0o604, 0o644, 0o602, 0o601])
def test_a_key_for_everybody_is_refused(mode: int, tmp_path: Path) -> None:
    key, certificate = Authority().issue().write(tmp_path)
    key.chmod(mode)
    with pytest.raises(SettingError, match=rf"\(mode 0{mode:o}\): chmod o= "):
        load(TlsFiles(key, certificate))


def _swap(directory: Path) -> TlsFiles:
    key, certificate = Authority().issue().write(directory)
    return TlsFiles(certificate, key)


def _other(directory: Path) -> TlsFiles:
    authority = Authority()
    key, _ = authority.issue().write(directory)
    _, certificate = authority.issue().write(directory, "other")
    return TlsFiles(key, certificate)


def _missing(directory: Path) -> TlsFiles:
    return TlsFiles(directory / "none.key", directory / "none.pem")


def _encrypted(directory: Path) -> TlsFiles:
    return TlsFiles(*Authority().issue(password="hush").write(directory))


def _empty(directory: Path) -> TlsFiles:
    key, certificate = Authority().issue().write(directory)
    certificate.write_bytes(b"")
    return TlsFiles(key, certificate)


def _damaged(directory: Path) -> TlsFiles:
    key, certificate = Authority().issue().write(directory)
    text = certificate.read_text()
    certificate.write_text(text.replace("\nMII", "\nMIJ"))
    return TlsFiles(key, certificate)


def _directory(directory: Path) -> TlsFiles:
    key, _ = Authority().issue().write(directory)
    return TlsFiles(key, directory)


def _no_chain(directory: Path) -> TlsFiles:
    key, certificate = Authority().issue().write(directory)
    return TlsFiles(key, certificate, key)


def _broken_key(directory: Path) -> TlsFiles:
    key, certificate = Authority().issue().write(directory)
    key.write_bytes(key.read_bytes().replace(b"PRIVATE KEY-----\nMI", b"PRIVATE KEY-----\nMJ"))
    return TlsFiles(key, certificate)


@pytest.mark.parametrize(
    ("make", "file", "says"),
    [
        (_missing, "none.key", "cannot be read: No such file"),
        (_other, "tls.key", "is not the key of the first certificate in"),
        (_encrypted, "tls.key", "is encrypted, and nobody is here to type: openssl pkey"),
        (_broken_key, "tls.key", "holds no private key in PEM"),
        (_empty, "tls.pem", "holds no certificate in PEM"),
        (_damaged, "tls.pem", "holds a certificate that is damaged"),
        (_directory, "", "cannot be read: Is a directory"),
        (_no_chain, "tls.key", "holds no certificate in PEM"),
    ],
)
def test_files_that_cannot_be_used(make: Any, file: str, says: str, tmp_path: Path) -> None:
    with pytest.raises(SettingError) as caught:
        load(make(tmp_path))
    assert caught.value.where == str(tmp_path / file)
    assert caught.value.key == "server.listen"
    assert says in caught.value.problem


def test_files_in_the_wrong_order(tmp_path: Path) -> None:
    files = _swap(tmp_path)
    files.key.chmod(0o600)
    with pytest.raises(SettingError, match="holds no private key"):
        load(files)


# ---------------------------------------------------------------- the chain


@pytest.mark.parametrize("apart", [False, True])
def test_certificates_that_lead_to_a_root_are_sent(apart: bool, tmp_path: Path) -> None:
    """Certbot's fullchain.pem works as certKey; so does a file of its own as extraCertChain."""
    authority = Authority.today()
    key, certificate = authority.issue().write(tmp_path)
    chain = tmp_path / "chain.pem"
    chain.write_bytes(authority.certificate)
    if not apart:
        certificate.write_bytes(certificate.read_bytes() + b"\n" + authority.certificate)
    files = TlsFiles(key, certificate, chain if apart else None)
    factory = TlsFactory(Certificates(files, lambda: NOW), Echoes())
    context = SSL.Context(SSL.TLS_METHOD)
    client = SSL.Connection(context, None)
    client.set_connect_state()
    socket = Socket(Clock())
    socket.protocol = factory.buildProtocol(PEER)
    socket.protocol.makeConnection(socket)
    for _ in range(2):
        with suppress(SSL.WantReadError):
            client.do_handshake()
        with suppress(SSL.WantReadError):
            socket.protocol.dataReceived(client.bio_read(65536))
        client.bio_write(socket.take() or b" ")
    sent = client.get_peer_cert_chain()
    assert sent is not None
    names = [one.to_cryptography().subject.rfc4514_string() for one in sent]
    assert names == ["CN=localhost", "CN=test authority"]


# ---------------------------------------------------------------- what is spoken


def client_context(
    low: ssl.TLSVersion, high: ssl.TLSVersion, authority: Authority, ciphers: str = ""
) -> ssl.SSLContext:
    context = trusting(authority.certificate)
    context.minimum_version, context.maximum_version = low, high
    if ciphers:
        context.set_ciphers(ciphers)
    return context


V = ssl.TLSVersion


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion")
@pytest.mark.parametrize(
    ("low", "high", "ciphers", "agreed"),
    [
        (V.TLSv1_3, V.TLSv1_3, "", "TLSv1.3"),
        (V.TLSv1_2, V.TLSv1_2, "", "TLSv1.2"),
        (V.TLSv1_2, V.TLSv1_2, "ECDHE+CHACHA20", "TLSv1.2"),
        (V.TLSv1_2, V.TLSv1_2, "ECDHE+AESGCM", "TLSv1.2"),
        (V.TLSv1_2, V.TLSv1_2, "AES128-GCM-SHA256:@SECLEVEL=0", None),
        (V.TLSv1_2, V.TLSv1_2, "ECDHE-RSA-AES128-SHA256:@SECLEVEL=0", None),
        (V.TLSv1_1, V.TLSv1_1, "ALL:@SECLEVEL=0", None),
        (V.TLSv1, V.TLSv1, "ALL:@SECLEVEL=0", None),
    ],
)
def test_versions_and_ciphers(
    low: ssl.TLSVersion, high: ssl.TLSVersion, ciphers: str, agreed: str | None, tmp_path: Path
) -> None:
    authority = Authority.today()
    made = certificates(authority.issue(kind="rsa").write(tmp_path))
    client = TlsClient(TlsFactory(made, Echoes()), client_context(low, high, authority, ciphers))
    if agreed is None:
        with pytest.raises(ssl.SSLError):
            client.handshake()
        assert client.socket.closed
    else:
        assert client.handshake().tls.version() == agreed
        assert client.tls.compression() is None


def test_what_is_spoken_on_top(tmp_path: Path) -> None:
    authority = Authority.today()
    factory = TlsFactory(certificates(authority.issue().write(tmp_path)), Echoes())
    context = trusting(authority.certificate)
    context.set_alpn_protocols(["h2", "http/1.1"])
    assert TlsClient(factory, context).handshake().tls.selected_alpn_protocol() == "http/1.1"


def test_clear_text_gets_no_answer_of_ours(tmp_path: Path) -> None:
    made = certificates(Authority().issue().write(tmp_path))
    client = TlsClient(TlsFactory(made, Echoes()), ssl.create_default_context())
    client.deliver(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    assert client.socket.closed
    assert b"GET" not in client.socket.value()


# ---------------------------------------------------------------- time


def subject(client: TlsClient) -> str:
    found: Any = client.tls.getpeercert()
    return str(found["subjectAltName"][0][1])


def test_a_reload_is_for_new_connections(tmp_path: Path) -> None:
    authority = Authority.today()
    context = trusting(authority.certificate)
    context.check_hostname = False
    made = certificates(authority.issue("old.example").write(tmp_path))
    factory = TlsFactory(made, Echoes())
    old = TlsClient(factory, context).handshake()
    assert subject(old) == "old.example"

    authority.issue("new.example").write(tmp_path)
    (said,) = made.use(load(made.files))
    assert said.startswith("new connections get the new one, for new.example, valid until")
    assert made.use(load(made.files)) == []

    assert subject(TlsClient(factory, context).handshake()) == "new.example"
    old.send(b"still here")
    assert old.received == b"still here"


@pytest.mark.parametrize(
    ("now", "warned"), [(NOW, False), (NOW - 2 * 86400, True), (NOW + 31 * 86400, True)]
)
def test_a_certificate_out_of_its_time_is_said(now: float, warned: bool, tmp_path: Path) -> None:
    files = Authority().issue().write(tmp_path)
    with capturedLogs() as events:
        certificates(files, now)
    assert [event["log_level"] for event in events] == ([LogLevel.warn] if warned else [])
