"""How the bytes of a connection leave.

On plain TCP and UNIX sockets they go to the kernel at once; only what it does not take goes to
the transport, and then the outlet is *blocked* until the transport has sent it.  On everything
else (TLS, memory) the transport takes them and says when it has too much.
"""

from __future__ import annotations

import os
import socket
from collections import deque
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IPushProducer, ISSLTransport
from twisted.internet.tcp import Connection
from zope.interface import implementer

from s3daemon.http.progress import acknowledged

#: The transport gets at most so many bytes at a time, so that a slow client is seen to go on.
STEP = 64 * 1024


class ClientGone(Exception):
    """The connection is no more; nobody hears an answer."""


@implementer(IPushProducer)
class Outlet:
    """Writes to one transport.

    :param transport: the connection's; nobody else may write to it or register a producer.
    :param changed: called when :attr:`blocked` has changed, and when the client took some of what
        blocks.
    :ivar blocked: the client is slower than we are; who has more to write should wait.
    :ivar direct: bytes go straight to a socket, so :meth:`send_file` may be used.
    """

    def __init__(self, transport: Any, changed: Callable[[], None]) -> None:
        self.blocked = False
        self.direct = isinstance(transport, Connection) and not ISSLTransport.providedBy(transport)
        self._transport = transport
        self._changed = changed
        self._queue: deque[memoryview] = deque()  # only while blocked
        self._waiter: Deferred[None] | None = None
        self._closed = False
        self._registering = False
        if self.direct:
            self._socket: socket.socket = transport.getHandle()
        else:
            transport.registerProducer(self, True)

    @property
    def ready(self) -> bool:
        """A write would go out now."""
        return not self.blocked and not self._closed

    def write(self, data: bytes, more: bool = False) -> None:
        """Send all of it, now or when the client takes it.  Nothing happens when it is closed.

        :param more: something follows at once, so the kernel may wait for a full segment.
        """
        if self._closed or not data:
            return
        if self.blocked:
            self._queue.append(memoryview(data))
        elif self.direct:
            try:
                sent = self._socket.send(data, socket.MSG_MORE if more else 0)
            except OSError:
                # Full, or broken; if it is broken the transport finds out and reports the loss.
                sent = 0
            if sent != len(data):
                self._queue.append(memoryview(data)[sent:])
                self._block()
                self._step()
        else:
            self._queue.append(memoryview(data))
            while self._queue and not self.blocked:
                self._step()

    def send_file(self, descriptor: int, offset: int, size: int) -> int:
        """Send as much of a file as the socket takes now; the number of bytes.

        Only when :attr:`direct` and :attr:`ready`.  When it takes nothing, 0 is returned and
        :attr:`blocked` is set; 0 without that is the end of the file.

        :raises ClientGone: the connection is broken.
        :raises OSError: the file cannot be read, or not this way (EINVAL).
        """
        try:
            return os.sendfile(self._socket.fileno(), descriptor, offset, size)
        except BlockingIOError:
            self._block()
            # Nothing is in the transport's buffer; it tells when the socket takes bytes again.
            self._transport.startWriting()
            return 0
        except (ConnectionError, TimeoutError) as error:
            raise ClientGone(str(error)) from error

    def acknowledged(self) -> int | None:
        """Bytes of ours that the client's machine has confirmed, ever; None if nobody can tell."""
        return acknowledged(self._transport)

    def wait(self) -> Deferred[None]:
        """Fires when nothing blocks any more; fails with :class:`ClientGone`.  One at a time."""
        done: Deferred[None] = Deferred()
        if self._closed:
            done.errback(ClientGone("the connection was closed"))
        elif not self.blocked:
            done.callback(None)
        else:
            self._waiter = done
        return done

    def close(self) -> None:
        """Take no more, and let go of the transport, which does not close for a producer.

        To be called when nothing blocks, or the rest may be lost.
        """
        if self._closed:
            return
        if self.blocked or not self.direct:
            self._transport.unregisterProducer()
        self.lost()

    def lost(self) -> None:
        """The connection is gone, or nothing more goes out: whoever waits is told."""
        self._closed = True
        waiter, self._waiter = self._waiter, None
        if waiter is not None and not waiter.called:
            waiter.errback(ClientGone("the connection was closed"))

    # -- between us and the transport ------------------------------------------------------

    def _block(self) -> None:
        self.blocked = True
        # As a pull producer we hear when the transport's buffer is empty.  It pulls once at the
        # registration already, which tells nothing.
        self._registering = True
        self._transport.registerProducer(self, False)
        self._registering = False
        self._changed()

    def _step(self) -> None:
        """Hand the next bytes to the transport."""
        data = self._queue.popleft()
        if len(data) > STEP:
            self._queue.appendleft(data[STEP:])
            data = data[:STEP]
        self._transport.write(bytes(data))

    def pauseProducing(self) -> None:
        """The transport's buffer is full."""
        if not self.blocked and not self._closed:
            self.blocked = True
            self._changed()

    def resumeProducing(self) -> None:
        """The transport's buffer is empty."""
        if self._registering or self._closed or not self.blocked:
            return
        if self.direct and self._queue:
            self._step()
        else:
            self.blocked = False
            while self._queue and not self.blocked:
                self._step()
        if not self.blocked:
            if self.direct:
                self._transport.unregisterProducer()
            waiter, self._waiter = self._waiter, None
            if waiter is not None and not waiter.called:
                waiter.callback(None)
        self._changed()

    def stopProducing(self) -> None:
        """The transport is closing; its protocol hears of the loss."""
