"""Whose request it is: the connection's, or whom a trusted proxy names."""

from __future__ import annotations

from typing import Any

import pytest
from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.interfaces import IAddress

from s3daemon.http.origin import Origin, origin_of
from s3daemon.wire.forwarded import Networks

PEER = IPv4Address("TCP", "192.0.2.7", 5555)


def ask(serve: Any, peer: IAddress | None, fields: str, *proxies: str) -> Origin:
    server = serve(trusted=Networks(proxies))
    client = server.connect(peer)
    client.send(f"GET / HTTP/1.1\r\nHost: x\r\n{fields}\r\n".encode())
    (request,) = server.requests
    return origin_of(client.channel, request.head)


@pytest.mark.parametrize(
    ("peer", "name"),
    [
        (None, "192.0.2.7:5555"),
        (IPv4Address("TCP", "203.0.113.9", 5), "203.0.113.9:5"),
        (IPv6Address("TCP", "::1", 5), "[::1]:5"),
        (UNIXAddress("/x"), "unix"),
        (UNIXAddress(None), "unix"),
    ],
)
def test_without_proxies_it_is_the_connection(serve: Any, peer: Any, name: str) -> None:
    assert ask(serve, peer, "") == Origin(name, False)


SAYS = "X-Forwarded-For: 198.51.100.4\r\nX-Forwarded-Proto: https\r\n"


@pytest.mark.parametrize(
    ("peer", "proxies", "origin"),
    [
        (PEER, ["192.0.2.0/24"], Origin("198.51.100.4", True)),
        (PEER, ["10.0.0.0/8"], Origin("192.0.2.7:5555", False)),
        (PEER, [], Origin("192.0.2.7:5555", False)),
        (UNIXAddress(None), ["unix"], Origin("198.51.100.4", True)),
        (UNIXAddress(None), ["192.0.2.0/24"], Origin("unix", False)),
        (IPv6Address("TCP", "::ffff:192.0.2.7", 5), ["192.0.2.7"], Origin("198.51.100.4", True)),
    ],
)
def test_only_trusted_proxies_are_heard(
    serve: Any, peer: Any, proxies: list[str], origin: Origin
) -> None:
    assert ask(serve, peer, SAYS, *proxies) == origin


def test_a_proxy_that_says_nothing_is_the_client(serve: Any) -> None:
    assert ask(serve, PEER, "", "192.0.2.0/24") == Origin("192.0.2.7:5555", False)
