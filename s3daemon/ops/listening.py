"""Listeners: open before the daemon says that it runs, closed gently when it stops."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from types import MappingProxyType
from typing import Any, Protocol

import attrs
from twisted.application.service import Service
from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.defer import Deferred, TimeoutError, ensureDeferred
from twisted.internet.endpoints import serverFromString
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IListeningPort, IProtocolFactory, IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from s3daemon.config_listen import Listen, parse
from s3daemon.ops.hangup import Reloadable
from s3daemon.ops.proxied import ProxiedFactory
from s3daemon.ops.tls import Certificates, TlsFactory, load
from s3daemon.wire.forwarded import Networks

#: Seconds in which connections that are ended have to be gone.
ENDING = 2.0

#: Connections that may wait to be accepted; the kernel takes less where it is told to
#: (net.core.somaxconn).
BACKLOG = 1024


class CannotStart(Exception):
    """The daemon cannot run like this; the text says why, and what to do."""


class IDrainable(Protocol):
    """A server factory that can stop gracefully."""

    def drain(self) -> Deferred[None]:
        """Take on no more requests; fires when no connection is left."""

    def abort(self) -> None:
        """End all connections now."""


@attrs.frozen
class Place:
    """Where to listen, and as whom.

    :ivar certificates: of a TLS listener; None for others.
    """

    listen: Listen
    certificates: Certificates | None = None

    @classmethod
    def of(cls, description: str, now: Callable[[], float]) -> Place:
        """What a description says; reads the files of a TLS listener, which blocks.

        :param now: seconds since the epoch.
        :raises ValueError: it is no description.
        :raises SettingError: the files cannot be used.
        """
        listen = parse(description)
        return cls(listen, None if listen.tls is None else Certificates(listen.tls, now))

    @property
    def how(self) -> str:
        """What is spoken there before HTTP, for people."""
        proxied = ", behind PROXY headers" if self.listen.proxied else ""
        certificates = self.certificates
        return proxied + (f", TLS {certificates.describe()}" if certificates is not None else "")

    @property
    def reloadable(self) -> Reloadable | None:
        """What may change here while the daemon runs."""
        certificates = self.certificates
        if certificates is None:
            return None
        return Reloadable(
            f"certificates of {self.listen.description!r}",
            partial(load, certificates.files),
            certificates.use,
        )


@attrs.define(eq=False)
class Listeners(Service):
    """Listens everywhere, or nowhere.

    :ivar places: where.
    :ivar drain: seconds that the requests under way are given at the end.
    :ivar trusted: balancers whose PROXY headers are believed.
    :ivar preamble: seconds in which such a header has to come.
    :ivar ports: what is open.
    """

    _reactor: Any  # IReactorTime, and whatever the endpoints need
    _factory: Any  # IProtocolFactory and IDrainable; interfaces cannot be joined in a type
    places: Sequence[Place]
    drain: float
    trusted: Networks
    preamble: float
    ports: list[IListeningPort] = attrs.field(factory=list)
    _proxied: list[ProxiedFactory] = attrs.field(factory=list)
    _log: Logger = attrs.field(factory=lambda: Logger(namespace="s3daemon.listen"))

    def privilegedStartService(self) -> None:
        """Open the ports, while the process may still have the rights for low ones.

        Nothing is accepted before the reactor runs, so by then everything has been started.

        :raises CannotStart: an endpoint is not understood, or cannot be listened on.
        """
        Service.privilegedStartService(self)
        for place in self.places:
            self.ports.append(self._open(place))

    def _open(self, place: Place) -> IListeningPort:
        description = place.listen.description
        factory: IProtocolFactory = self._factory
        if place.certificates is not None:
            factory = TlsFactory(place.certificates, factory)
        if place.listen.proxied:
            factory = ProxiedFactory(factory, self.trusted, self.preamble, self._reactor)
            self._proxied.append(factory)
        try:
            endpoint = serverFromString(self._reactor, place.listen.socket(BACKLOG))
            opened = endpoint.listen(factory)
        except (ValueError, TypeError, KeyError, IndexError, OSError) as error:
            raise CannotStart(_why(description, error)) from error
        # Endpoints of this machine open at once; the result is there.
        got: list[IListeningPort | Failure] = []
        opened.addBoth(got.append)
        if not got:
            raise CannotStart(f"server.listen: {description!r} does not open at once")
        if isinstance(got[0], Failure):
            raise CannotStart(_why(description, got[0].value))
        return got[0]

    def startService(self) -> None:
        """Say where we listen."""
        Service.startService(self)
        for place, port in zip(self.places, self.ports, strict=True):
            self._log.info("listening on {where}{how}", where=shown(port.getHost()), how=place.how)

    def stopService(self) -> Deferred[None]:
        """Close the ports, finish the requests under way as far as the time goes, end the rest."""
        Service.stopService(self)
        return ensureDeferred(self._stop())

    async def _stop(self) -> None:
        ports, self.ports = self.ports, []
        for port in ports:
            await _stopped(port)
        for proxied in self._proxied:
            proxied.close()
        factory: IDrainable = self._factory
        clock: IReactorTime = self._reactor
        drained = factory.drain()
        drained.addTimeout(self.drain, clock)
        try:
            await drained
        except TimeoutError:
            self._log.warn(
                "requests are still under way after {drain} seconds, and are ended",
                drain=self.drain,
            )
            factory.abort()
            # Sockets tell of their end in a later turn of the reactor, and only then have the
            # requests ended too, with a line in the log each.
            ended = factory.drain()
            ended.addTimeout(ENDING, clock)
            with suppress(TimeoutError):
                await ended


async def _stopped(port: IListeningPort) -> None:
    stopping = port.stopListening()
    if stopping is not None:
        await stopping


#: errno -> what to do about it.
_ADVICE = MappingProxyType(
    {
        errno.EADDRINUSE: "stop the program that has it, or choose another port in server.listen",
        errno.EADDRNOTAVAIL: "this machine has no such address: see interface= in server.listen",
        errno.EACCES: "ports below 1024 need the right to them (CAP_NET_BIND_SERVICE), and sockets"
        " a directory in which the daemon may write",
        errno.ENOENT: "the directory of the socket has to exist",
    }
)


def _why(description: str, error: BaseException | None) -> str:
    cause: object = error.socketError if isinstance(error, CannotListenError) else error
    reason, advice = str(cause), ""
    if isinstance(cause, OSError) and cause.errno is not None:
        reason = cause.strerror or reason
        advice = _ADVICE.get(cause.errno, "")
    return f"cannot listen on {description!r}: {reason}" + (f"; {advice}" if advice else "")


def shown(address: object) -> str:
    """An address for people: ``127.0.0.1:39999``, ``[::1]:39999``, or a path."""
    if isinstance(address, IPv6Address):
        return f"[{address.host}]:{address.port}"
    if isinstance(address, IPv4Address):
        return f"{address.host}:{address.port}"
    if isinstance(address, UNIXAddress):
        return os.fsdecode(address.name or b"")
    return str(address)
