"""The checker "http" from its settings to a request that it lets in."""

from __future__ import annotations

import builtins
import json
from pathlib import Path
from typing import Any

import attrs
import pytest
from treq.testing import RequestTraversalAgent
from twisted.cred.portal import Portal
from twisted.internet.interfaces import IHandshakeListener
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.ssl import PrivateCertificate
from twisted.internet.testing import MemoryReactorClock
from twisted.protocols.tls import TLSMemoryBIOFactory
from twisted.python.failure import Failure
from twisted.test.iosim import FakeTransport, connect
from twisted.web.client import BrowserLikePolicyForHTTPS
from twisted.web.resource import Resource
from zope.interface import implementer

from s3daemon.auth.checkers import Chain, Surroundings
from s3daemon.auth.identity import Identity
from s3daemon.auth.portal import Authenticator, Realm
from s3daemon.auth.signatures import SignatureChecker
from s3daemon.auth.users import Directory
from s3daemon.checkers import http_plugin
from s3daemon.checkers.http_plugin import HttpPlugin, HttpSettings
from s3daemon.toml_file import SettingError
from s3daemon.wire.errors import ServiceUnavailable, SignatureDoesNotMatch
from s3daemon.wire.message import Personality
from s3daemon.wire.target import Endpoint, request_from
from tests.support.certificates import Authority
from tests.support.signing import Signer

URL = "https://keys.example.com/v1"


def make(**settings: Any) -> SignatureChecker:
    around = Surroundings(Directory(), "us-east-1", True, lambda: 0.0, MemoryReactorClock())
    return HttpPlugin().make(around, HttpSettings(**{"url": URL, **settings}))


@pytest.mark.parametrize(
    "url",
    [URL, "http://127.0.0.1:8080/x", "http://[::1]:8080", "http://localhost/", "https://[::]/"],
)
def test_where_a_service_may_be(url: str) -> None:
    assert isinstance(make(url=url), SignatureChecker)


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("", "is missing"),
        ("https:///x", "names no host"),
        ("https://h:port/", "is no address"),
        ("https://[::1/", "is no address"),
        ("http://keys.example.com/", "has to be https"),
        ("http://10.0.0.1/", "has to be https"),
        ("http://localhost.example.com/", "has to be https"),
    ],
)
def test_where_it_may_not_be(url: str, says: str) -> None:
    with pytest.raises(SettingError, match=says) as caught:
        make(url=url)
    assert caught.value.key == "checker.http.url"


def test_a_token_is_a_secret(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("t0ken==\n")
    file.chmod(0o644)
    with pytest.raises(SettingError, match="chmod 600"):
        make(token_file=file)
    file.chmod(0o600)
    checker: Any = make(token_file=file)
    assert "t0ken" not in repr(checker)
    assert http_plugin._token(file) == "t0ken=="
    file.write_text("two words")
    with pytest.raises(SettingError, match="no bearer token") as caught:
        make(token_file=file)
    assert "two words" not in str(caught.value)


def test_who_vouches_for_the_service(tmp_path: Path) -> None:
    file = tmp_path / "ca.pem"
    with pytest.raises(SettingError, match="cannot be read"):
        make(ca_file=file)
    file.write_text("no PEM")
    with pytest.raises(SettingError, match="holds no certificate"):
        make(ca_file=file)
    file.write_text("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
    with pytest.raises(SettingError, match="cannot be read"):
        make(ca_file=file)
    file.write_bytes(Authority().certificate + Authority().certificate)
    make(ca_file=file)


@implementer(IHandshakeListener)
class Client(Protocol):
    """Remembers whether it has come to a connection."""

    outcome: object = "nothing"

    def handshakeCompleted(self) -> None:
        self.outcome = ""

    def connectionLost(self, reason: Any = None) -> None:
        self.outcome = reason.value


def handshake(authority: Authority, name: str, ca_file: Path) -> str:
    """Connect to a service with a certificate of this authority; "" or what was wrong."""
    pair = authority.issue(name)
    creator = BrowserLikePolicyForHTTPS(http_plugin._trusted(ca_file)).creatorForNetloc(
        b"keys.example.com", 443
    )
    client = TLSMemoryBIOFactory(creator, True, Factory.forProtocol(Client)).buildProtocol(None)
    inner = client.wrappedProtocol
    server = TLSMemoryBIOFactory(
        PrivateCertificate.loadPEM(pair.certificate + pair.key).options(),
        False,
        Factory.forProtocol(Protocol),
    ).buildProtocol(None)
    connect(server, FakeTransport(server, True), client, FakeTransport(client, False)).flush()
    return str(inner.outcome)


def test_only_a_service_that_somebody_vouches_for_is_asked(tmp_path: Path) -> None:
    authority, file = Authority.today(), tmp_path / "ca.pem"
    file.write_bytes(authority.certificate)
    assert handshake(authority, "keys.example.com", file) == ""
    assert handshake(authority, "elsewhere.example.com", file) != ""
    assert "certificate" in handshake(Authority.today(), "keys.example.com", file)
    assert "certificate" in handshake(authority, "keys.example.com", Path())


def let_in(checker: SignatureChecker, agent: RequestTraversalAgent, signer: Signer) -> Any:
    """The caller, or what was refused."""
    fields = [(b"host", b"gateway.test")] + [
        (name.encode(), value.encode()) for name, value in signer.headers("GET", "/b/k").items()
    ]
    request = request_from(b"GET", b"/b/k", fields, [Endpoint("", Personality.AWS)])
    portal = Portal(Realm(Directory()), [Chain(checker, [checker], Directory())])
    got: list[Any] = []
    Authenticator(portal, lenient=False)(request, b"/b/k", fields).addBoth(got.append)
    agent.flush()
    return got[0].value if isinstance(got[0], Failure) else got[0]


def test_who_signs_with_a_key_of_the_service_is_let_in(monkeypatch: pytest.MonkeyPatch) -> None:
    signer = Signer()
    answers = [(200, {"signing_key": signer.key.hex(), "identity": {"id": "a"}}), (500, {})]
    asked: list[Any] = []

    class Service(Resource):
        isLeaf = True

        def render(self, request: Any) -> bytes:
            asked.append(json.loads(request.content.read()))
            status, content = answers[len(asked) - 1]
            request.setResponseCode(status)
            return json.dumps(content).encode()

    agent = RequestTraversalAgent(Service())
    monkeypatch.setattr(http_plugin, "_agent", lambda reactor, ca_file: agent)
    reactor = MemoryReactorClock()
    around = Surroundings(Directory(), "us-east-1", False, lambda: signer.now, reactor)
    checker = HttpPlugin().make(around, HttpSettings(url=URL))

    caller = let_in(checker, agent, signer)
    assert caller.identity == Identity("a", "a", "a")
    wrong = let_in(checker, agent, attrs.evolve(signer, secret_key="another-secret"))
    assert type(wrong) is SignatureDoesNotMatch
    assert asked == [
        {
            "access_key": signer.access_key,
            "date": signer.stamp[:8],
            "region": "us-east-1",
            "service": "s3",
        }
    ], "the key is remembered"

    reactor.advance(60)
    assert type(let_in(checker, agent, signer)) is ServiceUnavailable
    assert len(asked) == 2


def test_without_treq(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *arguments: Any, **named: Any) -> Any:
        if name.startswith("s3daemon.checkers.http_client"):
            raise ImportError("No module named 'treq'")
        return real(name, *arguments, **named)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(SettingError, match=r"pip install 's3gate\[http-auth\]'"):
        make()
