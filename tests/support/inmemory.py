"""The real factory over in-memory transports, with treq's agent on top.

``Wire.request`` returns a whole response synchronously: with a :class:`SynchronousPool` everything
between the agent and the store happens while bytes are pumped.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs
import treq.client
from twisted.internet.defer import Deferred, succeed
from twisted.internet.protocol import Factory
from twisted.python.failure import Failure
from twisted.test.iosim import FakeTransport, IOPump
from twisted.web.client import Agent
from twisted.web.http_headers import Headers
from twisted.web.iweb import IAgentEndpointFactory, IBodyProducer
from zope.interface import implementer


@attrs.frozen
class Response:
    """A whole answer; header names are lower-case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@implementer(IBodyProducer)
class _Whole:
    """A body that is written at once (treq's own wants a running reactor)."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.length = len(data)

    def startProducing(self, consumer: Any) -> Deferred[None]:
        consumer.write(self._data)
        return succeed(None)

    def pauseProducing(self) -> None: ...

    def resumeProducing(self) -> None: ...

    def stopProducing(self) -> None: ...


class _Endpoint:
    """A client endpoint that connects to a server protocol in the same process."""

    def __init__(self, factory: Factory, pumps: list[IOPump]) -> None:
        self._factory = factory
        self._pumps = pumps

    def connect(self, client_factory: Factory) -> Deferred[Any]:
        client = client_factory.buildProtocol(None)
        server = self._factory.buildProtocol(None)
        server_side = FakeTransport(server, isServer=True)
        client_side = FakeTransport(client, isServer=False)
        self._pumps.append(IOPump(client, server, client_side, server_side, False))
        server.makeConnection(server_side)
        client.makeConnection(client_side)
        return succeed(client)


@implementer(IAgentEndpointFactory)
class _Endpoints:
    def __init__(self, factory: Factory) -> None:
        self.factory = factory
        self.pumps: list[IOPump] = []

    def endpointForURI(self, uri: Any) -> _Endpoint:
        return _Endpoint(self.factory, self.pumps)


class Wire:
    """A client of one server factory."""

    def __init__(self, factory: Factory, clock: Any) -> None:
        self._endpoints = _Endpoints(factory)
        agent = Agent.usingEndpointFactory(clock, self._endpoints)
        self._client = treq.client.HTTPClient(agent, data_to_body_producer=_Whole)

    def pump(self) -> None:
        """Move bytes until nothing moves any more."""
        for pump in self._endpoints.pumps:
            while pump.pump():
                pass

    def request(
        self, method: str, path: str, headers: Mapping[str, str] | None = None, body: bytes = b""
    ) -> Response:
        """One request on a connection of its own; ``path`` goes out as it is, percent-encoded."""
        return self.begin(method, path, headers or {}, body).response()

    def begin(self, method: str, path: str, headers: Mapping[str, str], body: bytes = b"") -> Asked:
        """A request whose answer may take time: advance the clock, and pump."""
        asked = self._client.request(
            method,
            "http://gateway.test" + path,
            headers=Headers({k: [v] for k, v in headers.items()}),
            data=body,
            allow_redirects=False,
        )
        got: list[Any] = []
        asked.addCallback(lambda r: treq.content(r).addCallback(lambda body: (r, body)))
        asked.addBoth(got.append)
        self.pump()
        return Asked(got)


class Asked:
    """A request that was sent."""

    def __init__(self, got: list[Any]) -> None:
        self._got = got

    @property
    def done(self) -> bool:
        """The whole answer is here."""
        return bool(self._got)

    def response(self) -> Response:
        """The answer, or what the agent failed with."""
        got = self._got
        assert got, "the server gave no answer"
        if isinstance(got[0], Failure):
            got[0].raiseException()
        response, content = got[0]
        fields = {
            name.decode().lower(): b",".join(values).decode("utf-8", "replace")
            for name, values in response.headers.getAllRawHeaders()
        }
        if isinstance(response.length, int):
            # The agent keeps the field of an answer with a body to itself.
            fields.setdefault("content-length", str(response.length))
        return Response(response.code, fields, content)
