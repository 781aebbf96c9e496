"""Byte ranges: RFC 9110 section 14, and the ranges of a copy source.

A range here is (offset of the first byte, number of bytes).
"""

from __future__ import annotations

import re

from s3daemon.wire.errors import InvalidArgument, InvalidRange

# range-unit names are case-insensitive; ows may stand around the one int-range or suffix-range.
# No size has more than 20 digits, so a number of more than 64 is taken for garbage.
_RANGE = re.compile(r"bytes=[ \t]*([0-9]{0,64})-([0-9]{0,64})[ \t]*", re.IGNORECASE)
_COPY_RANGE = re.compile(r"bytes=([0-9]{1,64})-([0-9]{1,64})")

_COPY_SOURCE_RANGE = "x-amz-copy-source-range"


def resolve(value: str, size: int) -> tuple[int, int] | None:
    """What a Range field asks of an object of ``size`` bytes; None for all of it.

    RFC 9110 lets a server ignore any Range, and tells it to ignore a malformed one.  S3 ignores a
    request for several ranges too and sends the whole object.

    :raises InvalidRange: 416: the range begins at or after the end.
    """
    found = _RANGE.fullmatch(value)
    if found is None:
        return None
    first_text, last_text = found.groups()
    if not first_text:
        if not last_text:
            return None
        length = min(int(last_text), size)
        if not length:
            raise _unsatisfiable(value, size)
        return size - length, length
    first = int(first_text)
    if last_text and int(last_text) < first:
        return None
    if first >= size:
        raise _unsatisfiable(value, size)
    last = min(int(last_text), size - 1) if last_text else size - 1
    return first, last - first + 1


def content_range(first: int, length: int, size: int) -> str:
    """The Content-Range of a part of an object; ``length`` is at least 1."""
    return f"bytes {first}-{first + length - 1}/{size}"


def parse_copy_source(value: str) -> tuple[int, int]:
    """First and last byte of an ``x-amz-copy-source-range``: only ``bytes=first-last``.

    Source: S3 API reference, UploadPartCopy.

    :raises InvalidArgument: any other form.
    """
    found = _COPY_RANGE.fullmatch(value)
    if found is None or int(found[1]) > int(found[2]):
        raise InvalidArgument(
            "The x-amz-copy-source-range value must be of the form bytes=first-last where first "
            "and last are the zero-based offsets of the first and last bytes to copy",
            detail={"ArgumentName": _COPY_SOURCE_RANGE, "ArgumentValue": value},
        )
    return int(found[1]), int(found[2])


def resolve_copy_source(first: int, last: int, size: int) -> tuple[int, int]:
    """The part of a source of ``size`` bytes; unlike a GET it is never clipped.

    :raises InvalidRange: it reaches beyond the end.
    """
    if last >= size:
        raise _unsatisfiable(f"bytes={first}-{last}", size)
    return first, last - first + 1


def _unsatisfiable(value: str, size: int) -> InvalidRange:
    return InvalidRange(
        detail={"ActualObjectSize": str(size), "RangeRequested": value},
        headers={"Content-Range": f"bytes */{size}"},
    )
