"""The header of the PROXY protocol: how a balancer that hands on a connection says whose it is.

Source: "The PROXY protocol, versions 1 & 2" (HAProxy, doc/proxy-protocol.txt), sections 2.1 and
2.2.  It comes before everything else on a connection, before TLS too.
"""

from __future__ import annotations

import ipaddress
import re

import attrs

_SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"

#: The longest header of version 1, with its line end (section 2.1).
_LONGEST_LINE = 107

# Section 2.1: one blank between the parts, numbers without leading zeros.
_LINE = re.compile(
    rb"PROXY (?:UNKNOWN(?: [\x20-\x7e]*)?|"
    rb"(TCP[46]) ([0-9A-Fa-f:.]+) ([0-9A-Fa-f:.]+) (0|[1-9][0-9]{0,4}) (0|[1-9][0-9]{0,4}))"
)

#: Family and transport -> bytes of an address; those of a stream only.
_SIZES = {0x11: 4, 0x21: 16}


class ProxyHeaderError(ValueError):
    """This is not how a connection from a balancer begins."""


@attrs.frozen
class ProxyHeader:
    """Whose connection it is.

    :ivar host: the client's address; None when the balancer speaks for itself, or does not know.
    :ivar port: the client's port.
    :ivar size: bytes of the header.
    """

    host: str | None
    port: int
    size: int


def parse(data: bytes) -> ProxyHeader | None:
    """The header that ``data`` begins with; None when some of it has still to come.

    At most 64 KiB are asked for, which the format itself says.

    :raises ProxyHeaderError: it begins with something else.
    """
    if data.startswith(_SIGNATURE):
        return _binary(data)
    if data.startswith(b"PROXY "):
        return _line(data)
    if _SIGNATURE.startswith(data) or b"PROXY ".startswith(data):
        return None
    raise ProxyHeaderError("the connection does not begin with a PROXY header")


def _line(data: bytes) -> ProxyHeader | None:
    end = data.find(b"\r\n", 0, _LONGEST_LINE)
    if end < 0:
        if len(data) < _LONGEST_LINE:
            return None
        raise ProxyHeaderError("the PROXY header does not end")
    found = _LINE.fullmatch(data, 0, end)
    if found is None:
        raise ProxyHeaderError("the PROXY header is malformed")
    family, source, destination, source_port, destination_port = found.groups()
    if family is None:
        return ProxyHeader(None, 0, end + 2)
    kind = ipaddress.IPv4Address if family == b"TCP4" else ipaddress.IPv6Address
    try:
        host = str(kind(source.decode("ascii")))
        kind(destination.decode("ascii"))
    except ValueError:
        raise ProxyHeaderError("the PROXY header has an address that is none") from None
    if int(source_port) > 65535 or int(destination_port) > 65535:
        raise ProxyHeaderError("the PROXY header has a port that is none")
    return ProxyHeader(host, int(source_port), end + 2)


def _binary(data: bytes) -> ProxyHeader | None:
    if len(data) < 16:
        return None
    command, family, length = data[12], data[13], int.from_bytes(data[14:16], "big")
    if command not in (0x20, 0x21):
        raise ProxyHeaderError("the PROXY header has a version or command that is not known")
    if len(data) < 16 + length:
        return None
    end = 16 + length
    if command == 0x20 or family in (0x00, 0x31):
        # LOCAL, as in health checks; or of a family that has no addresses for us.  What follows is
        # to be skipped.
        return ProxyHeader(None, 0, end)
    size = _SIZES.get(family)
    if size is None:
        raise ProxyHeaderError("the PROXY header is for a protocol that is not known")
    if length < 2 * size + 4:
        raise ProxyHeaderError("the PROXY header is too short for its addresses")
    host = ipaddress.ip_address(data[16 : 16 + size])
    port = data[16 + 2 * size : 18 + 2 * size]
    return ProxyHeader(str(host), int.from_bytes(port, "big"), end)
