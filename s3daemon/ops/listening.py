"""Listeners: open before the daemon says that it runs, closed gently when it stops."""

from __future__ import annotations

import socket
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import Any, Protocol

import attrs
from twisted.application.service import Service
from twisted.internet.defer import Deferred, TimeoutError, ensureDeferred
from twisted.internet.interfaces import IListeningPort, IProtocolFactory, IReactorTime
from twisted.logger import Logger

from s3daemon.config_listen import Listen, parse
from s3daemon.ops.accepting import SharedPort
from s3daemon.ops.hangup import Reloadable
from s3daemon.ops.opening import BACKLOG, CannotStart, open_port, shown
from s3daemon.ops.proxied import ProxiedFactory
from s3daemon.ops.tls import Certificates, TlsFactory, load
from s3daemon.wire.forwarded import Networks

__all__ = ["BACKLOG", "CannotStart", "IDrainable", "Listeners", "Place", "shown"]

#: Seconds in which connections that are ended have to be gone.
ENDING = 2.0


class IDrainable(Protocol):
    """A server factory that can stop gracefully."""

    def retire(self) -> Deferred[None]:
        """End each connection with its next answer; fires when no connection is left."""

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
    :ivar linger: seconds that connections are given at the end to ask for one thing more, because
        they can connect again.  Nobody closes a connection then that is about to be used.
    :ivar ports: what is open.
    """

    _reactor: Any  # IReactorTime, and whatever the endpoints need
    _factory: Any  # IProtocolFactory and IDrainable; interfaces cannot be joined in a type
    places: Sequence[Place]
    drain: float
    trusted: Networks
    preamble: float
    linger: float = 0.0
    _inherited: Sequence[socket.socket] | None = None
    ports: list[IListeningPort] = attrs.field(factory=list)
    _proxied: list[ProxiedFactory] = attrs.field(factory=list)
    _log: Logger = attrs.field(factory=lambda: Logger(namespace="s3daemon.listen"))

    def adopt(self, inherited: Sequence[socket.socket]) -> None:
        """Open no ports, but accept from sockets that listen already, for other processes too.

        :param inherited: one for each place.
        """
        self._inherited = inherited

    def privilegedStartService(self) -> None:
        """Open the ports, while the process may still have the rights for low ones.

        Nothing is accepted before the reactor runs, so by then everything has been started.

        :raises CannotStart: an endpoint is not understood, or cannot be listened on.
        """
        Service.privilegedStartService(self)
        if self._inherited is not None:
            for place, listening in zip(self.places, self._inherited, strict=True):
                port = SharedPort(listening, self._above(place), self._reactor)
                port.startListening()
                self.ports.append(port)
            return
        for place in self.places:
            self.ports.append(open_port(place.listen, self._above(place), self._reactor))

    def _above(self, place: Place) -> IProtocolFactory:
        factory: IProtocolFactory = self._factory
        if place.certificates is not None:
            factory = TlsFactory(place.certificates, factory)
        if place.listen.proxied:
            factory = ProxiedFactory(factory, self.trusted, self.preamble, self._reactor)
            self._proxied.append(factory)
        return factory

    def startService(self) -> None:
        """Say where we listen, unless somebody else opened the ports."""
        Service.startService(self)
        if self._inherited is None:
            announce(self.places, self.ports)

    def stopService(self) -> Deferred[None]:
        """Close the ports, finish the requests under way as far as the time goes, end the rest."""
        Service.stopService(self)
        return ensureDeferred(self._stop())

    async def _stop(self) -> None:
        ports, self.ports = self.ports, []
        for port in ports:
            await _stopped(port)
        factory: IDrainable = self._factory
        clock: IReactorTime = self._reactor
        if self.linger:
            retired = factory.retire()
            retired.addTimeout(self.linger, clock)
            with suppress(TimeoutError):
                await retired
        for proxied in self._proxied:
            proxied.close()
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


def announce(places: Sequence[Place], ports: Sequence[IListeningPort]) -> None:
    """Say where and how we listen."""
    log = Logger(namespace="s3daemon.listen")
    for place, port in zip(places, ports, strict=True):
        log.info("listening on {where}{how}", where=shown(port.getHost()), how=place.how)
