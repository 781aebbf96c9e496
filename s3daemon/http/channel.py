"""The channel of a request, as ``twisted.web`` knows it.

To ``twisted.web``'s request this is what its own channel is, or a stream of its HTTP/2, so that
resources and Klein run unchanged on top.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from twisted.internet.interfaces import IAddress

from s3daemon.http.body import Body
from s3daemon.http.head import twisted_head
from s3daemon.http.receiving import Receiver
from s3daemon.http.request import Request
from s3daemon.wire.http1 import Head

if TYPE_CHECKING:
    from s3daemon.http.factory import S3Factory


class Channel(Receiver):
    """One connection."""

    def __init__(self, factory: S3Factory, peer: IAddress | None) -> None:
        super().__init__(factory, peer)
        self.site = factory.site

    def _make_request(self, head: Head, body: Body) -> Request:
        return Request(self, head, body)

    def writeHeaders(self, version: bytes, code: bytes, reason: bytes, headers: Any) -> None:
        """The head of an answer that ``twisted.web`` put together."""
        request = self._request
        if request is None:
            return
        head, self._declared, delimited = twisted_head(
            int(code), reason, headers, request.method == b"HEAD"
        )
        line = self.connection_line(request, delimited)
        self.outlet.write(head + self.factory.stamp.lines() + line + b"\r\n", more=True)

    def write(self, data: bytes) -> None:
        """Bytes of an answer."""
        self.outlet.write(data)

    def writeSequence(self, pieces: Iterable[bytes]) -> None:
        """Bytes of an answer."""
        self.outlet.write(b"".join(pieces))

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        """Somebody will write the answer piece by piece, at the client's pace."""
        self._producers.register(producer, streaming, self.outlet.blocked)

    def unregisterProducer(self) -> None:
        """Nobody does any more."""
        self._producers.unregister()

    def getPeer(self) -> IAddress:
        """Who is connected: the client, by the word of a balancer where there is a PROXY header."""
        assert self._peer is not None
        return self._peer

    def getHost(self) -> IAddress:
        """Our address."""
        transport: Any = self.transport
        ours: IAddress = transport.getHost()
        return ours

    def isSecure(self) -> bool:
        """Whether this is TLS."""
        return self._secure
