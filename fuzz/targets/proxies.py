"""What balancers say of their clients."""

from __future__ import annotations

from fuzz import requests
from fuzz.target import Target, promise
from s3daemon.wire import forwarded, proxy_header

_TRUSTED = forwarded.Networks(["10.0.0.0/8", "fd00::/8", "unix"])


def _forwarded(data: bytes) -> str:
    found = requests.read(b"GET / HTTP/1.1\n" + data)
    if isinstance(found, str):
        return found
    told = forwarded.origin(found[0].fields, _TRUSTED)
    if told.node is None:
        return f"nobody {told.secure}"
    shown = str(told.node)
    promise(shown.isascii() and shown.isprintable() and " " not in shown, "an address is one word")
    promise(forwarded.address_of(told.node.host) is not None, "an address is one")
    promise(told.node.port is None or 0 <= told.node.port < 65536, "a port is one")
    promise(forwarded.node_of(shown) == told.node, "it can be read again")
    return f"{':' in told.node.host} {told.node.port is None} {told.secure}"


def _proxy_header(data: bytes) -> str:
    def read(text: bytes) -> proxy_header.ProxyHeader | str | None:
        try:
            return proxy_header.parse(text)
        except proxy_header.ProxyHeaderError:
            return "refused"

    whole = read(data)
    if isinstance(whole, proxy_header.ProxyHeader):
        promise(0 < whole.size <= len(data), "it is in what came")
        promise(whole.host is None or forwarded.address_of(whole.host), "an address is one")
        promise(read(data[: whole.size]) == whole, "what follows does not matter")
        for size in range(0, whole.size, 5):
            promise(read(data[:size]) is None, "and nothing is known before its end")
        return f"{whole.host is None} {':' in (whole.host or '')}"
    if whole is None:
        promise(len(data) < 70_000, "it does not wait for ever")
        return "more"
    return whole


TARGETS = (
    Target(
        "forwarded",
        _forwarded,
        (
            *(
                b"Forwarded: ",
                b"for=",
                b"10.0.0.1",
                b'"[2001:db8::1]:80"',
                b";proto=https",
                b";by=",
            ),
            *(b"X-Forwarded-For: ", b"X-Forwarded-Proto: https", b"unknown", b"_x", b", ", b"\n"),
            *(b"192.0.2.7:5", b"::ffff:10.0.0.1", b";host=h", b'"\\"'),
        ),
        1024,
    ),
    Target(
        "proxy_header",
        _proxy_header,
        (
            *(b"PROXY TCP4 192.0.2.7 192.0.2.1 5 80\r\n", b"PROXY UNKNOWN\r\n", b"PROXY TCP6 ::1 "),
            *(b"\r\n\r\n\0\r\nQUIT\n", b"\x21\x11\0\x0c", b"\x20\0\0\0", b"\x21\x21\0\x24"),
        ),
        1024,
    ),
)
