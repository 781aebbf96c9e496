"""Who a client is when proxies stand in between, as far as they can be believed.

Sources: RFC 7239 (``Forwarded``), sections 4 to 6; the older ``X-Forwarded-For`` and
``X-Forwarded-Proto``, which no standard defines and every proxy writes.

Each proxy adds whom *it* was asked by, at the end.  So the list is read from its end: what a proxy
of the operator's wrote is true, what it says of another of those is too, and the first that is not
one of them is the client.  Whatever stands further left may be made up by that client.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Sequence

import attrs

from s3daemon.wire.http1 import Field

#: Stands for programs of this machine that come by a UNIX socket.
UNIX = "unix"

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def address_of(text: str) -> _Address | None:
    """An address; one of IPv4 that is written as IPv6 is the one of IPv4.  None when it is none."""
    if "%" in text:
        return None  # the name of an interface, which says nothing here and may be anything
    try:
        found = ipaddress.ip_address(text)
    except ValueError:
        return None
    if isinstance(found, ipaddress.IPv6Address) and found.ipv4_mapped is not None:
        return found.ipv4_mapped
    return found


class Networks:
    """Machines whose word counts.

    :param texts: addresses, networks such as ``10.0.0.0/8``, and ``unix``.
    :raises ValueError: one is none of these; the text says which.
    """

    def __init__(self, texts: Iterable[str] = ()) -> None:
        self._networks = []
        self._unix = False
        for text in texts:
            if text == UNIX:
                self._unix = True
                continue
            try:
                self._networks.append(ipaddress.ip_network(text))
            except ValueError as error:
                raise ValueError(f"{text!r} is no address and no network: {error}") from None

    def __bool__(self) -> bool:
        return self._unix or bool(self._networks)

    def has(self, host: str) -> bool:
        """Whether it is one of them; ``host`` is an address, or ``unix``."""
        if host == UNIX:
            return self._unix
        address = address_of(host.partition("%")[0])
        return address is not None and any(address in network for network in self._networks)


@attrs.frozen
class Node:
    """An address, and a port where it is known."""

    host: str
    port: int | None = None

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port is None else f"{host}:{self.port}"


@attrs.frozen
class Hop:
    """What one proxy says of who asked it; None for what it does not say."""

    node: Node | None = None
    secure: bool | None = None


_NOTHING = Hop()

#: Whom a proxy says that it speaks for, and the protocol, as they stand in a field.
_Said = tuple[str, str]

#: Proxies in a row that are looked at, from the nearest one.
MOST_HOPS = 32


def node_of(text: str) -> Node | None:
    """``192.0.2.43``, ``192.0.2.43:47011``, ``[2001:db8::17]:4711`` or ``2001:db8::17``.

    A port that hides behind a name (RFC 7239, section 6) is not known.  None for anything else:
    ``unknown``, names that hide an address, and what is no address.
    """
    port = ""
    if text.startswith("["):
        host, end, port = text[1:].partition("]")
        if not end or ":" not in host or (port and not port.startswith(":")):
            return None
    elif text.count(":") == 1:
        host, _, port = text.partition(":")
        port = ":" + port
    else:
        host = text
    address = address_of(host)
    if address is None:
        return None
    if port and _PORT.fullmatch(port) is None:
        return None
    number = int(port[1:]) if port[1:2].isdigit() else None
    return Node(str(address), number) if number is None or number <= 65535 else None


# node-port = port / obfport (RFC 7239, section 6).
_PORT = re.compile(r":(?:[0-9]{1,5}|_[A-Za-z0-9._-]+)")


def origin(fields: Sequence[Field], trusted: Networks) -> Hop:
    """Who asked, and how, by the word of a trusted proxy that handed these fields on.

    Where the standard field and the older ones name different clients, at least one of them was
    not written by the proxy, and neither is believed.
    """
    standard: list[_Said] = []
    addresses: list[str] = []
    protocols: list[str] = []
    for name, value in fields:
        if name == b"forwarded":
            # A line that makes no sense says nothing, and nothing left of it can be believed.
            found = _elements(value.decode("latin-1"))
            standard = [*standard, *found] if found is not None else [("", "")]
        elif name == b"x-forwarded-for":
            addresses += [part.strip() for part in value.decode("latin-1").split(",")]
        elif name == b"x-forwarded-proto":
            protocols += [part.strip() for part in value.decode("latin-1").split(",")]
    if len(protocols) == len(addresses):
        older = list(zip(addresses, protocols, strict=True))
    else:
        # The nearest proxy wrote the last one, of whoever asked it or on behalf of the client.
        last = protocols[-1] if protocols else ""
        older = [(text, last) for text in addresses or [""]]
    return _agreed(_walk(standard, trusted), _walk(older, trusted))


def _walk(hops: Sequence[_Said], trusted: Networks) -> Hop:
    """The last hop, from the end, that somebody trusted has written.

    A client can have sent thousands ahead of those that the proxies add: they are not looked at.
    """
    node: Node | None = None
    secure: bool | None = None
    for text, protocol in hops[: -MOST_HOPS - 1 : -1]:
        secure = _secure(protocol)
        found = node_of(text)
        if found is None:
            break
        node = found
        if not trusted.has(node.host):
            break
    return Hop(node, secure)


def _agreed(one: Hop, other: Hop) -> Hop:
    if one.node is not None and other.node is not None and one.node.host != other.node.host:
        return _NOTHING
    node = other.node if one.node is None else one.node
    secure = other.secure if one.secure is None else one.secure
    if one.secure is not None and other.secure is not None and one.secure != other.secure:
        secure = None
    return Hop(node, secure)


def _secure(protocol: str) -> bool | None:
    return {"https": True, "http": False}.get(protocol.lower())


# forwarded-element = [ forwarded-pair ] *( ";" [ forwarded-pair ] ); forwarded-pair = token "="
# value; value = token / quoted-string (RFC 7239, section 4).  Blanks around the separators of the
# list are allowed (RFC 9110, section 5.6.1), those around ";" are common.
_PAIR = re.compile(
    r"[ \t]*+([!#$%&'*+\-.^_`|~0-9A-Za-z]++)="
    r'(?:([!#$%&\'*+\-.^_`|~0-9A-Za-z:\[\]]++)|"([^"\\]*+(?:\\.[^"\\]*+)*)")[ \t]*+'
)
_ESCAPED = re.compile(r"\\(.)")
_BLANKS = re.compile(r"[ \t]+")


def _elements(value: str) -> list[_Said] | None:
    """The elements of one field line; None when it is none."""
    hops: list[_Said] = []
    pairs: dict[str, str] = {}
    position = 0
    while True:
        found = _PAIR.match(value, position)
        if found is not None:
            name, token, quoted = found.groups()
            name = name.lower()
            if name in pairs:
                return None
            pairs[name] = token if quoted is None else _ESCAPED.sub(r"\1", quoted)
            position = found.end()
        else:
            blanks = _BLANKS.match(value, position)
            position = position if blanks is None else blanks.end()
        if position < len(value) and value[position] not in ",;":
            return None
        if position == len(value) or value[position] == ",":
            if pairs:
                hops.append((pairs.get("for", ""), pairs.get("proto", "")))
                pairs = {}
            if position == len(value):
                return hops
        position += 1
