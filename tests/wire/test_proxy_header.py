"""PROXY headers, whole and in pieces."""

from __future__ import annotations

import ipaddress
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from s3daemon.wire.proxy_header import ProxyHeader, ProxyHeaderError, parse

SIGNATURE = b"\r\n\r\n\x00\r\nQUIT\n"
_GOOD = b"PROXY TCP4 192.0.2.1 10.0.0.1 56324 443\r\n"


def v2(command: int, family: int, rest: bytes, length: int | None = None) -> bytes:
    size = len(rest) if length is None else length
    return SIGNATURE + bytes([command, family]) + struct.pack("!H", size) + rest


def addresses(source: str, destination: str = "10.0.0.1", port: int = 56324) -> bytes:
    packed = ipaddress.ip_address(source).packed + ipaddress.ip_address(destination).packed
    return packed + struct.pack("!2H", port, 443)


WHOLE = [
    (_GOOD, "192.0.2.1", 56324),
    (b"PROXY TCP6 2001:db8::1 ::1 1 2\r\n", "2001:db8::1", 1),
    (b"PROXY TCP6 2001:DB8:0:0:0:0:0:1 ::1 0 65535\r\n", "2001:db8::1", 0),
    (b"PROXY UNKNOWN\r\n", None, 0),
    (b"PROXY UNKNOWN ffff:f...f:ffff anything 65535 65535\r\n", None, 0),
    (v2(0x21, 0x11, addresses("192.0.2.1")), "192.0.2.1", 56324),
    (v2(0x21, 0x11, addresses("192.0.2.1") + b"\x04\x00\x03tlv"), "192.0.2.1", 56324),
    (v2(0x21, 0x21, addresses("2001:db8::1", "::1")), "2001:db8::1", 56324),
    (v2(0x20, 0x00, b""), None, 0),
    (v2(0x20, 0x11, addresses("192.0.2.1")), None, 0),
    (v2(0x20, 0xFF, b"x" * 700), None, 0),
    (v2(0x21, 0x00, b"tlvs"), None, 0),
    (v2(0x21, 0x31, b"\0" * 216), None, 0),
    (v2(0x21, 0x11, addresses("192.0.2.1") + bytes(65523)), "192.0.2.1", 56324),
]


@pytest.mark.parametrize("rest", [b"", b"GET / HTTP/1.1\r\n", b"\x16\x03\x01", SIGNATURE])
@pytest.mark.parametrize(("data", "host", "port"), WHOLE)
def test_headers(data: bytes, host: str | None, port: int, rest: bytes) -> None:
    assert parse(data + rest) == ProxyHeader(host, port, len(data))


@pytest.mark.parametrize("data", [data for data, _, _ in WHOLE if len(data) < 1000])
def test_every_beginning_waits_for_the_rest(data: bytes) -> None:
    for size in range(len(data)):
        assert parse(data[:size]) is None


@pytest.mark.parametrize(
    "data",
    [
        b"GET / HTTP/1.1\r\n",
        b"P\r\n",
        b"PROXX",
        b"proxy TCP4 192.0.2.1 10.0.0.1 1 2\r\n",
        b"\r\n\r\nGET",
        b"\x16\x03\x01\x02\x00",
        b"PROXY \r\n",
        b"PROXY TCP4\r\n",
        b"PROXY TCP5 192.0.2.1 10.0.0.1 1 2\r\n",
        b"PROXY TCP4 192.0.2.1 10.0.0.1 1\r\n",
        b"PROXY TCP4 192.0.2.1 10.0.0.1 1 2 3\r\n",
        b"PROXY TCP4  192.0.2.1 10.0.0.1 1 2\r\n",
        b"PROXY TCP4 192.0.2.1 10.0.0.1 1 2 \r\n",
        b"PROXY TCP4 192.0.2.1 10.0.0.1 01 2\r\n",
        b"PROXY TCP4 192.0.2.1 10.0.0.1 65536 2\r\n",
        b"PROXY TCP4 192.0.2.1 10.0.0.1 1 65536\r\n",
        b"PROXY TCP4 192.0.2.1 10.0.0.1 -1 2\r\n",
        b"PROXY TCP4 192.0.2.300 10.0.0.1 1 2\r\n",
        b"PROXY TCP4 2001:db8::1 ::1 1 2\r\n",
        b"PROXY TCP4 192.0.2.1 x 1 2\r\n",
        b"PROXY TCP6 192.0.2.1 10.0.0.1 1 2\r\n",
        b"PROXY TCP6 fe80::1%eth0 ::1 1 2\r\n",
        b"PROXY TCP4 192.0.2.1\n10.0.0.1 1 2\r\n",
        b"PROXY UNKNOWN\n\r\n",
        b"PROXY UNKNOWNS\r\n",
        b"PROXY UNKNOWN " + b"x" * 93,
        v2(0x11, 0x11, addresses("192.0.2.1")),
        v2(0x22, 0x11, addresses("192.0.2.1")),
        v2(0x21, 0x12, addresses("192.0.2.1")),
        v2(0x21, 0x41, addresses("192.0.2.1")),
        v2(0x21, 0x11, addresses("192.0.2.1")[:-1]),
        v2(0x21, 0x21, addresses("192.0.2.1")),
    ],
)
def test_what_is_none(data: bytes) -> None:
    with pytest.raises(ProxyHeaderError):
        parse(data)


def test_the_longest_line_there_may_be() -> None:
    longest = b"PROXY UNKNOWN " + b"x" * 91 + b"\r\n"
    assert len(longest) == 107
    assert parse(longest) == ProxyHeader(None, 0, 107)
    with pytest.raises(ProxyHeaderError, match="does not end"):
        parse(longest[:-2] + b"x\r\n")


@given(st.binary(max_size=40), st.sampled_from([b"", b"PROXY ", b"PROXY TCP4 ", SIGNATURE]))
def test_any_bytes_are_a_header_or_wait_or_are_refused(data: bytes, begin: bytes) -> None:
    try:
        found = parse(begin + data)
    except ProxyHeaderError:
        return
    if found is not None:
        assert 0 < found.size <= len(begin + data)
        assert found.host is None or ipaddress.ip_address(found.host)


@given(st.ip_addresses(), st.integers(0, 65535))
def test_both_versions_say_the_same(address: ipaddress.IPv4Address, port: int) -> None:
    family = address.version
    other = "10.0.0.1" if family == 4 else "::1"
    text = f"PROXY TCP{family} {address} {other} {port} 443\r\n".encode()
    kind = 0x11 if family == 4 else 0x21
    one = parse(text)
    two = parse(v2(0x21, kind, addresses(str(address), other, port)))
    assert one is not None
    assert two is not None
    assert (one.host, one.port) == (two.host, two.port) == (str(address), port)
