"""A request body that nobody has asked for yet, and what happens when somebody does.

What arrives early is held, up to a bound, and then the client is paused.  ``100 Continue`` goes
out when the body is first asked for, so a refusal before that costs no upload (RFC 9110, section
10.1.1).
"""

from __future__ import annotations

from typing import Protocol

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IConsumer, IPushProducer
from zope.interface import implementer

from s3daemon.wire.framing import Framing, FramingError
from s3daemon.wire.http1 import Field


class BodyError(Exception):
    """There will be no whole body; the text may be shown to the client."""


class BodyIncomplete(BodyError):
    """The client ended before its body did."""


class BodyTooSlow(BodyError):
    """No byte came for too long."""


class BodyMalformed(BodyError):
    """The chunks are no chunks (RFC 9112, section 7.1)."""


class BodyTooLarge(BodyError):
    """The body is longer than :meth:`Body.read` was willing to keep."""


class ISource(Protocol):
    """The connection, as a body sees it."""

    def body_wanted(self) -> None:
        """Somebody waits for the body: let the client go on, and watch the clock."""

    def body_unwanted(self) -> None:
        """Nobody waits for the body any more, or for now."""

    def body_overflows(self) -> None:
        """More is held than may be: pause the client."""


class _Piecemeal(Protocol):
    def write(self, data: bytes) -> None:
        """Take the next piece."""


@implementer(IPushProducer)
class Body:
    """The body of one request.  It can be taken once, by :meth:`deliver` or :meth:`read`.

    :ivar length: bytes announced, 0 when there is no body, None when it comes in chunks.
    :ivar expected: there is a body, or there may be.
    :ivar received: payload bytes that have come so far.
    :ivar complete: the last byte has come.
    """

    def __init__(self, framing: Framing | None, source: ISource, hold: int) -> None:
        """:param framing: None when there is no body."""
        self.length = 0 if framing is None else framing.remaining
        self.expected = framing is not None
        self.received = 0
        self.complete = framing is None
        self._framing = framing
        self._source = source
        self._hold = hold
        self._held: list[bytes] = []
        self._held_bytes = 0
        self._error: BodyError | None = None
        self._refused: BodyError | None = None
        self._taken = False
        self._discarding = False
        self._taker: _Piecemeal | None = None
        self._paused = False
        self._done: Deferred[None] | None = None

    # -- for whoever wants the body ----------------------------------------------------

    @property
    def trailers(self) -> list[Field]:
        """The trailer fields of a chunked body, once it is whole."""
        return [] if self._framing is None else self._framing.trailers

    async def deliver(self, consumer: IConsumer) -> None:
        """Write the body to the consumer as it arrives; returns when all of it was written.

        The consumer gets this object as its push producer and may pause it.  Cancelling stops the
        delivery; the rest of the body is then nobody's.

        :raises BodyIncomplete, BodyTooSlow, BodyMalformed: there is no more, and never will be.
        """
        consumer.registerProducer(self, True)
        try:
            await self._take(consumer)
        finally:
            consumer.unregisterProducer()

    async def read(self, limit: int) -> bytes:
        """The whole body, for documents.

        :raises BodyTooLarge: it has more than ``limit`` bytes; nothing is asked of the client when
            the head said so.
        :raises BodyIncomplete, BodyTooSlow, BodyMalformed: as :meth:`deliver`.
        """
        if (self.length or 0) > limit:
            raise BodyTooLarge(f"The body of your request is longer than {limit} bytes.")
        document = _Document(limit)
        await self._take(document)
        return b"".join(document.pieces)

    async def _take(self, taker: _Piecemeal) -> None:
        if self._taken:
            raise RuntimeError("the body was taken before")
        self._taken = True
        self._taker = taker
        try:
            self._pass_on()
            if self._held or not self.complete:
                if (error := self._error or self._refused) is not None:
                    raise error
                self._done = Deferred()
                if not self._paused:
                    self._source.body_wanted()
                await self._done
        finally:
            self._taker = self._done = None
            if not self.complete:
                self._source.body_unwanted()

    def _pass_on(self) -> None:
        """Hand over what is held, for as long as it is taken."""
        held, self._held = self._held, []
        for index, piece in enumerate(held):
            if self._paused or self._taker is None:
                self._held = held[index:]
                return
            self._held_bytes -= len(piece)
            self._hand(piece)

    def _hand(self, piece: bytes) -> None:
        assert self._taker is not None
        try:
            self._taker.write(piece)
        except Exception as error:
            # It is the delivery that failed, not the connection.
            self._taker = None
            if self._done is None:
                raise
            self._end(error)

    # -- for the consumer: IPushProducer --------------------------------------------------

    def pauseProducing(self) -> None:
        """Write no more; the client is paused too."""
        self._paused = True
        if self._done is not None and not self.complete:
            self._source.body_unwanted()
            self._source.body_overflows()

    def resumeProducing(self) -> None:
        """Go on."""
        self._paused = False
        self._pass_on()
        if not self._paused and self._done is not None:
            if not self.complete and self._error is None:
                self._source.body_wanted()
            self.settle()

    def stopProducing(self) -> None:
        """The consumer wants no more: the delivery fails, unless all was delivered."""
        self._taker = None
        self._refused = BodyIncomplete("The rest of the body was not wanted.")
        self._end(self._refused)

    # -- for the connection -----------------------------------------------------------------

    @property
    def remaining(self) -> int | None:
        """Bytes that have yet to come; None when that cannot be known."""
        if self.complete or self._framing is None:
            return 0
        return self._framing.remaining

    def feed(self, data: bytes) -> bytes | None:
        """Take what came; gives back what follows the body, or None while it goes on.

        After the rest was given, :meth:`settle` is due.
        """
        if self._error is not None:
            return None
        assert self._framing is not None
        try:
            pieces, rest = self._framing.feed(data)
        except FramingError as error:
            self.fail(BodyMalformed(str(error)))
            return None
        for piece in pieces:
            self.received += len(piece)
            if self._taker is not None and not self._paused and not self._held:
                self._hand(piece)
            elif not self._discarding:
                self._held.append(piece)
                self._held_bytes += len(piece)
        if rest is None:
            if self._held_bytes >= self._hold:
                self._source.body_overflows()
        else:
            self.complete = True
        return rest

    def settle(self) -> None:
        """Tell whoever waits that the body is whole, or will not be."""
        if self._done is not None and not self._held:
            if self.complete:
                self._end(None)
            elif self._error is not None:
                self._end(self._error)

    def fail(self, error: BodyError) -> None:
        """There will be no more; no effect on a body that is complete."""
        if not self.complete and self._error is None:
            self._error = error
            self._held.clear()
            self._held_bytes = 0
            self.settle()

    def discard(self) -> None:
        """Keep nothing of what is held and of what still comes; the request was answered."""
        self._discarding = True
        self._taker = None
        self._held.clear()
        self._held_bytes = 0
        self._end(BodyIncomplete("The request was answered before its body was read."))

    def _end(self, error: Exception | None) -> None:
        done, self._done = self._done, None
        if done is None:
            return
        if error is None:
            done.callback(None)
        else:
            done.errback(error)


class _Document:
    """Keeps pieces up to a limit."""

    def __init__(self, limit: int) -> None:
        self.pieces: list[bytes] = []
        self._left = self._limit = limit

    def write(self, data: bytes) -> None:
        self._left -= len(data)
        if self._left < 0:
            raise BodyTooLarge(f"The body of your request is longer than {self._limit} bytes.")
        self.pieces.append(data)
