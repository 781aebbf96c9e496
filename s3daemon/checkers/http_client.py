"""Asks a key service, over HTTP."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from treq.client import HTTPClient
from twisted.internet.defer import CancelledError, Deferred, TimeoutError, ensureDeferred, succeed
from twisted.internet.error import ConnectError, ConnectionClosed
from twisted.internet.interfaces import IConsumer, IReactorTime
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from twisted.web.client import (
    RequestTransmissionFailed,
    ResponseDone,
    ResponseFailed,
)
from twisted.web.http_headers import Headers
from twisted.web.iweb import IAgent, IBodyProducer
from zope.interface import implementer

from s3daemon.checkers.http_keys import ServiceFailed
from s3daemon.checkers.http_protocol import LONGEST, BadAnswer, Found, Scope, answer, question

_FAILURES = (
    OSError,  # names that are not found, and what the kernel says
    ConnectError,
    TimeoutError,
    CancelledError,
)

#: What happens to a connection that was there.
_BROKEN = (ConnectionClosed, RequestTransmissionFailed, ResponseFailed)


@implementer(IBodyProducer)
class Whole:
    """A body that is there as a whole and written at once; treq's own needs a global reactor."""

    def __init__(self, body: bytes) -> None:
        self.length = len(body)
        self._body = body

    def startProducing(self, consumer: IConsumer) -> Deferred[None]:
        """Write it."""
        consumer.write(self._body)
        return succeed(None)

    def stopProducing(self) -> None:
        """It is written already."""

    def pauseProducing(self) -> None:
        """It is written already."""

    def resumeProducing(self) -> None:
        """It is written already."""


def client(agent: IAgent) -> HTTPClient:
    """treq's client over an agent."""
    return HTTPClient(agent, data_to_body_producer=Whole)


class KeyService:
    """A key service.

    :param client: treq's.
    :param token: what proves to the service who asks; "" for nothing.
    :param timeout: seconds for a question and its whole answer.
    """

    def __init__(
        self, client: HTTPClient, url: str, token: str, timeout: float, clock: IReactorTime
    ) -> None:
        self._client = client
        self._url = url
        self._headers = Headers({"Content-Type": ["application/json"]})
        if token:
            self._headers.setRawHeaders("Authorization", [f"Bearer {token}"])
        self._timeout = timeout
        self._clock = clock

    def ask(self, scope: Scope) -> Deferred[Found | None]:
        """Ask for a signing key; None where there is none.

        Fails with :class:`ServiceFailed`.
        """
        asked: Deferred[Found | None] = ensureDeferred(self._ask(scope))
        return asked.addTimeout(self._timeout, self._clock, self._late)

    def _late(self, result: Any, timeout: float) -> Any:
        raise ServiceFailed(f"no answer within {timeout:g} seconds")

    async def _ask(self, scope: Scope) -> Found | None:
        try:
            try:
                return await self._once(scope)
            except _BROKEN:
                # A connection that was kept open may have been closed just now by the other side.
                return await self._once(scope)
        except BadAnswer as error:
            raise ServiceFailed(f"its answer is not understood: {error}") from None
        except (*_FAILURES, *_BROKEN) as error:
            raise ServiceFailed(_reason(error)) from error

    async def _once(self, scope: Scope) -> Found | None:
        response = await self._client.request(
            "POST",
            self._url,
            headers=self._headers,
            data=question(scope),
            # An answer that leads elsewhere would lead the token elsewhere.
            allow_redirects=False,
            unbuffered=True,
        )
        return answer(response.code, await _read(response))


def _reason(error: BaseException) -> str:
    """What went wrong, in words; Twisted wraps what did into a list of failures."""
    reasons = getattr(error, "reasons", None)
    if reasons:
        return _reason(reasons[0].value)
    return f"{type(error).__name__}: {error}"


def _read(response: Any) -> Deferred[bytes]:
    """The body of a response, if it is not too long."""
    body = _Body(lambda _: body.stop())
    response.deliverBody(body)
    return body.done


class _Body(Protocol):
    """Collects a body up to a bound."""

    def __init__(self, cancel: Callable[[Deferred[bytes]], None]) -> None:
        self.done: Deferred[bytes] = Deferred(cancel)
        self._received = b""

    def stop(self) -> None:
        """Receive no more."""
        if self.transport is not None:
            self.transport.loseConnection()

    def dataReceived(self, data: bytes) -> None:
        """A piece of it."""
        self._received += data
        if len(self._received) > LONGEST and not self.done.called:
            self.done.errback(BadAnswer(f"longer than {LONGEST} bytes"))
            self.stop()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Its end; only one that the service meant is one."""
        if self.done.called:
            return
        if reason.check(ResponseDone):
            self.done.callback(self._received)
        else:
            self.done.errback(reason)
