"""Listening sockets that several processes accept from.

Twisted's own port, given such a socket, takes up to a hundred connections at a time, and so leaves
none for the others; it also removes the path of a UNIX socket when it closes, and changes its mode.
This one takes one connection in a turn of its reactor: who has more to do comes round less often,
and takes less.
"""

from __future__ import annotations

import errno
import socket
from collections.abc import Callable
from typing import Any

from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.interfaces import IAddress, IListeningPort, IProtocolFactory, IReadDescriptor
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

#: Seconds for which nothing is accepted after a failure, of which the most likely is that there are
#: no descriptors; others may have some.
PAUSE = 0.1

#: The client has not waited.
_GONE = frozenset((errno.ENOTCONN, errno.ECONNRESET, errno.EINVAL))

#: What came over a connection before it was accepted, and other processes that were quicker.
#: accept(2): to be taken like "there is none".
_NONE_AFTER_ALL = frozenset(
    (
        errno.EAGAIN, errno.EWOULDBLOCK, errno.ECONNABORTED, errno.EINTR, errno.EPERM,
        errno.ENETDOWN, errno.EPROTO, errno.ENOPROTOOPT, errno.EHOSTDOWN, errno.EHOSTUNREACH,
        errno.EOPNOTSUPP, errno.ENETUNREACH,
    )
)  # fmt: skip


@implementer(IReadDescriptor, IListeningPort)
class SharedPort:
    """Accepts from a socket that listens already.

    :param listening: belongs to this port from now on.  Closing it here closes it for nobody else.
    :param reactor: IReactorFDSet, IReactorSocket and IReactorTime.
    """

    def __init__(self, listening: socket.socket, factory: IProtocolFactory, reactor: Any) -> None:
        listening.setblocking(False)
        self._socket = listening
        self._factory = factory
        self._reactor = reactor
        self._open = False
        self._said = False
        self._log = Logger(namespace="s3daemon.listen", source=self)

    # -- IListeningPort ----------------------------------------------------------------------

    def startListening(self) -> None:
        """Begin to accept."""
        self._open = True
        self._reactor.addReader(self)

    def stopListening(self) -> None:
        """Accept no more, and close the socket; what waits is for the other processes."""
        if self._open:
            self._open = False
            self._reactor.removeReader(self)
            self._socket.close()

    def getHost(self) -> IAddress:
        """Where it listens."""
        return address_of(self._socket)

    # -- IReadDescriptor ---------------------------------------------------------------------

    def fileno(self) -> int:
        """Of the socket; -1 when it is closed."""
        return self._socket.fileno()

    def logPrefix(self) -> str:
        """For Twisted's own messages."""
        return "SharedPort"

    def connectionLost(self, reason: Failure) -> None:
        """The reactor is going away."""
        self.stopListening()

    def doRead(self) -> None:
        """Somebody may wait."""
        try:
            accepted, _ = self._socket.accept()
        except OSError as error:
            if error.errno not in _NONE_AFTER_ALL:
                self._pause(error)
            return
        with accepted:
            accepted.setblocking(False)
            try:
                self._reactor.adoptStreamConnection(
                    accepted.fileno(), accepted.family, self._factory
                )
            except OSError as error:
                # It takes a descriptor of its own, and asks who is at the other end.
                if error.errno not in _GONE:
                    self._pause(error)
            except Exception:  # noqa: BLE001 - else the reactor would close the port for everybody
                self._log.failure("while taking a connection")
            else:
                self._said = False

    def _pause(self, error: OSError) -> None:
        if not self._said:
            self._said = True
            self._log.error("cannot accept connections: {why}", why=error.strerror)
        self._reactor.removeReader(self)
        self._reactor.callLater(PAUSE, self._resume)

    def _resume(self) -> None:
        if self._open:
            self._reactor.addReader(self)


def address_of(listening: socket.socket) -> IAddress:
    """Where a socket listens, as Twisted says it."""
    name: Any = listening.getsockname()
    if listening.family == socket.AF_UNIX:
        return UNIXAddress(name)
    kind: Callable[..., IAddress] = (
        IPv6Address if listening.family == socket.AF_INET6 else IPv4Address
    )
    return kind("TCP", *name)
