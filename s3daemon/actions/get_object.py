"""GetObject and HeadObject, which differ in the body alone.

https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html
https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadObject.html

The object is opened once: its facts, its conditions and its bytes are those of one version.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress

import attrs

from s3daemon.actions.base import INLINE_BYTES, Action, Answer, Context, Slice
from s3daemon.actions.checksum_fields import checksum_fields
from s3daemon.store.interfaces import Checksum, NoSuchKey, ObjectInfo, Replaced, Unavailable
from s3daemon.wire import conditional, headers, ranges
from s3daemon.wire.conditional import Conditions
from s3daemon.wire.errors import InvalidArgument, InvalidPartNumber, InvalidRequest
from s3daemon.wire.message import Personality, S3Request

_MAX_PARTS = 10_000
#: How often a small object is opened anew that another node has replaced before it was read.
_TRIES = 4


@attrs.frozen
class GetObject:
    """What the head of a GET or HEAD says.

    :ivar range: the Range field; :ivar if_range: the If-Range field.
    :ivar part: the wanted part, None for the whole object.
    :ivar overrides: fields to be replaced in the answer, by lower-case name.
    :ivar folders: a directory that nobody put as an object is a zero-byte object.
    :ivar checksum: the checksum is wanted too.
    """

    bucket: str
    key: str
    content_type: str
    conditions: Conditions | None = None
    range: str | None = None
    if_range: str | None = None
    part: int | None = None
    overrides: Mapping[str, str] = attrs.field(factory=dict)
    folders: bool = False
    checksum: bool = False


def parse(request: S3Request) -> GetObject:
    """Read the head; pure.

    :raises InvalidArgument: partNumber is no number from 1 to 10,000, or a ``response-*`` value is
        no header value.
    :raises InvalidRequest: a Range and a part number.
    :raises NotImplemented: a customer's encryption key.
    """
    fields, query = request.headers, request.query
    headers.refuse_unsupported(request)
    part = _part_number(query["partNumber"]) if "partNumber" in query else None
    wanted = fields.get("range")
    if wanted is not None and part is not None:
        raise InvalidRequest("Cannot specify both Range header and partNumber query parameter")
    return GetObject(
        request.bucket,
        request.key,
        headers.default_content_type(request.personality),
        conditional.parse(request),
        wanted,
        fields.get("if-range"),
        part,
        headers.response_overrides(query) if query else {},
        request.personality is Personality.ALLUXIO,
        fields.get("x-amz-checksum-mode", "").upper() == "ENABLED",
    )


def get(context: Context, wanted: GetObject) -> Answer:
    """The object, or the part of it that is wanted."""
    for _ in range(_TRIES):
        with suppress(Replaced):
            return _get(context, wanted)
    return _get(context, wanted)


def _get(context: Context, wanted: GetObject) -> Answer:
    """One try.  :raises Replaced: another node has put a newer version in its place meanwhile."""
    reader = context.open(context.look_up(wanted.bucket), wanted.key)
    keep = False
    try:
        status, fields, first, length = _describe(wanted, reader.info)
        if length > INLINE_BYTES:
            keep = True
            return Answer(status, tuple(fields), Slice(reader, first, length))
        body = reader.read(first, length) if length else b""
        if len(body) != length:
            raise Unavailable(f"{len(body)} of {length} bytes were there")
        return Answer(status, tuple(fields), body)
    finally:
        if not keep:
            reader.close()


def head(context: Context, wanted: GetObject) -> Answer:
    """The fields of the GET, with its Content-Length."""
    info = context.stat(context.look_up(wanted.bucket), wanted.key)
    status, fields, _, length = _describe(wanted, info)
    fields.append(("Content-Length", str(length)))
    return Answer(status, tuple(fields))


def _describe(wanted: GetObject, info: ObjectInfo) -> tuple[int, list[tuple[str, str]], int, int]:
    """Status, fields, and which bytes: offset and length."""
    if info.folder and not wanted.folders:
        raise NoSuchKey(wanted.key)
    attributes = info.attributes
    if wanted.conditions is not None:
        wanted.conditions.check(info.etag, info.modified_ns, attributes.system)
    chosen = _chosen(wanted, info)
    fields = headers.object_fields(
        info.etag,
        info.modified_ns,
        wanted.content_type,
        attributes.system,
        attributes.metadata,
        len(attributes.tags),
        wanted.overrides,
    )
    if wanted.checksum:
        fields.extend(checksum_fields(_checksum(wanted, info, chosen)))
    if wanted.part is not None and info.part_sizes:
        fields.append(("x-amz-mp-parts-count", str(len(info.part_sizes))))
    if chosen is None:
        return 200, fields, 0, info.size
    first, length = chosen
    if not length:
        # An empty part: there is no Content-Range for nothing, and so no 206 either.
        return 200, fields, first, 0
    fields.append(("Content-Range", ranges.content_range(first, length, info.size)))
    return 206, fields, first, length


def _checksum(
    wanted: GetObject, info: ObjectInfo, chosen: tuple[int, int] | None
) -> Checksum | None:
    """The checksum of the bytes that are wanted: clients compare it with what they receive.

    Of a range there is none.  That of a part is said to be of the object's type.
    """
    if wanted.part is not None and info.part_sizes:
        if info.checksum is None or not info.part_checksums:
            return None
        return attrs.evolve(info.checksum, value=info.part_checksums[wanted.part - 1])
    return info.checksum if chosen is None or wanted.part is not None else None


def _chosen(wanted: GetObject, info: ObjectInfo) -> tuple[int, int] | None:
    """Which bytes are wanted, as (offset, length); None for all of them."""
    if wanted.part is not None:
        sizes = info.part_sizes or (info.size,)
        if wanted.part > len(sizes):
            raise InvalidPartNumber(
                detail={
                    "PartNumberRequested": str(wanted.part),
                    "ActualPartCount": str(len(sizes)),
                }
            )
        return sum(sizes[: wanted.part - 1]), sizes[wanted.part - 1]
    if wanted.range is None:
        return None
    if wanted.if_range is not None and not conditional.if_range_holds(
        wanted.if_range, info.etag, info.modified_ns
    ):
        return None
    return ranges.resolve(wanted.range, info.size)


def _part_number(text: str) -> int:
    if text.isascii() and text.isdecimal() and len(text) <= 5 and 1 <= int(text) <= _MAX_PARTS:
        return int(text)
    raise InvalidArgument(
        "Part number must be an integer between 1 and 10000, inclusive",
        detail={"ArgumentName": "partNumber", "ArgumentValue": text},
    )


ACTIONS = (Action("GetObject", parse, get), Action("HeadObject", parse, head))
