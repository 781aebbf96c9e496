"""One head of HTTP/1.1: bytes in, one frozen :class:`Head` or one :class:`HeadError` out.

Two regular expressions do the work.  Where two readers of the same bytes could disagree about
where a message ends, the strict reading of RFC 9112 is the only one: no bare CR or LF, no folded
lines, no blank before a colon, one Host, one length, no second way to give a length.
"""

from __future__ import annotations

import re
from typing import NoReturn

import attrs

#: One field of a head: (name in lower case, value without the blanks around it).
Field = tuple[bytes, bytes]

#: token = 1*tchar (RFC 9110, section 5.6.2).
_TOKEN = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]"

# request-line = method SP request-target SP HTTP-version CRLF (RFC 9112, section 3).  Every method
# there is begins with a letter, so other protocols are known by their first byte.  Bytes above
# 0x7F do not belong in a target, but clients that do not escape send them, and they cannot move
# the end of the line.  A fragment never belongs on the wire.
_REQUEST_LINE = re.compile(
    rb"([A-Za-z]" + _TOKEN + rb"{0,31}) ([\x21\x22\x24-\x7e\x80-\xff]++) HTTP/([0-9])\.([0-9])\r\n"
)

# field-line = field-name ":" OWS field-value OWS CRLF (RFC 9112, section 5; field-value: RFC 9110,
# section 5.5).  The quantifiers of single bytes are possessive, so little is tried twice; those of
# groups are not, since Python 3.11.2 forgets what a possessive group has matched.
_FIELD = re.compile(
    rb"^("
    + _TOKEN
    + rb"++):[ \t]*+((?:[\x21-\x7e\x80-\xff]++(?:[ \t]++[\x21-\x7e\x80-\xff]++)*)?)[ \t]*+\r\n",
    re.MULTILINE,
)

# absolute-form (RFC 9112, section 3.2.2): the authority, then a path or a query or nothing.  User
# information in an authority is refused (RFC 9110, section 4.2.4).
_ABSOLUTE = re.compile(rb"[Hh][Tt][Tt][Pp][Ss]?://([^/?@]+)((?:[/?].*)?)", re.DOTALL)

# uri-host [":" port] (RFC 9110, section 7.2): a name (RFC 3986, section 3.2.2), which may be empty,
# or an address of IPv6.
_HOST = re.compile(rb"(?:[A-Za-z0-9.\-_~%!$&'()*+,;=]*|\[[0-9A-Fa-f:.]+\])(?::[0-9]{0,5})?")

_DIGITS = re.compile(rb"[0-9]{1,19}")

#: The longest body that can be announced: what a signed 64-bit offset can address.
MAX_LENGTH = 2**63 - 1

_FRAMING = frozenset({b"host", b"content-length", b"transfer-encoding", b"connection", b"expect"})


class HeadError(Exception):
    """This is not a head anybody should act upon.

    :ivar status: the HTTP status to answer with; the connection is closed after it.
    :ivar reason: what is wrong, for the client.
    """

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason


@attrs.frozen
class Limits:
    """How big a head may be.

    :ivar head: bytes, from the request line to the empty line.  S3 allows 2 KB of user metadata
        and 1,024 bytes of key, which percent-encoding triples; signed URLs are long too.
    :ivar fields: field lines.
    """

    head: int = 65536
    fields: int = 100


@attrs.frozen
class Head:
    """A request head that has one meaning only.

    :ivar method: as sent; methods are case-sensitive.
    :ivar target: path and query as sent (origin-form), or ``*``.  Of an absolute-form the scheme
        and the authority are taken off.
    :ivar version: (1, 0) or (1, 1).
    :ivar fields: in the order sent.
    :ivar host: the Host field, or the authority of an absolute-form target, which overrules it
        (RFC 9112, section 3.2.2); None only on HTTP/1.0.
    :ivar length: the Content-Length, or None when there is none.
    :ivar chunked: the body comes in chunks.
    :ivar keep_alive: the client wants to go on with this connection.
    :ivar expect_continue: the client waits for ``100 Continue`` before it sends the body.
    """

    method: bytes
    target: bytes
    version: tuple[int, int]
    fields: list[Field]
    host: bytes | None
    length: int | None
    chunked: bool
    keep_alive: bool
    expect_continue: bool


_DEFAULT_LIMITS = Limits()


