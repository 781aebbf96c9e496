"""GetObjectAttributes: what is known of an object besides its bytes and its metadata.

Headers: x-amz-object-attributes (any of ETag, Checksum, ObjectParts, StorageClass, ObjectSize),
x-amz-max-parts and x-amz-part-number-marker for the page of parts; the conditions of GetObject.
Document: GetObjectAttributesResponse, in which the ETag stands without quotes.  An object that was
not uploaded in parts has no ObjectParts.

Source: https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObjectAttributes.html
"""

from __future__ import annotations

import attrs

from s3daemon.actions.base import Action, Answer, Context
from s3daemon.actions.listing import MAX_ENTRIES, number
from s3daemon.actions.multipart_checksums import checksum_elements
from s3daemon.store.interfaces import NoSuchKey, ObjectInfo
from s3daemon.wire import conditional, headers
from s3daemon.wire import listing as render
from s3daemon.wire.conditional import Conditions
from s3daemon.wire.dates import http_date
from s3daemon.wire.errors import InvalidArgument, InvalidRequest
from s3daemon.wire.message import Personality, S3Request
from s3daemon.wire.xmlio import document, element, group

_HEADER = "x-amz-object-attributes"
_ATTRIBUTES = frozenset({"ETag", "Checksum", "ObjectParts", "StorageClass", "ObjectSize"})


@attrs.frozen
class GetObjectAttributes:
    """What is asked for.

    :ivar wanted: names of attributes.
    :ivar after: exclusive: the part after which the page of parts begins.
    :ivar folders: a directory that nobody put as an object is a zero-byte object.
    """

    bucket: str
    key: str
    wanted: frozenset[str]
    after: int
    max_parts: int
    conditions: Conditions | None
    folders: bool


def parse(request: S3Request) -> GetObjectAttributes:
    """Read the head.

    :raises InvalidRequest: no attribute is asked for.
    :raises InvalidArgument: one that does not exist is, or a number is none, or negative.
    :raises NotImplemented: a customer's encryption key.
    """
    headers.refuse_unsupported(request)
    fields = request.headers
    return GetObjectAttributes(
        request.bucket,
        request.key,
        _wanted(fields.get(_HEADER, "")),
        number(request, "x-amz-part-number-marker", 0, among=fields),
        min(number(request, "x-amz-max-parts", MAX_ENTRIES, among=fields), MAX_ENTRIES),
        conditional.parse(request),
        request.personality is Personality.ALLUXIO,
    )


def _wanted(value: str) -> frozenset[str]:
    names = frozenset(filter(None, (name.strip() for name in value.split(","))))
    if not names:
        raise InvalidRequest(
            f"The {_HEADER} header specifying the attributes to be retrieved is either missing or "
            "empty"
        )
    unknown = sorted(names - _ATTRIBUTES)
    if unknown:
        raise InvalidArgument(
            "Invalid attribute name specified.",
            detail={"ArgumentName": _HEADER, "ArgumentValue": unknown[0]},
        )
    return names


def run(context: Context, given: GetObjectAttributes) -> Answer:
    """Answer a GetObjectAttributesResponse.

    :raises PreconditionFailed, NotModified: as for GetObject.
    :raises s3daemon.store.interfaces.NoSuchKey:
    """
    info = context.stat(context.look_up(given.bucket), given.key)
    if info.folder and not given.folders:
        raise NoSuchKey(given.key)
    if given.conditions is not None:
        given.conditions.check(info.etag, info.modified_ns, info.attributes.system)
    wanted, checksum = given.wanted, checksum_elements(info.checksum)
    body = document(
        "GetObjectAttributesResponse",
        element("ETag", info.etag) if "ETag" in wanted else "",
        group("Checksum", checksum) if checksum and "Checksum" in wanted else "",
        _parts(info, given) if "ObjectParts" in wanted and info.part_sizes else "",
        element("StorageClass", "STANDARD") if "StorageClass" in wanted else "",
        element("ObjectSize", info.size) if "ObjectSize" in wanted else "",
    )
    return Answer(fields=(("Last-Modified", http_date(info.modified_ns)),), body=body)


def _parts(info: ObjectInfo, given: GetObjectAttributes) -> str:
    """The page of parts; the number of a part is its place in the object."""
    count = len(info.part_sizes)
    first = min(given.after, count)
    last = min(first + given.max_parts, count)
    algorithm = "" if info.checksum is None else info.checksum.algorithm
    return group(
        "ObjectParts",
        element("IsTruncated", first < last < count),
        element("MaxParts", given.max_parts),
        element("NextPartNumberMarker", last if first < last else given.after),
        element("PartNumberMarker", given.after),
        render.object_parts(
            first, info.part_sizes[first:last], algorithm, info.part_checksums[first:last]
        ),
        element("PartsCount", count),
    )


ACTION = Action("GetObjectAttributes", parse, run)
