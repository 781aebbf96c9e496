"""The canonical request: what a signature of version 4 is made over.

Source: S3 API reference, "Signature calculations for the Authorization header: transferring payload
in a single chunk", task 1.  S3 encodes the path once and does not normalise it: ``//``, ``.`` and
``..`` stay.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from urllib.parse import quote, unquote_to_bytes

#: RFC 3986 section 2.3, and what else of a path or of a pair is left as it is.
_PLAIN_PATH = re.compile(rb"[A-Za-z0-9._~/-]*")
_PLAIN = re.compile(rb"[A-Za-z0-9._~-]*")

#: Fields that have to be signed when they are sent, besides ``x-amz-*``.
_TO_BE_SIGNED = (b"host", b"content-md5")

#: Stands in the last line of the canonical request, and so needs not be among the fields.
_PAYLOAD_FIELD = b"x-amz-content-sha256"

#: What a client signs that asks for 100 Continue, should a proxy in between have dealt with it.
_EXPECT = b"100-continue"


def requests(
    method: str,
    path: bytes,
    query: bytes,
    fields: Sequence[tuple[bytes, bytes]],
    signed: bytes,
    payload: str,
) -> Iterator[bytes]:
    """The canonical request; then what clients sign instead that differ from S3's description.

    Those are: the path as it is sent although S3 would encode it otherwise, and the host in lower
    case although it is sent in another.  Each of them stands for the same request and no other.

    :param path: as in the request line.
    :param query: canonical already.
    :param signed: names of header fields, separated by semicolons.
    :param payload: the value of x-amz-content-sha256, or what is signed in its place.
    """
    values = _values(fields, signed)
    for host in _hosts(values):
        if host is not None:
            values[b"host"] = host
        lines = [name + b":" + values[name] for name in signed.split(b";")]
        for uri in _uris(path):
            yield b"\n".join(
                (method.encode("latin-1"), uri, query, *lines, b"", signed, payload.encode())
            )


def _uris(path: bytes) -> Iterator[bytes]:
    if _PLAIN_PATH.fullmatch(path) is not None:
        yield path
        return
    encoded = quote(unquote_to_bytes(path)).encode("ascii")
    yield encoded
    if encoded != path:
        yield path


def _hosts(values: dict[bytes, bytes]) -> Iterator[bytes | None]:
    """None: as it is."""
    yield None
    host = values.get(b"host", b"")
    if host != host.lower():
        yield host.lower()


def _values(fields: Sequence[tuple[bytes, bytes]], signed: bytes) -> dict[bytes, bytes]:
    """Signed name -> its trimmed values, joined by commas in the order sent."""
    values: dict[bytes, bytes] = dict.fromkeys(signed.split(b";"), b"")
    seen = set()
    for name, value in fields:
        if name in values:
            if b"  " in value or b"\t" in value:
                value = b" ".join(value.split())
            values[name] = values[name] + b"," + value if name in seen else value
            seen.add(name)
    if b"expect" in values and b"expect" not in seen:
        values[b"expect"] = _EXPECT
    return values


def query_of(raw: bytes, presigned: bool) -> bytes:
    """The canonical query: names and values encoded, sorted by name and then by value.

    :param raw: as in the request line, without the question mark.
    :param presigned: X-Amz-Signature is not part of what it signs.
    """
    if not raw:
        return b""
    pairs = []
    for pair in raw.split(b"&"):
        raw_name, _, raw_value = pair.partition(b"=")
        name, value = _encoded(raw_name), _encoded(raw_value)
        if (name or value) and not (presigned and name.lower() == b"x-amz-signature"):
            pairs.append((name, value))
    pairs.sort()
    return b"&".join([name + b"=" + value for name, value in pairs])


def _encoded(raw: bytes) -> bytes:
    if _PLAIN.fullmatch(raw) is not None:
        return raw
    return quote(unquote_to_bytes(raw.replace(b"+", b" ")), safe="").encode("ascii")


def unsigned_fields(fields: Sequence[tuple[bytes, bytes]], signed: bytes) -> list[bytes]:
    """Names of fields that are sent, have to be signed, and are not; sorted.

    :param signed: names of header fields, separated by semicolons.
    """
    names = frozenset(signed.split(b";"))
    return sorted(
        {
            name
            for name, _ in fields
            if name not in names
            and (name in _TO_BE_SIGNED or (name[:6] == b"x-amz-" and name != _PAYLOAD_FIELD))
        }
    )
