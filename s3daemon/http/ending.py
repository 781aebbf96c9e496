"""How a connection ends, and its limits of time.

Whoever closes a socket while bytes of the client are unread resets the connection, and the reset
may overtake the answer.  So the last answer goes out first, then only our side is closed, and what
the client still sends is thrown away until it has closed too (RFC 9112, section 9.6).
"""

from __future__ import annotations

import enum
import math
from typing import TYPE_CHECKING, Any

from twisted.internet.protocol import Protocol

from s3daemon.http.outlet import Outlet

if TYPE_CHECKING:
    from s3daemon.http.factory import S3Factory


class Phase(enum.Enum):
    """What a connection is about."""

    IDLE = enum.auto()  # no request is under way, no byte of the next has come
    HEAD = enum.auto()  # some of a head has come
    REQUEST = enum.auto()  # a request is under way
    DRAIN = enum.auto()  # it was answered; the rest of its body is thrown away
    FLUSH = enum.auto()  # the last answer was given, and is going out
    LINGER = enum.auto()  # it went out; what still comes is thrown away
    CLOSING = enum.auto()  # the transport is told to close
    CLOSED = enum.auto()


class Ending(Protocol):
    """A connection that knows how to end.

    :ivar outlet: where answers go.
    """

    factory: S3Factory
    outlet: Outlet

    def __init__(self, factory: S3Factory) -> None:
        self.factory = factory
        self._reactor = factory.reactor
        self._timeouts = factory.timeouts
        self._limits = factory.limits
        self._phase = Phase.IDLE
        self._eof = False  # the client sends no more
        self._linger = False
        self._discarded = 0
        self._deadline = math.inf
        self._write_deadline = math.inf

    # -- for the rooms above ---------------------------------------------------------------

    def loseConnection(self) -> None:
        """End the connection when what was written has gone out."""
        if self._phase in (Phase.IDLE, Phase.HEAD, Phase.REQUEST, Phase.DRAIN):
            self._finish(linger=not self._whole)

    def abortConnection(self) -> None:
        """End the connection now; the client sees that something went wrong."""
        if self._phase is not Phase.CLOSED:
            self._phase = Phase.CLOSING
            self._deadline = self._write_deadline = math.inf
            self.outlet.close()
            transport: Any = self.transport
            transport.abortConnection()

    def drain(self) -> None:
        """End the connection as soon as no request is under way."""
        if self._is_between:
            self._finish(linger=False)

    def tick(self, now: float) -> None:
        """Act on what has taken too long; called about once a second."""
        if now >= self._write_deadline:
            self.abortConnection()
        elif now >= self._deadline:
            self._deadline = math.inf
            self._late()

    # -- what the rest of a connection tells and asks ----------------------------------------

    @property
    def _is_between(self) -> bool:
        """No request is under way."""
        return self._phase is Phase.IDLE or self._phase is Phase.HEAD

    @property
    def _whole(self) -> bool:
        """Nothing of a body is still to come."""
        raise NotImplementedError

    def _forget_input(self) -> None:
        """Nothing that the client sent matters any more."""
        raise NotImplementedError

    def _update_reading(self) -> None:
        """Pause the client when there is more of something than may be, else let it go on."""
        raise NotImplementedError

    def _late(self) -> None:
        """A limit of time has passed."""
        if self._phase is Phase.LINGER:
            self._close()
        elif self._phase is Phase.CLOSING:
            self.abortConnection()
        else:
            self._finish(linger=False)

    # -- the steps --------------------------------------------------------------------------

    def _finish(self, linger: bool) -> None:
        """There will be no further answer.

        :param linger: the client may still be sending.
        """
        self._phase = Phase.FLUSH
        self._deadline = math.inf
        self._linger = linger
        self._forget_input()
        if self.outlet.blocked:
            self._update_reading()
        else:
            self._flushed()

    def _flushed(self) -> None:
        """The last answer is out."""
        self.outlet.close()
        if not self._linger or self._eof:
            self._close()
            return
        self._phase = Phase.LINGER
        self._deadline = self._reactor.seconds() + self._timeouts.linger
        if self.outlet.direct:
            transport: Any = self.transport
            transport.loseWriteConnection()
        self._update_reading()

    def _throw_away(self, size: int) -> None:
        """So many bytes came that nobody wants."""
        self._discarded += size
        if self._phase is Phase.LINGER and self._discarded > self._limits.linger:
            self._close()

    def _close(self) -> None:
        self._phase = Phase.CLOSING
        self._deadline = self._reactor.seconds() + self._timeouts.linger
        assert self.transport is not None
        self.transport.loseConnection()
