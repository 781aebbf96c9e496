"""Which bucket and key a request is about, read from the raw target.

Sources: RFC 9112 section 3.2 (forms of a target); RFC 3986 sections 2.1 and 3.3; S3 user guide,
"Virtual hosting of general purpose buckets".

A key is any text: it is percent-decoded exactly once and nothing else is done to it.  Slashes are
not merged, ``.`` and ``..`` are segments like others, ``+`` is a plus.  Where two readers could
take one target for two keys, policy and storage would disagree.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from urllib.parse import unquote_to_bytes

import attrs

from s3daemon.wire.awschunked import is_aws_chunked
from s3daemon.wire.errors import InvalidArgument, InvalidBucketName, InvalidURI, KeyTooLongError
from s3daemon.wire.message import Personality, S3Request

#: The longest key, in bytes of UTF-8 (S3 user guide, "Naming objects").
MAX_KEY = 1024

_BAD_ESCAPE = re.compile(rb"%(?![0-9A-Fa-f]{2})")
_ABSOLUTE = re.compile(rb"[A-Za-z][A-Za-z0-9+.-]*://([^/?#]+)")
_LENGTH = re.compile(r"[0-9]{1,18}")
#: A checksum of the body, or which one there is; not what else begins like this.
_CHECKSUM = re.compile(
    "x-amz-sdk-checksum-algorithm|x-amz-checksum-(?!mode|type|algorithm)[a-z0-9]+"
)

#: Parameters of a signature, in lower case; other ``x-amz-`` parameters stand for header fields.
_SIGNING = frozenset(
    {
        "x-amz-algorithm",
        "x-amz-credential",
        "x-amz-date",
        "x-amz-expires",
        "x-amz-signedheaders",
        "x-amz-signature",
    }
)


def _base(path: str) -> str:
    return path.rstrip("/")


@attrs.frozen
class Endpoint:
    """A place where S3 is served.

    :ivar base: the path in front of the bucket: ``/api/v1/s3``, or "" (``/`` is the same).
    :ivar personality: which S3 it shows.
    """

    base: str = attrs.field(converter=_base)
    personality: Personality
    _raw: bytes = attrs.field(init=False, eq=False, repr=False)

    @base.validator
    def _check(self, attribute: object, value: str) -> None:
        if value and not value.startswith("/"):
            raise ValueError(f"the base path {value!r} does not begin with a slash")

    def __attrs_post_init__(self) -> None:
        object.__setattr__(self, "_raw", self.base.encode())

    def rest(self, path: bytes) -> bytes | None:
        """The raw path below the base, "" or beginning with a slash; None: it is elsewhere."""
        raw = self._raw
        if not raw:
            return path
        if not path.startswith(raw):
            return None
        rest = path[len(raw) :]
        return rest if not rest or rest[0] == 0x2F else None


def split(raw: bytes) -> tuple[bytes, bytes]:
    """Path and query of a target in origin or absolute form, both as they were sent.

    :raises InvalidURI: another form.
    """
    if not raw.startswith(b"/"):
        found = _ABSOLUTE.match(raw)
        if found is None:
            raise InvalidURI
        raw = raw[found.end() :]
        if not raw.startswith(b"/"):
            raw = b"/" + raw  # RFC 9112 section 3.2.1: an empty path is "/"
    path, _, query = raw.partition(b"?")
    return path, query


def request_from(
    method: bytes,
    target: bytes,
    fields: Iterable[tuple[bytes, bytes]],
    endpoints: Sequence[Endpoint],
    domains: Sequence[str] = (),
    secure: bool = False,
    length: int | None = None,
) -> S3Request:
    """The request that this head is.

    :param target: as it stands in the request line.
    :param fields: names in any case; values without the blanks around them.
    :param endpoints: the one with the longest base that fits is meant.
    :param domains: lower case; a Host below one of them is a bucket (virtual-host style), and the
        whole path its key.
    :param length: of the body as it travels: Content-Length; None when there is none.
    :raises InvalidURI: bad escapes, bytes that are not UTF-8, or no endpoint there.
    :raises InvalidBucketName: an empty name before a key, or one with a slash or NUL in it.
    :raises KeyTooLongError, InvalidArgument: a key over 1,024 bytes; NUL in one; a decoded length
        that is no number.
    """
    path, raw_query = split(target)
    headers = _headers(fields)
    query: dict[str, str] = {}
    if raw_query:
        query = _query(raw_query)
        _lift(query, headers)
    host = headers.get("host", "")
    if not target.startswith(b"/"):
        # RFC 9112 section 3.2.2: the authority of an absolute form replaces Host.
        found = _ABSOLUTE.match(target)
        host = found[1].decode("latin-1") if found else host
    bucket = _virtual_bucket(host, domains) if domains else ""
    if bucket:
        endpoint, rest = _below(path, [e for e in endpoints if not e.base] or endpoints)
        raw_key = rest[1:]
    else:
        endpoint, rest = _below(path, endpoints)
        raw_bucket, slash, raw_key = rest[1:].partition(b"/")
        bucket = _decoded(raw_bucket)
        if slash and not bucket:
            raise InvalidBucketName("The name of the bucket is empty.")
    if "/" in bucket or "\0" in bucket:
        raise InvalidBucketName(detail={"BucketName": bucket})
    chunked = is_aws_chunked(headers)
    return S3Request(
        method=method.decode("latin-1"),
        bucket=bucket,
        key=_key(raw_key) if raw_key else "",
        query=query,
        headers=headers,
        personality=endpoint.personality,
        base=endpoint.base,
        host=host,
        secure=secure,
        length=_decoded_length(headers) if chunked else length,
        chunked_body=chunked,
    )


def _below(path: bytes, endpoints: Sequence[Endpoint]) -> tuple[Endpoint, bytes]:
    best: tuple[Endpoint, bytes] | None = None
    for endpoint in endpoints:
        rest = endpoint.rest(path)
        if rest is not None and (best is None or len(rest) < len(best[1])):
            best = endpoint, rest
    if best is None:
        raise InvalidURI("No S3 endpoint is served at this path.")
    return best


def _virtual_bucket(host: str, domains: Sequence[str]) -> str:
    name = host.lower()
    if not name.endswith("]"):
        name = name.partition(":")[0]
    name = name.rstrip(".")
    found = [domain for domain in domains if name.endswith("." + domain)]
    return name[: -len(max(found, key=len)) - 1] if found else ""


def _key(raw: bytes) -> str:
    key = _decoded(raw)
    size = len(key) if key.isascii() else len(key.encode())
    if size > MAX_KEY:
        raise KeyTooLongError(detail={"Size": str(size), "MaxSizeAllowed": str(MAX_KEY)})
    if "\0" in key:
        raise InvalidArgument("A key cannot hold the character NUL.")
    return key


def _decoded(raw: bytes) -> str:
    try:
        if b"%" not in raw:
            return raw.decode()
        if _BAD_ESCAPE.search(raw):
            raise InvalidURI
        return unquote_to_bytes(raw).decode()
    except UnicodeDecodeError:
        raise InvalidURI from None


def _query(raw: bytes) -> dict[str, str]:
    plain = raw.replace(b"+", b" ")
    if b"%" not in raw:
        pairs = [pair.partition("=") for pair in _decoded(plain).split("&")]
    else:
        pairs = [
            (_decoded(name), "", _decoded(value))
            for name, _, value in (pair.partition(b"=") for pair in plain.split(b"&"))
        ]
    query: dict[str, str] = {}
    for name, _, value in pairs:
        if name or value:
            query.setdefault(name, value)
    return query


def _headers(fields: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    headers: dict[str, str] = {}
    for raw_name, raw_value in fields:
        name = raw_name.decode("latin-1").lower()
        value = raw_value.decode("utf-8", "surrogateescape")
        if name in headers:
            value = f"{headers[name]},{value}"
        headers[name] = value
    return headers


def _lift(query: Mapping[str, str], headers: dict[str, str]) -> None:
    """Put ``x-amz-`` parameters among the header fields, where the fields themselves are absent.

    Clients move such fields into the query of a presigned URL, and S3 reads them there; not to
    would store an object without the metadata, or the encryption, that was asked for.

    A checksum there is none that the sender of the body has made: who signs a URL has no body, and
    the SDK for JavaScript puts that of no bytes into it.  S3 does not look at it.
    """
    for name, value in query.items():
        lower = name.lower()
        if lower.startswith("x-amz-") and lower not in _SIGNING and not _CHECKSUM.fullmatch(lower):
            headers.setdefault(lower, value)


def _decoded_length(headers: Mapping[str, str]) -> int | None:
    value = headers.get("x-amz-decoded-content-length")
    if value is None:
        return None
    if not _LENGTH.fullmatch(value):
        raise InvalidArgument(
            "x-amz-decoded-content-length has to be a number of bytes.",
            detail={"ArgumentName": "x-amz-decoded-content-length", "ArgumentValue": value},
        )
    return int(value)
