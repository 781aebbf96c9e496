"""Bodies that come from a file or from elsewhere, at the client's pace.

A file goes out by sendfile(2) from the reactor, as long as its bytes are in the page cache.  Where
they are not, a pool thread reads them first: the reactor never waits for a disk, and no thread
ever waits for a client.

What sendfile(2) has taken from a file that another program writes into may be a mix.  So the last
bytes are read, by a reader that knows whether the file still is what it was, after all others have
gone; where it is not, the connection ends without them.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred

from s3daemon.http.outlet import ClientGone, Outlet

#: Bytes that one sendfile(2) is asked for.
WINDOW = 1024 * 1024
#: Bytes that go out before the other connections get their turn.
TURN = 4 * 1024 * 1024
#: Bytes that are read and written at a time where sendfile(2) is no way.
PIECE = 256 * 1024
#: Bytes that one sendfile(2) is asked for when the rate is bounded.
PACED = 64 * 1024
#: Bytes at the end that never go by sendfile(2).
TAIL = 16 * 1024
#: The page cache is asked about a byte in every so many: what the kernel reads ahead at the least.
STRIDE = 128 * 1024

RunBlocking = Callable[..., "Deferred[Any]"]
Pace = Callable[[int], "Deferred[None]"]
Produce = Callable[[int, int], "Deferred[bytes]"]

# What preadv2(2) says where RWF_NOWAIT is not supported, and sendfile(2) where a file cannot be
# mapped.
_UNSUPPORTED = frozenset({errno.EOPNOTSUPP, errno.EINVAL, errno.ENOSYS})


class BodyCutShort(ClientGone):
    """The source had fewer bytes than the head promised; the connection has been given up."""


class Sender:
    """Sends one body.

    :param run_blocking: ``run_blocking(call, *args)`` runs a blocking call on a pool thread.
    :param turn: a Deferred that fires when everybody else had a turn of the reactor.
    :param pace: called with a number of bytes that were sent; the Deferred fires when more may go.
        None where nothing bounds the rate.
    :ivar sent: bytes that were handed to the transport or the kernel.
    """

    def __init__(
        self,
        outlet: Outlet,
        run_blocking: RunBlocking,
        turn: Callable[[], Deferred[None]],
        pace: Pace | None = None,
    ) -> None:
        self.sent = 0
        self._outlet = outlet
        self._run_blocking = run_blocking
        self._turn = turn
        self._pace = pace

    async def pieces(self, produce: Produce, length: int) -> None:
        """Send ``length`` bytes that ``produce(offset, size)`` gives, in order.

        :raises BodyCutShort: it gave none before the end.
        :raises ClientGone: the connection was lost.
        """
        begin = self.sent
        while (left := length - (self.sent - begin)) > 0:
            # Waiting comes first: nobody reads ahead for a client that does not take it.
            await self._ready()
            piece = await produce(self.sent - begin, min(left, PIECE))
            await self._ready()
            if not piece or len(piece) > left:
                raise BodyCutShort(f"{left} bytes are missing")
            self._outlet.write(piece)
            self.sent += len(piece)
            if self._pace is not None:
                await self._pace(len(piece))

    async def file(self, descriptor: int, offset: int, length: int, produce: Produce) -> None:
        """Send ``length`` bytes of a file from ``offset``.

        :param produce: gives the same bytes, for what does not go by sendfile(2); it fails when
            the file was written into.
        :raises BodyCutShort: the file ends before that.
        :raises ClientGone: the connection was lost.
        :raises OSError: the file cannot be read.
        """
        if self._outlet.direct and length > TAIL:
            await self._by_sendfile(descriptor, offset, length - TAIL)
        done = self.sent
        await self.pieces(lambda at, size: produce(done + at, size), length - done)

    async def _ready(self) -> None:
        if not self._outlet.ready:
            await self._outlet.wait()

    async def _by_sendfile(self, descriptor: int, offset: int, length: int) -> None:
        """Send what can be sent this way; where it is no way, less than all."""
        outlet = self._outlet
        position, end = offset, offset + length
        known = offset  # up to here the page cache has it
        pause = position + TURN
        most = WINDOW if self._pace is None else PACED
        while position < end:
            await self._ready()
            if position >= pause:
                await self._turn()
                pause = position + TURN
            if position >= known:
                known = min(position + WINDOW, end)
                cached = is_cached(descriptor, position, known)
                if cached is None:
                    return
                if not cached:
                    await self._run_blocking(fill_cache, descriptor, position, known)
                    await self._ready()
            try:
                count = outlet.send_file(descriptor, position, min(known - position, most))
            except OSError as error:
                if error.errno in _UNSUPPORTED:
                    return
                raise
            if not count and not outlet.blocked:
                raise BodyCutShort(f"{end - position} bytes are missing")
            position += count
            self.sent += count
            if self._pace is not None:
                await self._pace(count)


def is_cached(descriptor: int, begin: int, end: int) -> bool | None:
    """Whether these bytes of a file can be had without waiting; None where nobody can tell.

    Never blocks (preadv2(2), RWF_NOWAIT).
    """
    byte = [bytearray(1)]
    try:
        for position in (*range(begin + STRIDE, end, STRIDE), end - 1):
            os.preadv(descriptor, byte, position, os.RWF_NOWAIT)
    except BlockingIOError:
        return False
    except OSError as error:
        if error.errno in _UNSUPPORTED:
            return None
        raise
    return True


def fill_cache(descriptor: int, begin: int, end: int) -> None:
    """Read these bytes, so that they are in the page cache, and have the kernel go on; blocks."""
    buffer = [bytearray(min(end - begin, PIECE))]
    while begin < end and (count := os.preadv(descriptor, buffer, begin)):
        begin += count
    os.posix_fadvise(descriptor, begin, 2 * WINDOW, os.POSIX_FADV_WILLNEED)
