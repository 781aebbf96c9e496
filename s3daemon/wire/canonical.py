"""The canonical request: what a signature of version 4 is made over.

Source: S3 API reference, "Signature calculations for the Authorization header: transferring payload
in a single chunk", task 1.  S3 encodes the path once and does not normalise it: ``//``, ``.`` and
``..`` stay.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from urllib.parse import quote, unquote_to_bytes

import attrs

#: Escapes of what has to be escaped: of everything but letters, digits and ``-._~``.
_ESCAPE = rb"%(?:[0189A-F][0-9A-F]|2[0-9A-CF]|3[A-F]|40|5[B-E]|60|7[BCDF])"

#: What is canonical as it stands: a name or a value; a path, whose slashes are not escaped.
_PLAIN = re.compile(rb"(?:[A-Za-z0-9._~-]|%s)*" % _ESCAPE)
_PLAIN_PATH = re.compile(rb"(?:[A-Za-z0-9._~/-]|(?!%%2F)%s)*" % _ESCAPE)

#: Fields that have to be signed when they are sent, besides ``x-amz-*``.
_TO_BE_SIGNED = frozenset({b"host", b"content-md5"})

#: Stands in the last line of the canonical request, and so needs not be among the fields.
_PAYLOAD_FIELD = b"x-amz-content-sha256"

#: What a client signs that asks for 100 Continue, should a proxy in between have dealt with it.
_EXPECT = b"100-continue"


def signed_fields(
    fields: Sequence[tuple[bytes, bytes]], signed: Sequence[bytes]
) -> tuple[dict[bytes, bytes], list[bytes]]:
    """The header fields that a signature names, and those that it should have named.

    The first go from name to the trimmed values, joined by commas in the order sent, and stand in
    the order of the signature.  The second are names that are sent, have to be signed, and are not.

    :param fields: as sent, names in lower case, values without the blanks around them.
    :param signed: names, in the order of the signature.
    """
    values = dict.fromkeys(signed, b"")
    missing = set(values)
    unsigned = []
    for name, value in fields:
        if name in values:
            if b"  " in value or b"\t" in value:
                value = b" ".join(value.split())
            if name in missing:
                missing.remove(name)
                values[name] = value
            else:
                values[name] += b"," + value
        elif name in _TO_BE_SIGNED or (name[:6] == b"x-amz-" and name != _PAYLOAD_FIELD):
            unsigned.append(name)
    if b"expect" in missing:
        values[b"expect"] = _EXPECT
    return values, unsigned


@attrs.frozen
class Parts:
    """What a canonical request is put together from.

    :ivar path: as in the request line.
    :ivar query: canonical already.
    :ivar fields: name -> value of the fields that are signed, in the order of the signature.
    :ivar signed: the names in the order of the signature, separated by semicolons.
    :ivar payload: the value of x-amz-content-sha256, or what is signed in its place.
    """

    method: str
    path: bytes
    query: bytes
    fields: Mapping[bytes, bytes]
    signed: bytes
    payload: str

    def request(self) -> bytes:
        """The canonical request, as S3 describes it."""
        return self._request(uri_of(self.path), self.fields)

    def others(self) -> Iterator[bytes]:
        """What clients sign instead that differ from S3's description.

        Those are: the path as it is sent although S3 would encode it otherwise, and the host in
        lower case although it is sent in another.  Each stands for the same request and no other.
        """
        uris = [uri_of(self.path)]
        if self.path != uris[0]:
            uris.append(self.path)
        fields = [self.fields]
        host = fields[0].get(b"host", b"")
        if host != host.lower():
            fields.append({**fields[0], b"host": host.lower()})
        forms = [(uri, values) for values in fields for uri in uris]
        for uri, values in forms[1:]:
            yield self._request(uri, values)

    def _request(self, uri: bytes, values: Mapping[bytes, bytes]) -> bytes:
        lines = [name + b":" + value for name, value in values.items()]
        return b"\n".join(
            (
                self.method.encode("latin-1"),
                uri,
                self.query,
                *lines,
                b"",
                self.signed,
                self.payload.encode("ascii"),
            )
        )


def uri_of(path: bytes) -> bytes:
    """The canonical URI: the path decoded once, and encoded.

    :param path: as in the request line.
    """
    if _PLAIN_PATH.fullmatch(path) is not None:
        return path
    return quote(unquote_to_bytes(path)).encode("ascii")


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
