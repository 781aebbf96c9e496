"""Addresses of connections, as lists of trusted proxies know them."""

from __future__ import annotations

from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.interfaces import IAddress

from s3daemon.wire.forwarded import UNIX


def host_of(address: IAddress) -> str:
    """``192.0.2.7``, ``2001:db8::7``, or ``unix``; "" for an address of another kind."""
    if isinstance(address, IPv4Address | IPv6Address):
        return address.host
    return UNIX if isinstance(address, UNIXAddress) else ""
