"""Whose request it is: who is connected, or who a trusted proxy says it is."""

from __future__ import annotations

import attrs
from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.interfaces import IAddress

from s3daemon.http.channel import Channel
from s3daemon.wire import forwarded
from s3daemon.wire.http1 import Head


@attrs.frozen
class Origin:
    """Where a request came from; for logs and links, never for a signature.

    :ivar name: ``192.0.2.7:5555``, without the port where nobody knows it, or ``unix``.
    :ivar secure: it came to us, or to the first proxy of ours, by TLS.
    """

    name: str
    secure: bool


def origin_of(channel: Channel, head: Head) -> Origin:
    """Where it came from; by the word of trusted proxies in the head, and of nobody else."""
    name, secure = shown(channel.getPeer()), channel.isSecure()
    if channel.proxied:
        told = forwarded.origin(head.fields, channel.factory.trusted)
        name = name if told.node is None else str(told.node)
        secure = secure if told.secure is None else told.secure
    return Origin(name, secure)


def shown(peer: IAddress) -> str:
    """An address for the log: ``192.0.2.7:5555``, ``[2001:db8::1]:5555``, ``unix``."""
    if isinstance(peer, IPv4Address):
        return f"{peer.host}:{peer.port}"
    if isinstance(peer, IPv6Address):
        return f"[{peer.host}]:{peer.port}"
    return "unix" if isinstance(peer, UNIXAddress) else str(peer)
