"""What a client says before its body: heads, framing, targets, and what actions read from them."""

from __future__ import annotations

from urllib.parse import quote

from fuzz import requests
from fuzz.target import Target, promise
from s3daemon.actions import ACTIONS
from s3daemon.http.head import field_lines
from s3daemon.wire import headers, operations
from s3daemon.wire.errors import S3Error
from s3daemon.wire.framing import ChunkedFraming, ChunkLimits, FramingError
from s3daemon.wire.http1 import HeadError, Limits, check_begin, parse_head
from s3daemon.wire.message import S3Request
from s3daemon.wire.target import MAX_KEY, request_from


def _http1_head(data: bytes) -> str:
    try:
        head = parse_head(data, Limits(head=8192, fields=20))
    except HeadError as error:
        promise(error.status in (400, 431, 501, 505) and error.reason, "a refusal says why")
        return f"refused {error.reason[:40]}"
    for size in range(0, len(data), 7):
        check_begin(data[:size], Limits(head=8192, fields=20))
    for name, value in head.fields:
        promise(not set(name) & set(b"\r\n\0: ") and name == name.lower(), "names are tokens")
        promise(not set(value) & set(b"\r\n\0"), "values are lines")
        promise(value == value.strip(b" \t"), "without the blanks around them")
    lines = data.count(b"\n") - 2
    promise(lines <= len(head.fields) <= lines + 1, "each line is a field")
    promise(not (head.chunked and head.length is not None), "one framing")
    written = b"%b %b HTTP/1.%d\r\n%b\r\n" % (
        head.method,
        head.target,
        head.version[1],
        b"".join(b"%b:%b\r\n" % pair for pair in head.fields),
    )
    again = parse_head(written, Limits(head=1 << 20, fields=21))
    promise(again == head, "what was read says the same when it is written")
    return f"head {head.chunked} {head.length is None} {head.keep_alive} {head.expect_continue}"


def _chunked(data: bytes) -> str:
    limits = ChunkLimits(line=64, extensions=256, trailers=256, trailer_fields=4)

    def read(step: int) -> tuple[bytes, bytes | None, object] | str:
        framing, payload = ChunkedFraming(limits), b""
        for at in range(0, len(data), step):
            try:
                pieces, rest = framing.feed(data[at : at + step])
            except FramingError:
                return "refused"
            payload += b"".join(pieces)
            if rest is not None:
                return payload, rest + data[at + step :], framing.trailers
        return payload, None, framing.trailers

    whole = read(max(1, len(data)))
    for step in (1, 2, 3, 7, 64):
        promise(read(step) == whole, "how it is cut does not matter")
    if isinstance(whole, str):
        return whole
    payload, rest, _ = whole
    promise(len(payload) + len(rest or b"") <= len(data), "nothing comes from nowhere")
    return f"whole {rest is not None} {bool(payload)} {bool(whole[2])}"


def _target(data: bytes) -> str:
    host, _, raw = data.partition(b"\n")
    for fields in ([(b"host", host)], []):
        try:
            request = request_from(b"GET", raw, fields, requests.ENDPOINTS, requests.DOMAINS)
        except S3Error as error:
            outcome = f"refused {error.code}"
            continue
        promise("/" not in request.bucket and "\0" not in request.bucket, "a bucket is one name")
        promise(len(request.key.encode()) <= MAX_KEY and "\0" not in request.key, "keys are keys")
        promise(request.bucket or not request.key, "a key is in a bucket")
        outcome = f"{request.base} {bool(request.bucket)} {bool(request.key)} {len(request.query)}"
        if not fields and request.bucket:
            path = f"{request.base}/{quote(request.bucket, safe='')}/{quote(request.key, safe='')}"
            again = request_from(b"GET", path.encode(), [], requests.ENDPOINTS)
            promise((again.bucket, again.key) == (request.bucket, request.key), "decoded once")
    return outcome


def _request(data: bytes) -> str:
    found = requests.read(data)
    if isinstance(found, str):
        return found
    _, request = found
    try:
        name = operations.match(request)
    except S3Error as error:
        promise(not set("\r\n\0") & set("".join(error.headers.values())), "a header is a line")
        return f"no operation {error.code}"
    promise(name in ACTIONS, "what matches is there")
    outcome = name
    # The action that is meant, and all others: which one it is must not be what keeps them safe.
    for action in ACTIONS.values():
        try:
            action.parse(request)
        except S3Error as error:
            if action.name == name:
                outcome = f"{name} {error.code}"
    return outcome


def _headers(data: bytes) -> str:
    found = requests.read(data)
    if isinstance(found, str):
        return found
    _, request = found
    try:
        headers.refuse_unsupported(request)
        overrides = headers.response_overrides(request.query)
    except S3Error as error:
        return f"refused {error.code}"
    return _fields_of(request, overrides)


def _fields_of(request: S3Request, overrides: dict[str, str]) -> str:
    system, metadata = headers.system_attributes(request), headers.user_metadata(request)
    fields = headers.object_fields("e", 10**18, "a/b", system, metadata, 3, overrides)
    lines = field_lines(
        [(name.encode("ascii"), value.encode("utf-8", "surrogateescape")) for name, value in fields]
    )
    promise(lines.count(b"\r\n") == len(fields), "a field is a line")
    head = parse_head(b"GET / HTTP/1.1\r\nHost: h\r\n" + lines + b"\r\n")
    promise(len(head.fields) == len(fields) + 1, "no answer holds a field that nobody meant")
    return f"{sorted(system)} {len(metadata)} {sorted(overrides)}"


TARGETS = (
    Target("http1_head", _http1_head, requests.WORDS, 8192),
    Target("chunked", _chunked, (b"0\r\n\r\n", b"5\r\n", b";x=y\r\n", b"X: y\r\n", b"\r\n"), 1024),
    Target("target", _target, requests.WORDS),
    Target("request", _request, requests.WORDS),
    Target("headers", _headers, requests.WORDS),
)
