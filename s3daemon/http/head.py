"""The head of an answer as bytes."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from http import HTTPStatus

from twisted.web.http_headers import Headers

from s3daemon.wire.http1 import Field

#: Statuses whose answers have no body (RFC 9112, section 6.3).
NO_BODY = frozenset({204, 304})

CLOSE = b"Connection: close\r\n"
KEEP_ALIVE = b"Connection: keep-alive\r\n"

_STATUS_LINES = {
    status.value: b"HTTP/1.1 %d %b\r\n" % (status.value, status.phrase.encode("ascii"))
    for status in HTTPStatus
}


def status_line(status: int) -> bytes:
    """The first line of an answer."""
    return _STATUS_LINES.get(status) or b"HTTP/1.1 %d -\r\n" % status


def field_lines(fields: Sequence[Field]) -> bytes:
    """The fields as lines.

    A line break or NUL in a value, which would let its author write fields or bodies, becomes a
    blank (RFC 9110, section 5.5).
    """
    lines = b"".join([b"%b: %b\r\n" % field for field in fields])
    if lines.count(b"\n") != len(fields) or lines.count(b"\r") != len(fields) or b"\0" in lines:
        return b"".join([b"%b: %b\r\n" % (_clean(name), _clean(value)) for name, value in fields])
    return lines


def _clean(text: bytes) -> bytes:
    return text.translate(_BLANKED)


_BLANKED = bytes(0x20 if byte in b"\r\n\0" else byte for byte in range(256))


class Stamp:
    """The Date and Server lines, made anew once a second (RFC 9110, section 6.6.1).

    :param wall: seconds since the epoch.
    """

    def __init__(self, server: bytes, wall: Callable[[], float]) -> None:
        self._server = server
        self._wall = wall
        self._second = -1
        self._lines = b""

    def lines(self) -> bytes:
        """Both lines."""
        second = int(self._wall())
        if second != self._second:
            self._second = second
            self._lines = b"Date: %b\r\nServer: %b\r\n" % (http_date(second), self._server)
        return self._lines


_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def http_date(second: int) -> bytes:
    """IMF-fixdate (RFC 9110, section 5.6.7), whatever the locale."""
    at = time.gmtime(second)
    return (
        f"{_DAYS[at.tm_wday]}, {at.tm_mday:02} {_MONTHS[at.tm_mon - 1]} {at.tm_year:04}"
        f" {at.tm_hour:02}:{at.tm_min:02}:{at.tm_sec:02} GMT"
    ).encode("ascii")


def twisted_head(
    status: int, reason: bytes, headers: Headers | Sequence[Field], is_head: bool
) -> tuple[bytes, int | None, bool]:
    """The head that ``twisted.web`` means, without Date, Server, Connection and the empty line.

    :param headers: a list in older versions of Twisted.
    :returns: the bytes; the bytes of body it promises, if it does; and whether the client can
        tell where the body ends.
    """
    fields = (
        [(name, value) for name, values in headers.getAllRawHeaders() for value in values]
        if isinstance(headers, Headers)
        else headers
    )
    kept: list[Field] = []
    length: int | None = None
    delimited = is_head or status in NO_BODY
    for name, value in fields:
        lower = name.lower()
        if lower in _OURS:
            continue
        if lower == b"content-length":
            if not delimited:
                length = int(value)
            delimited = True
        elif lower == b"transfer-encoding":
            delimited = True
        kept.append((name, value))
    first = b"HTTP/1.1 %d %b\r\n" % (status, _clean(reason))
    return first + field_lines(kept), length, delimited


_OURS = frozenset({b"connection", b"date", b"server"})
