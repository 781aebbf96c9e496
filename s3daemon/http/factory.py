"""The server factory: what all connections of a listener share."""

from __future__ import annotations

import time
from collections.abc import Callable

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import (
    IAddress,
    IDelayedCall,
    IProtocolNegotiationFactory,
    IReactorTime,
)
from twisted.internet.protocol import ServerFactory
from twisted.logger import Logger
from twisted.web.resource import IResource, Resource
from twisted.web.server import Site
from zope.interface import implementer

from s3daemon.http.admission import Admission, Verdict, client_of
from s3daemon.http.channel import Channel
from s3daemon.http.ending import Ending
from s3daemon.http.head import Stamp, status_line
from s3daemon.http.limits import Limits, Timeouts
from s3daemon.http.origin import shown
from s3daemon.http.request import Request
from s3daemon.http.sendfile import RunBlocking
from s3daemon.wire.forwarded import Networks

__all__ = ["S3Factory", "plain_refusal"]

_TIMEOUTS = Timeouts()
_LIMITS = Limits()
_NOBODY = Networks()


def plain_refusal(status: int, reason: str) -> bytes:
    """A whole answer to what is no request: plain text, and the connection ends."""
    text = reason.encode("utf-8") + b"\n"
    return (
        status_line(status)
        + b"Content-Type: text/plain; charset=utf-8\r\nConnection: close\r\n"
        + b"Content-Length: %d\r\n\r\n" % len(text)
        + text
    )


_TOO_MANY = plain_refusal(503, "Too many connections. Reduce your request rate.")


@implementer(IProtocolNegotiationFactory)
class S3Factory(ServerFactory):
    """Makes a :class:`Channel` for each connection; for any stream endpoint.

    :param reactor: tells the time and calls later.
    :param run_blocking: ``run_blocking(call, *args)`` runs a blocking call on a pool thread.
    :param process: called with each request as soon as its head is there; ``twisted.web``'s way
        (find the resource in ``site`` and render it) unless given.
    :param site: a resource, or something with ``getResourceFor(request)`` like
        ``twisted.web.server.Site``, for requests that are processed in ``twisted.web``'s way.
    :param bad_request: (status, reason) -> the whole answer to what is no request.
    :param too_many: the whole answer to a connection that is one too many.
    :param trusted: proxies whose word about their clients is taken; their connections do not count
        for one client.
    :param server: value of the Server header field.
    :param wall: seconds since the epoch, for the Date header field.
    :ivar running: requests under way.
    :ivar retiring: every answer from now on is the last of its connection, and says so.
    :ivar draining: no request is taken on any more.
    """

    noisy = False

    def __init__(
        self,
        reactor: IReactorTime,
        run_blocking: RunBlocking,
        *,
        process: Callable[[Request], object] = Request.process,
        site: Site | IResource | None = None,
        bad_request: Callable[[int, str], bytes] = plain_refusal,
        too_many: bytes = _TOO_MANY,
        timeouts: Timeouts = _TIMEOUTS,
        limits: Limits = _LIMITS,
        trusted: Networks = _NOBODY,
        server: bytes = b"s3gate",
        wall: Callable[[], float] = time.time,
    ) -> None:
        self.reactor = reactor
        self.run_blocking = run_blocking
        self.process = process
        self.site = _site(site, reactor)
        self.bad_request = bad_request
        self.too_many = too_many
        self.trusted = trusted
        self.timeouts = timeouts
        self.limits = limits
        self.stamp = Stamp(server, wall)
        self.logger = Logger(namespace="s3daemon.http", source=self)
        self.running = 0
        self.retiring = self.draining = False
        self._channels: dict[Ending, str] = {}  # connection -> the client it counts for
        self._admission = Admission(limits.connections, limits.connections_per_peer)
        self._ticking: IDelayedCall | None = None
        self._drained: list[Deferred[None]] = []

    @property
    def connections(self) -> int:
        """Connections that are open."""
        return len(self._channels)

    # -- the listener's life -------------------------------------------------------------

    def buildProtocol(self, addr: IAddress | None) -> Channel:  # type: ignore[override]
        """One more connection."""
        return Channel(self, addr)

    def acceptableProtocols(self) -> list[bytes]:
        """What a TLS client may negotiate (ALPN, RFC 7301)."""
        return [b"http/1.1", b"http/1.0"]

    def drain(self) -> Deferred[None]:
        """Stop gracefully; fires when no connection is left.

        Connections without a request are closed now, the others after the answer under way, which
        says so.  The listener is to be closed first.
        """
        self.retiring = self.draining = True
        done: Deferred[None] = Deferred()
        self._drained.append(done)
        for channel in list(self._channels):
            channel.drain()
        self._report_drained()
        return done

    def retire(self) -> Deferred[None]:
        """Let every connection ask for one thing more; fires when no connection is left.

        The answer says that the connection ends with it.  Connections that ask for nothing stay
        open until :meth:`drain`.
        """
        self.retiring = True
        done: Deferred[None] = Deferred()
        self._drained.append(done)
        self._report_drained()
        return done

    def abort(self) -> None:
        """End all connections now, whatever is under way."""
        for channel in list(self._channels):
            channel.abortConnection()

    # -- for twisted.web -------------------------------------------------------------------

    def log(self, request: Request) -> None:
        """A request was answered.  ``twisted.web`` calls this; whoever processes requests logs."""

    def turn(self) -> Deferred[None]:
        """Fires when everything else that is due has had its turn of the reactor."""
        done: Deferred[None] = Deferred()
        self.reactor.callLater(0, done.callback, None)
        return done

    # -- for channels ------------------------------------------------------------------------

    def joined(self, channel: Ending, peer: IAddress, proxy: bool) -> Verdict:
        """A connection was made; what happens to it.

        :param proxy: it is one of many clients behind a trusted proxy.
        """
        client = self._channels[channel] = "" if proxy else client_of(peer)
        if self._ticking is None:
            self._ticking = self.reactor.callLater(1, self._tick)
        return self._admission.enter(client)

    def no_request(self, peer: IAddress | None, status: int, reason: str) -> None:
        """What came is no request: a line for the log, since there is no request to have one."""
        self.logger.info(
            "no request: peer={peer} status={status} reason={reason!r}",
            peer="-" if peer is None else shown(peer),
            status=status,
            reason=reason,
        )

    def left(self, channel: Ending) -> None:
        """A connection is gone."""
        if (client := self._channels.pop(channel, None)) is not None:
            self._admission.leave(client)
        if not self._channels and self._ticking is not None:
            self._ticking.cancel()
            self._ticking = None
        self._report_drained()

    def _tick(self) -> None:
        # One call for all connections: a delayed call for each limit of each request would cost
        # more than the request.
        self._ticking = self.reactor.callLater(1, self._tick)
        now = self.reactor.seconds()
        for channel in list(self._channels):
            channel.tick(now)
        if report := self._admission.report(now):
            self.logger.warn("{report}", report=report)

    def _report_drained(self) -> None:
        if self.retiring and not self._channels:
            waiting, self._drained = self._drained, []
            for done in waiting:
                done.callback(None)


def _site(site: Site | IResource | None, reactor: IReactorTime) -> Site:
    if IResource.providedBy(site):
        return Site(site, reactor=reactor)  # type: ignore[no-untyped-call]
    if site is None:
        return Site(Resource(), reactor=reactor)  # type: ignore[no-untyped-call]
    return site
