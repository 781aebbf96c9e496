"""A request body on its way into a sink: received by the reactor, taken in by pool threads.

While one piece is hashed and written on a thread the next is received; no thread ever waits for
the client.  What is received and not yet taken in is bounded: above ``HIGH`` bytes the producer is
paused, below ``LOW`` it goes on.  A small body is kept until it is whole and then costs one job.
Where the bodies of a process hold much memory together, each keeps less.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Generic, Protocol, TypeVar

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IConsumer, IPushProducer
from twisted.python.failure import Failure
from zope.interface import implementer

from s3daemon.streams.pool import IAskedPool

#: Bodies up to this many bytes are taken in by one job when they are whole.
SMALL = 256 * 1024
#: Bytes that make a job worth its hop.
BATCH = 512 * 1024
#: Bytes in memory above which the client is paused, and below which it goes on.
HIGH = 4 * 1024 * 1024
LOW = 1024 * 1024

#: Bytes that all bodies of a process may hold before each is held to less, and what that is.
CROWDED = 64 * 1024 * 1024
CROWDED_BATCH = 64 * 1024
CROWDED_HIGH = 256 * 1024

R_co = TypeVar("R_co", covariant=True)
R = TypeVar("R")


class Sink(Protocol[R_co]):
    """Where the bytes go; all of it blocks and runs on pool threads, one call at a time."""

    def write(self, data: Sequence[bytes]) -> None:
        """Take the next pieces."""

    def finish(self) -> R_co:
        """The body is whole."""

    def abort(self) -> None:
        """The body will never be whole.  May be called more than once."""


class Held:
    """Counts the bytes in memory of the bodies of a process.

    :ivar bytes: how many there are.
    """

    def __init__(self, crowded: int = CROWDED) -> None:
        self.bytes = 0
        self._crowded = crowded

    @property
    def crowded(self) -> bool:
        """Whether it is time to keep less: a thousand bodies have four GiB otherwise."""
        return self.bytes > self._crowded


@implementer(IConsumer)
class Upload(Generic[R]):
    """The consumer of one body.

    :param begin: makes the sink; runs on a pool thread, with the first job.
    :param held: what all bodies hold together.

    When the sink fails while the body still arrives the producer is stopped, so that the client can
    be refused at once, and :meth:`finish` fails with the sink's error.

    :ivar failed: the sink has failed.
    """

    def __init__(
        self,
        pool: IAskedPool,
        begin: Callable[[], Sink[R]],
        held: Held,
    ) -> None:
        self._pool = pool
        self._begin = begin
        self._held = held
        self._counted = 0  # of what is held, ours
        self._aborted = False
        self._sink: Sink[R] | None = None
        self._pieces: list[bytes] = []
        self._pending = 0
        self._taking = 0
        self._error: Failure | None = None
        self._job: Deferred[None] | None = None
        self._producer: IPushProducer | None = None
        self._paused = False

    # -- IConsumer ---------------------------------------------------------

    def registerProducer(self, producer: IPushProducer, streaming: bool) -> None:  # type: ignore[override]
        """The body's source; only push producers."""
        self._producer = producer

    def unregisterProducer(self) -> None:
        """The source has no more."""
        self._producer = None

    def write(self, data: bytes) -> None:
        """Take received bytes; never blocks."""
        if self._error is not None or self._aborted:
            return
        self._pieces.append(data)
        self._pending += len(data)
        self._count()
        crowded = self._held.crowded
        if self._job is None and self._pending >= (CROWDED_BATCH if crowded else BATCH):
            self._start()
        high = CROWDED_HIGH if crowded else HIGH
        if self._pending + self._taking > high and not self._paused and self._producer is not None:
            self._paused = True
            self._producer.pauseProducing()

    @property
    def failed(self) -> bool:
        """Whether the sink has failed while the body arrived."""
        return self._error is not None

    # -- the life of an upload ----------------------------------------------------

    def open(self) -> Deferred[None]:
        """Make the sink now, before any byte is asked for; fails with what refuses it, or with
        :class:`~s3daemon.streams.pool.PoolBusy`."""
        return self._pool.ask(self._open)

    async def finish(self) -> R:
        """The body is whole: hand over the rest and finish.  Nothing stays open when it fails."""
        while self._job is not None:
            await self._idle()
        if self._error is not None:
            self._error.raiseException()
        pieces, self._pieces = self._pieces, []
        try:
            # What has a sink has to end in some way: only the first job may be refused.
            run = self._pool.ask if self._sink is None else self._pool.run
            return await run(self._last, pieces)
        finally:
            self._forget()

    async def abort(self) -> None:
        """The body will never be whole: drop what there is."""
        self._aborted = True
        self._pieces = []
        while self._job is not None:
            await self._idle()
        self._forget()
        if self._sink is not None:
            await self._pool.run(self._sink.abort)

    # -- on the reactor -----------------------------------------------------------

    def _count(self) -> None:
        now = self._pending + self._taking
        self._held.bytes += now - self._counted
        self._counted = now

    def _forget(self) -> None:
        self._pieces, self._pending, self._taking = [], 0, 0
        self._count()

    def _start(self) -> None:
        pieces, self._pieces = self._pieces, []
        self._taking, self._pending = self._pending, 0
        self._job = self._pool.run(self._take, pieces)
        self._job.addBoth(self._taken)

    def _taken(self, result: Failure | None) -> None:
        self._job, self._taking = None, 0
        if isinstance(result, Failure):
            self._error = result
            self._forget()
            if self._producer is not None:
                self._producer.stopProducing()
            return
        self._count()
        crowded = self._held.crowded
        if not self._aborted and self._pending >= (CROWDED_BATCH if crowded else BATCH):
            self._start()
        if self._paused and self._pending + self._taking < (CROWDED_BATCH if crowded else LOW):
            self._paused = False
            if self._producer is not None:
                self._producer.resumeProducing()

    def _idle(self) -> Deferred[None]:
        """Fires when the job under way has been dealt with."""
        done: Deferred[None] = Deferred()
        assert self._job is not None
        self._job.addCallback(done.callback)
        return done

    # -- on a pool thread ----------------------------------------------------------

    def _open(self) -> None:
        if self._sink is None:
            self._sink = self._begin()

    def _take(self, pieces: list[bytes]) -> None:
        self._open()
        assert self._sink is not None
        try:
            self._sink.write(pieces)
        except BaseException:
            self._sink.abort()
            raise

    def _last(self, pieces: list[bytes]) -> R:
        if pieces:
            self._take(pieces)
        self._open()
        assert self._sink is not None
        return self._sink.finish()
