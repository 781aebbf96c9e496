"""``twisted.web``'s request, made when the head is there and the body is not.

Resources and Klein find what they know.  The faster ways to answer are :meth:`Request.answer` and
its siblings: they write the head themselves, and then finish as ``twisted.web`` does.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Coroutine, Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, unquote_to_bytes

from twisted.internet.address import UNIXAddress
from twisted.internet.defer import Deferred
from twisted.python.components import Componentized
from twisted.python.failure import Failure
from twisted.web import server
from twisted.web.http import Request as HTTPRequest
from twisted.web.http_headers import Headers

from s3daemon.http.body import Body
from s3daemon.http.head import NO_BODY, field_lines, status_line
from s3daemon.http.outlet import ClientGone
from s3daemon.http.sendfile import PIECE, BodyCutShort, Pace, Produce, Sender
from s3daemon.wire.http1 import Field, Head

if TYPE_CHECKING:
    from s3daemon.http.channel import Channel

__all__ = ["BodyCutShort", "ClientGone", "Request"]


class Request(server.Request):
    """One request and its answer.

    What ``twisted.web`` collects from the body is not here: ``content`` is empty, and ``args``
    holds the query only.

    :ivar head: the request as it was read.
    :ivar body: what may still come.
    """

    # What remains when twisted.web deletes or clears it: finished, or the client is gone.
    channel: Channel | None = None  # type: ignore[assignment]  # replaces HTTPChannel

    def __init__(self, channel: Channel, head: Head, body: Body) -> None:
        # server.Request's own initialiser asks the channel's site for what only twisted.web's
        # site has; besides that it does just this.
        HTTPRequest.__init__(self, channel, queued=False)  # type: ignore[arg-type]
        Componentized.__init__(self)  # type: ignore[no-untyped-call]
        self.head = head
        self.body = body
        self.method = head.method
        self.uri = head.target
        self.path = head.target.partition(b"?")[0]
        self.clientproto = b"HTTP/1.1" if head.version == (1, 1) else b"HTTP/1.0"
        self.content = io.BytesIO()
        self.site = channel.site
        self.prepath = []
        self._fields_as_headers: Headers | None = None
        self._query: dict[bytes, list[bytes]] | None = None
        self._segments: list[bytes] | None = None

    # -- what twisted.web takes from the head, made when it is asked for ------------------

    @property
    def requestHeaders(self) -> Headers:
        """The fields of the head."""
        if self._fields_as_headers is None:
            self._fields_as_headers = Headers()
            for name, value in self.head.fields:
                self._fields_as_headers.addRawHeader(name, value)
        return self._fields_as_headers

    @requestHeaders.setter
    def requestHeaders(self, headers: Headers) -> None:
        self._fields_as_headers = headers

    @property
    def args(self) -> dict[bytes, list[bytes]]:
        """The parameters of the query; never anything from the body."""
        if self._query is None:
            self._query = parse_qs(self.uri.partition(b"?")[2], keep_blank_values=True)
        return self._query

    @args.setter
    def args(self, args: dict[bytes, list[bytes]]) -> None:
        self._query = args

    @property
    def postpath(self) -> list[bytes]:
        """The segments of the path that no resource has taken yet."""
        if self._segments is None:
            self._segments = [unquote_to_bytes(part) for part in self.path[1:].split(b"/")]
        return self._segments

    @postpath.setter
    def postpath(self, segments: list[bytes]) -> None:
        self._segments = segments

    def getRequestHostname(self) -> bytes:
        """The name by which the client called us; empty where it gave none on a UNIX socket."""
        address = self.getHost()  # type: ignore[no-untyped-call]
        if isinstance(address, UNIXAddress) and not self.requestHeaders.hasHeader(b"host"):
            return b""
        return super().getRequestHostname()  # type: ignore[no-any-return, no-untyped-call]

    def process(self) -> None:
        """Find the resource and render it, as ``twisted.web`` does."""
        self.parseCookies()  # type: ignore[no-untyped-call]
        super().process()  # type: ignore[no-untyped-call]

    def finish(self) -> None:
        """The answer is complete."""
        super().finish()  # type: ignore[no-untyped-call]

    def connectionLost(self, reason: Failure) -> None:
        """The client is gone."""
        super().connectionLost(reason)  # type: ignore[no-untyped-call]

    # -- answers ---------------------------------------------------------------------------

    def answer(self, status: int, fields: Sequence[Field], body: bytes = b"") -> None:
        """Send the whole answer and finish.

        Date, Server and Connection are added, and Content-Length unless ``fields`` has it (an
        answer to HEAD announces what GET would send).  A body is left out where HTTP allows none.

        :raises ClientGone: nobody is there any more.
        """
        head = self._head(status, fields, len(body))
        channel = self._channel()
        if body and self._may_have_body:
            self.sentLength = len(body)
            if len(body) <= PIECE:
                channel.outlet.write(head + body)
            else:
                channel.outlet.write(head, more=True)
                channel.outlet.write(body)
        else:
            channel.outlet.write(head)
        self.finish()

    async def answer_file(
        self,
        status: int,
        fields: Sequence[Field],
        descriptor: int,
        offset: int,
        length: int,
        produce: Produce,
        pace: Pace | None = None,
    ) -> bool:
        """Send ``length`` bytes of an open file from ``offset``, and finish; True when all is out.

        :param produce: as of :meth:`answer_pieces`, for what does not leave by sendfile(2), the
            last bytes among it; fails when the file is not what it was.
        :param pace: called with each number of bytes sent; more go when its Deferred fires.

        The descriptor stays the caller's.  It must stay open, whatever happens, until this is
        done.

        :raises ClientGone: nobody is there any more.
        :raises BodyCutShort: the file ended, or could not be read, before that; the connection has
            been given up.
        """

        async def send(sender: Sender) -> None:
            await sender.file(descriptor, offset, length, produce)

        return await self._answer_by(status, fields, length, send, pace)

    async def answer_pieces(
        self,
        status: int,
        fields: Sequence[Field],
        produce: Produce,
        length: int,
        pace: Pace | None = None,
    ) -> bool:
        """Send ``length`` bytes that ``produce(offset, size)`` gives, at most ``size`` at a time
        and in order, and finish; True when all is out.

        :raises ClientGone, BodyCutShort: as :meth:`answer_file`.
        """

        async def send(sender: Sender) -> None:
            await sender.pieces(produce, length)

        return await self._answer_by(status, fields, length, send, pace)

    async def _answer_by(
        self,
        status: int,
        fields: Sequence[Field],
        length: int,
        send: Callable[[Sender], Coroutine[Deferred[Any], Any, None]],
        pace: Pace | None,
    ) -> bool:
        head = self._head(status, fields, length)
        channel = self._channel()
        if not length or not self._may_have_body:
            channel.outlet.write(head)
            self.finish()
            return True
        channel.outlet.write(head, more=True)
        factory = channel.factory
        sender = Sender(channel.outlet, factory.run_blocking, factory.turn, pace)
        try:
            await send(sender)
        except BaseException as error:
            # The client was promised more bytes; it must not take what comes next for them.
            channel.abortConnection()
            if isinstance(error, OSError):
                raise BodyCutShort(str(error)) from error
            raise
        finally:
            self.sentLength = sender.sent
        self.finish()
        return True

    def begin_stream(self, status: int, fields: Sequence[Field]) -> None:
        """Send the head of an answer whose length is not known: in chunks, or on HTTP/1.0 up to
        the end of the connection.  Nothing happens when the client is gone.
        """
        if self.channel is not None:
            self.channel.outlet.write(self._head(status, fields, None))

    def stream(self, data: bytes) -> None:
        """Send bytes of the answer begun.  Nothing happens when the client is gone."""
        if self.channel is None or not data or not self._may_have_body:
            return
        self.sentLength += len(data)
        if self.chunked:
            data = b"%x\r\n%b\r\n" % (len(data), data)
        self.channel.outlet.write(data)

    def end_stream(self, data: bytes = b"") -> None:
        """Send the last bytes of the answer begun, and finish.

        :raises ClientGone: nobody is there any more.
        """
        self._channel()
        self.stream(data)
        self.finish()

    def _channel(self) -> Channel:
        if self.channel is None:
            raise ClientGone("the connection was lost")
        return self.channel

    @property
    def _may_have_body(self) -> bool:
        return self.method != b"HEAD" and self.code not in NO_BODY

    def _head(self, status: int, fields: Sequence[Field], length: int | None) -> bytes:
        """The head of an answer, which begins now; None makes it a stream.

        :raises ValueError: ``fields`` promises another length than that of the body that follows.
        """
        channel = self._channel()
        if self.startedWriting:
            raise RuntimeError("the answer has begun already")
        lines = field_lines(fields)
        given = _CONTENT_LENGTH.search(lines)
        self.code = status
        delimited = True
        framing = b""
        if status in NO_BODY:
            pass
        elif length is None:
            if given is not None:
                raise ValueError("a stream has no Content-Length")
            if self.head.version == (1, 1):
                framing = b"Transfer-Encoding: chunked\r\n"
                self.chunked = int(self._may_have_body)
            else:
                delimited = not self._may_have_body
        elif given is None:
            framing = b"Content-Length: %d\r\n" % length
        elif int(given[1]) != length and self._may_have_body:
            raise ValueError("the Content-Length is not that of the body")
        self.startedWriting = 1
        return b"".join(
            (
                status_line(status),
                lines,
                framing,
                channel.factory.stamp.lines(),
                channel.connection_line(self, delimited),
                b"\r\n",
            )
        )


_CONTENT_LENGTH = re.compile(rb"^Content-Length: ([0-9]+)\r\n", re.IGNORECASE | re.MULTILINE)
