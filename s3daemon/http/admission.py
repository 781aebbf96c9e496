"""Who may connect: bounds on all connections, and on those of one client.

A client is an IPv4 address, or the /64 that a host of IPv6 can choose its addresses from (RFC 4291,
section 2.5.4).  Clients behind UNIX sockets are programs of this machine, and are not told apart;
nor are those behind a trusted proxy, which asks for many on connections of its own.
"""

from __future__ import annotations

import enum
import ipaddress

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.interfaces import IAddress

#: Seconds between two reports of connections that were turned away.
REPORT = 10.0


def client_of(address: IAddress) -> str:
    """The client behind an address: ``192.0.2.7`` or ``2001:db8:0:1::/64``; "" for no such one."""
    if isinstance(address, IPv4Address):
        return address.host
    if not isinstance(address, IPv6Address):
        return ""
    try:
        found = ipaddress.IPv6Address(address.host.partition("%")[0])
    except ValueError:
        return address.host
    if found.ipv4_mapped is not None:
        return str(found.ipv4_mapped)
    return str(ipaddress.IPv6Network((int(found) >> 64 << 64, 64)))


class Verdict(enum.Enum):
    """What happens to a new connection."""

    WELCOME = enum.auto()
    TOLD = enum.auto()  # it is one too many, and gets an answer that says so
    DROPPED = enum.auto()  # so many are being told already that this one is not


class Admission:
    """Counts connections and judges new ones.

    Whoever is one too many is told, which takes a connection too; so there is a bound on those as
    well, an eighth above the first.

    :param most: connections at a time.
    :param each: connections of one client at a time; 0 for no bound.
    """

    def __init__(self, most: int, each: int) -> None:
        self._most = most
        self._each = each
        self._all = 0
        self._of: dict[str, int] = {}
        self._away = 0
        self._last = ""
        self._reported = -REPORT

    def enter(self, client: str) -> Verdict:
        """One more connection; it counts until :meth:`leave`, whatever becomes of it."""
        self._all += 1
        verdict = _judge(self._all, self._most)
        if client and self._each:
            own = self._of[client] = self._of.get(client, 0) + 1
            if own > self._each:
                verdict = max(verdict, _judge(own, self._each), key=_SEVERITY.index)
        if verdict is not Verdict.WELCOME:
            self._away += 1
            self._last = client
        return verdict

    def leave(self, client: str) -> None:
        """One less."""
        self._all -= 1
        if client and self._each:
            own = self._of.pop(client) - 1
            if own:
                self._of[client] = own

    def report(self, now: float) -> str:
        """How many were turned away since the last report, for the log; "" when it is not due."""
        if not self._away or now < self._reported + REPORT:
            return ""
        count, self._away = self._away, 0
        self._reported = now
        return (
            f"{count} connections were turned away, the last one of {self._last or 'a UNIX socket'}"
            f" (limits.connections = {self._most}, limits.connections_per_peer = {self._each})"
        )


_SEVERITY = (Verdict.WELCOME, Verdict.TOLD, Verdict.DROPPED)


def _judge(count: int, most: int) -> Verdict:
    if count <= most:
        return Verdict.WELCOME
    return Verdict.TOLD if count <= most + max(16, most // 8) else Verdict.DROPPED
