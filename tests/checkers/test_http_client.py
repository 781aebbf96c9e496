"""Asking a key service over HTTP: in memory, by treq's own means."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from treq.testing import RequestTraversalAgent
from twisted.internet.defer import Deferred, fail
from twisted.internet.error import ConnectionLost, ConnectionRefusedError, DNSLookupError
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.web.client import ResponseNeverReceived
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET

from s3daemon.auth.identity import Identity
from s3daemon.checkers.http_client import KeyService, client
from s3daemon.checkers.http_keys import ServiceFailed
from s3daemon.checkers.http_protocol import LONGEST, Scope
from tests.support.signing import Signer

SCOPE = Scope("AK", "20260131", "us-east-1", "s3")
URL = "https://keys.example.com/v1/signing-key"
ANSWER = {"signing_key": "00" * 32, "identity": {"id": "alice"}}


class Answering(Resource):
    """A service in one function: request -> status, body."""

    isLeaf = True

    def __init__(self, answer: Callable[[Any], tuple[int, bytes]]) -> None:
        super().__init__()
        self.answer = answer
        self.requests: list[Any] = []

    def render(self, request: Any) -> Any:
        self.requests.append(request)
        status, body = self.answer(request)
        request.setResponseCode(status)
        if status == 301:
            request.setHeader("location", "https://elsewhere.example.com/")
        return body


def ask(resource: Resource, token: str = "") -> Any:
    agent = RequestTraversalAgent(resource)
    got: list[Any] = []
    service = KeyService(client(agent), URL, token, 5.0, Clock())
    service.ask(SCOPE).addBoth(got.append)
    agent.flush()
    (result,) = got
    return result.value if isinstance(result, Failure) else result


def test_a_question_and_its_answer() -> None:
    seen: list[Any] = []

    def answer(request: Any) -> tuple[int, bytes]:
        seen.append((request.method, request.uri, json.loads(request.content.read())))
        return 200, json.dumps(ANSWER).encode()

    resource = Answering(answer)
    found = ask(resource, "t0ken")
    assert found.key.identity == Identity("alice", "alice", "alice")
    ((method, uri, asked),) = seen
    assert (method, uri) == (b"POST", b"/v1/signing-key")
    assert asked == {"access_key": "AK", "date": "20260131", "region": "us-east-1", "service": "s3"}
    headers = resource.requests[0].requestHeaders
    assert headers.getRawHeaders("authorization") == ["Bearer t0ken"]
    assert headers.getRawHeaders("content-type") == ["application/json"]


def test_without_a_token_none_is_sent() -> None:
    resource = Answering(lambda _: (404, b""))
    assert ask(resource) is None
    assert resource.requests[0].requestHeaders.getRawHeaders("authorization") is None


@pytest.mark.parametrize("status", [301, 401, 500])
def test_a_service_that_cannot_tell(status: int) -> None:
    resource = Answering(lambda _: (status, b""))
    error = ask(resource, "t0ken")
    assert isinstance(error, ServiceFailed)
    assert str(status) in str(error)
    assert len(resource.requests) == 1, "no redirect is followed"


@pytest.mark.parametrize("body", [b"<html>", b"{}", b" " * (LONGEST + 1), b"x" * (1 << 20)])
def test_an_answer_that_is_none(body: bytes) -> None:
    assert "is not understood" in str(ask(Answering(lambda _: (200, body))))


def test_the_longest_answer() -> None:
    body = json.dumps(ANSWER).encode()
    assert ask(Answering(lambda _: (200, body + b" " * (LONGEST - len(body))))) is not None


# ---------------------------------------------------------------- what the network does


class Agent:
    """An agent that fails, or never answers."""

    def __init__(self, *results: Exception | None) -> None:
        self.results = list(results)
        self.cancelled = 0

    def request(self, *arguments: Any) -> Deferred[Any]:
        result = self.results.pop(0)
        if result is None:
            return Deferred(self._cancel)
        return fail(result)

    def _cancel(self, done: Deferred[Any]) -> None:
        self.cancelled += 1


def asked(agent: Any, clock: Clock) -> list[Any]:
    got: list[Any] = []
    done = KeyService(client(agent), URL, "t0ken", 5.0, clock).ask(SCOPE)
    done.addBoth(lambda r: got.append(r.value if isinstance(r, Failure) else r))
    return got


def lost() -> Exception:
    return ResponseNeverReceived([Failure(ConnectionLost())])


@pytest.mark.parametrize(
    ("errors", "says"),
    [
        ([ConnectionRefusedError(111, "refused")], "ConnectionRefused"),
        ([DNSLookupError("no such name")], "DNSLookupError"),
        ([lost(), lost()], "ConnectionLost"),
        ([lost(), ConnectionRefusedError()], "ConnectionRefused"),
    ],
)
def test_a_service_that_cannot_be_reached(errors: list[Exception], says: str) -> None:
    agent = Agent(*errors)
    (error,) = asked(agent, Clock())
    assert isinstance(error, ServiceFailed)
    assert says in str(error)
    assert "t0ken" not in str(error)
    assert agent.results == []


def test_a_kept_connection_that_was_closed_is_tried_again_once() -> None:
    agent = RequestTraversalAgent(Answering(lambda _: (404, b"")))
    first = [lost()]

    class Flaky:
        def request(self, *arguments: Any) -> Deferred[Any]:
            return fail(first.pop()) if first else agent.request(*arguments)

    got = asked(Flaky(), Clock())
    agent.flush()
    assert got == [None]


def test_a_service_that_says_nothing() -> None:
    clock, agent = Clock(), Agent(None)
    got = asked(agent, clock)
    clock.advance(4.9)
    assert got == []
    clock.advance(0.1)
    assert str(got[0]) == "no answer within 5 seconds"
    assert agent.cancelled == 1
    assert not clock.getDelayedCalls()


def test_a_service_that_never_comes_to_an_end() -> None:
    class Endless(Resource):
        isLeaf = True

        def render(self, request: Any) -> Any:
            request.write(b"{")
            return NOT_DONE_YET

    clock, agent = Clock(), RequestTraversalAgent(Endless())
    got = asked(agent, clock)
    agent.flush()
    assert got == []
    clock.advance(5)
    assert str(got[0]) == "no answer within 5 seconds"
    agent.flush()


def test_a_bug_is_not_hidden() -> None:
    (error,) = asked(Agent(ZeroDivisionError()), Clock())
    assert type(error) is ZeroDivisionError


# ---------------------------------------------------------------- the example


def test_the_service_in_etc_gives_the_keys_that_clients_sign_with() -> None:
    path = Path(__file__).parents[2] / "etc" / "key-service.py"
    spec = importlib.util.spec_from_file_location("key_service", path)
    assert spec is not None
    assert spec.loader is not None
    example = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(example)
    users = {"AK": {"secret_key": "alice-secret", "identity": {"id": "a", "read_only": True}}}

    def answer(request: Any) -> tuple[int, bytes]:
        authorization = request.getHeader("authorization") or ""
        status, content = example.answer(users, "t0ken", authorization, request.content.read())
        return status, json.dumps(content).encode()

    found = ask(Answering(answer), "t0ken")
    signer = Signer("AK", "alice-secret", now=1_769_817_600.0)
    assert signer.stamp.startswith(SCOPE.date)
    assert found.key.key == signer.key
    assert found.key.identity == Identity("a", "a", "a", read_only=True)
    assert found.lasts == 60
    assert "status 401" in str(ask(Answering(answer), "wrong"))
    users.clear()
    assert ask(Answering(answer), "t0ken") is None