def parse_head(data: bytes, limits: Limits = _DEFAULT_LIMITS) -> Head:
    """Read one complete head: request line, fields, and the empty line, and nothing after it.

    :raises HeadError: for anything else.
    """
    if len(data) > limits.head:
        raise too_large(limits)
    line = _REQUEST_LINE.match(data)
    if line is None:
        _refuse_request_line(data)
    method, target, major, minor = line.groups()
    if major != b"1" or minor > b"1":
        raise HeadError(505, "This server speaks HTTP/1.1.")
    version = (1, 1) if minor == b"1" else (1, 0)
    found = _FIELD.findall(data, line.end())
    # Every match is a whole line, since no value holds a line feed: with as many matches as line
    # feeds, less those of the request line and the empty line, no line was passed over.
    if len(found) != data.count(b"\n") - 2 or not data.endswith(b"\r\n\r\n"):
        _refuse_fields(data)
    if len(found) > limits.fields:
        raise HeadError(431, f"Your request has more than {limits.fields} header fields.")

    fields = [(name.lower(), value) for name, value in found]
    host: bytes | None = None
    length: int | None = None
    chunked = False
    keep_alive = version == (1, 1)
    expect = options = False
    for name, value in [field for field in fields if field[0] in _FRAMING]:
        if name == b"host":
            if host is not None:
                raise HeadError(400, "Your request has more than one Host header.")
            if _HOST.fullmatch(value) is None:
                raise HeadError(400, "The Host header of your request is not a host.")
            host = value
        elif name == b"content-length":
            length = _content_length(value, length)
        elif name == b"transfer-encoding":
            if chunked or value.lower() != b"chunked":
                raise HeadError(
                    501, "A Transfer-Encoding other than a single chunked is not implemented."
                )
            chunked = True
        elif name == b"expect":
            # RFC 9110, section 10.1.1: 417 is a MAY for what nobody knows; S3 passes over it.
            expect = value.lower() == b"100-continue"
        else:
            options = True
    if chunked and length is not None:
        raise HeadError(400, "Your request has both a Content-Length and a Transfer-Encoding.")
    if chunked and version == (1, 0):
        raise HeadError(400, "HTTP/1.0 has no Transfer-Encoding.")
    if options:
        keep_alive = _keep_alive(fields, version)
    # RFC 9112, section 3.2: also where the target names a host.
    if host is None and version == (1, 1):
        raise HeadError(400, "Your request has no Host header.")
    if target[0] != 0x2F:  # "/"
        target, host = _other_form(method, target, host, fields)
    return Head(
        method,
        target,
        version,
        fields,
        host,
        length,
        chunked,
        keep_alive,
        # RFC 9110, section 10.1.1: an expectation in an HTTP/1.0 request is ignored.
        expect and version == (1, 1),
    )


def check_begin(data: bytes, limits: Limits = _DEFAULT_LIMITS, checked: int = 0) -> None:
    """Refuse an incomplete head that can never become a good one.

    :param checked: so many bytes of it were found good before.
    :raises HeadError: it is too long already, or not HTTP.
    """
    if len(data) >= limits.head:
        raise too_large(limits)
    if data and not data[:1].isalpha():
        raise HeadError(400, "This is not an HTTP request.")
    if data.count(b"\n", checked) != data.count(b"\r\n", max(0, checked - 1)):
        raise HeadError(400, "A line of your request does not end with CR LF.")
    # Who speaks HTTP/0.9, or something else, hears of it after one line and not after a time-out.
    if 0 <= data.find(b"\n", checked) == data.find(b"\n") and _REQUEST_LINE.match(data) is None:
        _refuse_request_line(data)


def too_large(limits: Limits) -> HeadError:
    """The refusal of a head over the limit."""
    return HeadError(431, f"The header section of your request is longer than {limits.head} bytes.")


def _content_length(value: bytes, earlier: int | None) -> int:
    # RFC 9112, section 6.3, lets a recipient accept identical repeated values; whoever stands in
    # front may not, so they are refused.
    if earlier is not None:
        raise HeadError(400, "Your request has more than one Content-Length.")
    if _DIGITS.fullmatch(value) is None or (length := int(value)) > MAX_LENGTH:
        raise HeadError(400, "The Content-Length of your request is not a number of bytes.")
    return length


def _keep_alive(fields: list[Field], version: tuple[int, int]) -> bool:
    """RFC 9112, section 9.3."""
    values = b",".join(value for name, value in fields if name == b"connection")
    options = {option.strip(b" \t") for option in values.lower().split(b",")}
    return b"close" not in options and (version == (1, 1) or b"keep-alive" in options)


def _other_form(
    method: bytes, target: bytes, host: bytes | None, fields: list[Field]
) -> tuple[bytes, bytes | None]:
    """A target that is not in origin-form: what it means, and the host it is meant for."""
    if target == b"*":
        if method != b"OPTIONS":
            raise HeadError(400, "Only OPTIONS has the target *.")
        return target, host
    absolute = _ABSOLUTE.fullmatch(target)
    if absolute is None or _HOST.fullmatch(absolute[1]) is None:
        raise HeadError(400, "The target of your request is neither a path nor a URL.")
    authority, path = absolute.groups()
    if host is None:
        fields.append((b"host", authority))
    for index, (name, _) in enumerate(fields):
        if name == b"host":
            fields[index] = (name, authority)
    return (path if path.startswith(b"/") else b"/" + path), authority


def _refuse_request_line(data: bytes) -> NoReturn:
    line = data[: data.find(b"\n") + 1] or data
    if not line.endswith(b"\r\n"):
        raise HeadError(400, "A line of your request does not end with CR LF.")
    raise HeadError(400, "The request line is not METHOD target HTTP/1.1.")


def _refuse_fields(data: bytes) -> NoReturn:
    if not data.endswith(b"\r\n\r\n") or data.count(b"\n") != data.count(b"\r\n"):
        raise HeadError(400, "A line of your request does not end with CR LF.")
    raise HeadError(400, "A header of your request is not of the form name: value.")
