"""Checkers are plug-ins, and are asked one after the other."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from twisted.cred.checkers import ICredentialsChecker
from twisted.cred.error import UnauthorizedLogin
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.testing import MemoryReactorClock
from twisted.plugin import IPlugin, getPlugins
from twisted.python.failure import Failure
from zope.interface import implementer
from zope.interface.verify import verifyObject

from s3daemon.auth import checkers
from s3daemon.auth.checkers import Chain, ICheckerPlugin, Surroundings
from s3daemon.auth.credentials import ISignedRequest, SignedRequest
from s3daemon.auth.identity import Identity
from s3daemon.auth.signatures import SignatureChecker
from s3daemon.auth.simple import SimpleChecker
from s3daemon.auth.users import Directory, Key, User
from s3daemon.toml_file import SettingError
from s3daemon.wire.claim import AccessClaim
from s3daemon.wire.errors import (
    AccessDenied,
    InvalidAccessKeyId,
    ServiceUnavailable,
    SignatureDoesNotMatch,
)
from s3daemon.wire.message import S3Request

ROOT = Path(__file__).parents[2]
OURS = Directory([User(Identity("a", "alice", "Alice"), {"AK1": Key("secret")}, enabled=False)])


def around(directory: Directory = OURS) -> Surroundings:
    return Surroundings(directory, "us-east-1", False, lambda: 0.0, MemoryReactorClock())


# ---------------------------------------------------------------- plug-ins


def test_those_that_come_with_it() -> None:
    names = [plugin.name for plugin in getPlugins(ICheckerPlugin)]
    assert sorted(names) == ["http", "sigv4", "simple"]


@pytest.mark.parametrize("name", ["http", "sigv4", "simple"])
def test_what_a_plugin_offers(name: str) -> None:
    plugin = checkers.find(name)
    assert verifyObject(ICheckerPlugin, plugin)
    assert IPlugin.providedBy(plugin)
    assert plugin.settings() == plugin.settings()


@pytest.mark.parametrize(("name", "kind"), [("sigv4", SignatureChecker), ("simple", SimpleChecker)])
def test_the_modes(name: str, kind: type[Any]) -> None:
    plugin = checkers.find(name)
    made = plugin.make(around(), plugin.settings())
    assert isinstance(made, kind)
    assert verifyObject(ICredentialsChecker, made)


def test_a_plugin_that_is_not_there() -> None:
    with pytest.raises(SettingError, match="no checker 'htp' installed; did you mean 'http'"):
        checkers.find("htp")


def test_two_plugins_of_one_name(monkeypatch: pytest.MonkeyPatch) -> None:
    twice = [checkers.find("http")] * 2
    monkeypatch.setattr(checkers, "getPlugins", lambda interface: iter(twice))
    with pytest.raises(SettingError, match=r"more than one checker 'http': in s3daemon\.checkers"):
        checkers.find("http")


def test_the_example_in_the_documentation(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    text = (ROOT / "docs" / "authentication.md").read_text()
    section = text[text.index("## A checker of your own") :]
    code = section[section.index("    import attrs") : section.index("and select it")]
    module = tmp_path / "twisted" / "plugins" / "lan_checker_of_the_test.py"
    module.parent.mkdir(parents=True)
    module.write_text(re.sub("^    ", "", code, flags=re.MULTILINE))
    import twisted.plugins

    monkeypatch.setattr(
        twisted.plugins, "__path__", [*twisted.plugins.__path__, str(module.parent)]
    )
    try:
        plugin = checkers.find("lan")
        chain = Chain(refuse(), [plugin.make(around(), plugin.settings("guest-"))], OURS)
        assert ask(chain, "guest-bob") == Identity("guest-bob", "guest-bob", "guest-bob")
        assert type(ask(chain, "bob")) is InvalidAccessKeyId
    finally:
        sys.modules.pop("twisted.plugins.lan_checker_of_the_test", None)


# ---------------------------------------------------------------- the chain


def checker(answer: Callable[[str], Any]) -> Any:
    @implementer(ICredentialsChecker)
    class Checker:
        credentialInterfaces = (ISignedRequest,)

        def requestAvatarId(self, credentials: Any) -> Any:
            return answer(credentials.claim.access_key)

    return Checker()


def refuse(error: Exception | None = None) -> Any:
    def answer(access_key: str) -> Any:
        raise error or InvalidAccessKeyId()

    return checker(answer)


def later(error: Exception) -> Any:
    return checker(lambda access_key: fail(error))


def name(prefix: str) -> Any:
    return checker(lambda access_key: f"{prefix} {access_key}")


def ask(chain: Chain, access_key: str) -> Any:
    request = SignedRequest(S3Request("GET"), b"/", [], AccessClaim(access_key))
    got: list[Any] = []
    try:
        found = chain.requestAvatarId(request)
    except Exception as error:
        return error
    if not isinstance(found, Deferred):
        return found
    found.addBoth(got.append)
    return got[0].value if isinstance(got[0], Failure) else got[0]


def test_our_own_keys_are_for_the_first_alone() -> None:
    assert ask(Chain(name("first"), [name("second")], OURS), "AK1") == "first AK1"
    error = ask(Chain(refuse(), [name("second")], OURS), "AK1")
    assert type(error) is InvalidAccessKeyId, "who is disabled here stays out"


def test_the_others_are_asked_in_their_order() -> None:
    assert ask(Chain(name("first"), [name("second"), name("third")], OURS), "X") == "second X"
    chain = Chain(name("first"), [refuse(), later(InvalidAccessKeyId()), name("fourth")], OURS)
    assert ask(chain, "X") == "fourth X"
    assert type(ask(Chain(name("first"), [refuse(), refuse()], OURS), "X")) is InvalidAccessKeyId


@pytest.mark.parametrize(
    "error",
    [
        ServiceUnavailable(),
        SignatureDoesNotMatch(),
        AccessDenied(),
        UnauthorizedLogin(),
        ZeroDivisionError(),
    ],
)
@pytest.mark.parametrize("how", [refuse, later])
def test_every_other_failure_is_final(error: Exception, how: Any) -> None:
    assert ask(Chain(name("first"), [how(error), name("third")], OURS), "X") is error


def test_an_answer_may_come_later() -> None:
    waiting: Deferred[Any] = Deferred()
    chain = Chain(refuse(), [checker(lambda _: waiting), checker(lambda _: succeed("z"))], OURS)
    found = chain.requestAvatarId(SignedRequest(S3Request("GET"), b"/", [], AccessClaim("X")))
    assert not found.called
    waiting.errback(InvalidAccessKeyId())
    assert found.result == "z"
