"""Opening ports, and saying what to do where they cannot be had."""

from __future__ import annotations

import errno
import os
from types import MappingProxyType
from typing import Any

from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.endpoints import serverFromString
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IListeningPort, IProtocolFactory
from twisted.python.failure import Failure

from s3daemon.config_listen import Listen

#: Connections that may wait to be accepted; the kernel takes less where it is told to
#: (net.core.somaxconn).
BACKLOG = 1024


class CannotStart(Exception):
    """The daemon cannot run like this; the text says why, and what to do."""


def open_port(listen: Listen, factory: IProtocolFactory, reactor: Any) -> IListeningPort:
    """Listen on the bare socket of a description, without TLS and PROXY headers.

    :raises CannotStart: it cannot be had.
    """
    description = listen.description
    try:
        endpoint = serverFromString(reactor, listen.socket(BACKLOG))
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
