"""Single header fields and parameters with a grammar of their own."""

from __future__ import annotations

from fuzz import requests
from fuzz.target import Target, promise
from s3daemon.actions import copy_source, tokens
from s3daemon.wire import bucket_names, conditional, dates, ranges, tagging
from s3daemon.wire.errors import S3Error


def _ranges(data: bytes) -> str:
    text = data.decode("utf-8", "surrogateescape")
    outcome = "refused"
    for size in (0, 1, 10, 5 * 1024**4):
        try:
            found = ranges.resolve(text, size)
        except S3Error as error:
            outcome = error.code
            continue
        if found is not None:
            first, length = found
            promise(0 <= first < first + length <= size, "a range is within the object")
            outcome = f"{size} {first > 0} {first + length < size}"
        try:
            first, last = ranges.parse_copy_source(text)
            first, length = ranges.resolve_copy_source(first, last, size)
            promise(0 <= first < first + length <= size, "a range is within the source")
        except S3Error:
            continue
    return outcome


def _conditional(data: bytes) -> str:
    found = requests.read(b"PUT /bucket/key HTTP/1.1\n" + data)
    if isinstance(found, str):
        return found
    outcome = ""
    for prefix in ("", "x-amz-copy-source-"):
        conditions = conditional.parse(found[1], prefix)
        if conditions is None:
            outcome += "none "
            continue
        for check in (conditions.check, conditions.check_source):
            try:
                check("0123456789abcdef0123456789abcdef", 10**18)
                outcome += "holds "
            except S3Error as error:
                promise(error.status in (304, 412), "a condition that fails is one of two things")
                outcome += f"{error.status} "
    value = found[1].headers.get("if-range", "")
    return f"{outcome}{conditional.if_range_holds(value, 'e', 10**18)}"


def _copy_source(data: bytes) -> str:
    request = requests.field(b"x-amz-copy-source", data)
    if isinstance(request, str):
        return request
    try:
        source = copy_source.parse(request)
    except S3Error as error:
        return error.code
    promise(source.bucket and source.key and "/" not in source.bucket, "a bucket and a key")
    return f"{source.key.count('/')}"


def _tagging(data: bytes) -> str:
    text = data.decode("utf-8", "surrogateescape")
    try:
        tags = tagging.parse_header(text)
    except S3Error as error:
        return error.code
    promise(len(tags) <= 10 and len({key for key, _ in tags}) == len(tags), "few, and each once")
    said = tagging.parse_document(tagging.render(tags))
    promise(said == tuple(sorted(tags)), "they can be said back")
    return f"{len(tags)}"


def _tokens(data: bytes) -> str:
    text = data.decode("utf-8", "surrogateescape")
    try:
        after = tokens.decode(text)
    except S3Error as error:
        return error.code
    promise(tokens.decode(tokens.encode(after)) == after, "a token says a place")
    return "token"


def _dates(data: bytes) -> str:
    text = data.decode("utf-8", "surrogateescape")
    http, basic = dates.parse_http_date(text), dates.parse_basic(text)
    if http is not None:
        promise(abs(http) < 10**12, "a date is within the calendar")
    if basic is not None:
        promise(dates.basic(basic) == text, "one way to write it")
    return f"{http is not None} {basic is not None}"


def _bucket_name(data: bytes) -> str:
    text = data.decode("utf-8", "surrogateescape")
    outcome = ""
    for strict in (True, False):
        try:
            bucket_names.check(text, strict=strict)
            outcome += "good "
        except S3Error as error:
            outcome += error.code
    promise(not outcome.startswith("good") or outcome == "good good ", "strict is stricter")
    return outcome


_DATES = (b"Mon, 01 Jan 2024 00:00:00 GMT", b"20240101T000000Z", b"Monday, ", b" GMT", b"-0", b"60")
_TAGS = (b'"', b'W/"', b"*", b", ", b'"0123456789abcdef0123456789abcdef"')
_NAMES = (b"If-Match: ", b"If-None-Match: ", b"If-Range: ", b"x-amz-copy-source-if-match: ")

TARGETS = (
    Target("ranges", _ranges, (b"bytes=", b"-", b",", b"0-0", b"9" * 30), 256),
    Target("conditional", _conditional, (*_DATES, *_TAGS, *_NAMES), 1024),
    Target("copy_source", _copy_source, (b"/b/k", b"?versionId=", b"null", b"%2F", b"%C3%A9")),
    Target("tagging", _tagging, (b"a=b", b"&", b"=", b"%20", b"aws:", b"\xc3\xa9"), 8192),
    Target("tokens", _tokens, (b"=", b"-", b"_", b"AAAA"), 2048),
    Target("dates", _dates, _DATES, 64),
    Target("bucket_name", _bucket_name, (b"xn--", b"-s3alias", b"192.168.0.1", b".", b":"), 256),
)
