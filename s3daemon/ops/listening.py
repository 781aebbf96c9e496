"""Listeners: open before the daemon says that it runs, closed gently when it stops."""

from __future__ import annotations

import os
from collections.abc import Sequence
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

from s3daemon.config_listen import with_backlog

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


@attrs.define(eq=False)
class Listeners(Service):
    """Listens on every endpoint, or on none.

    :ivar descriptions: Twisted endpoint descriptions.
    :ivar drain: seconds that the requests under way are given at the end.
    :ivar ports: what is open.
    """

    _reactor: Any  # IReactorTime, and whatever the endpoints need
    _factory: Any  # IProtocolFactory and IDrainable; interfaces cannot be joined in a type
    descriptions: Sequence[str]
    drain: float
    ports: list[IListeningPort] = attrs.field(factory=list)
    _log: Logger = attrs.field(factory=lambda: Logger(namespace="s3daemon.listen"))

    def privilegedStartService(self) -> None:
        """Open the ports, while the process may still have the rights for low ones.

        Nothing is accepted before the reactor runs, so by then everything has been started.

        :raises CannotStart: an endpoint is not understood, or cannot be listened on.
        """
        Service.privilegedStartService(self)
        factory: IProtocolFactory = self._factory
        for description in self.descriptions:
            try:
                endpoint = serverFromString(self._reactor, with_backlog(description, BACKLOG))
                opened = endpoint.listen(factory)
            except (ValueError, TypeError, KeyError, IndexError, OSError) as error:
                raise CannotStart(
                    f"cannot make sense of listen = {description!r}: {error}"
                ) from error
            # Endpoints of this machine open at once; the result is there.
            got: list[IListeningPort | Failure] = []
            opened.addBoth(got.append)
            if not got:
                raise CannotStart(f"{description!r} is not an endpoint that opens at once")
            if isinstance(got[0], Failure):
                raise CannotStart(_why(description, got[0].value))
            self.ports.append(got[0])

    def startService(self) -> None:
        """Say where we listen."""
        Service.startService(self)
        for port in self.ports:
            self._log.info("listening on {where}", where=shown(port.getHost()))

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


async def _stopped(port: IListeningPort) -> None:
    stopping = port.stopListening()
    if stopping is not None:
        await stopping


def _why(description: str, error: BaseException | None) -> str:
    if isinstance(error, CannotListenError):
        reason = getattr(error.socketError, "strerror", None) or str(error.socketError)
        return (
            f"cannot listen on {description!r}: {reason}."
            "  Stop the program that has the port, or choose another one"
        )
    return f"cannot listen on {description!r}: {error}"


def shown(address: object) -> str:
    """An address for people: ``127.0.0.1:39999``, ``[::1]:39999``, or a path."""
    if isinstance(address, IPv6Address):
        return f"[{address.host}]:{address.port}"
    if isinstance(address, IPv4Address):
        return f"{address.host}:{address.port}"
    if isinstance(address, UNIXAddress):
        return os.fsdecode(address.name or b"")
    return str(address)
