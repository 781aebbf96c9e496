"""ListObjectVersions of buckets whose versioning was never on: each object is its only version.

Query: prefix, delimiter, key-marker, version-id-marker, max-keys, encoding-type.  That version is
the latest and its id is ``null``, and there are no delete markers.

Source: https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectVersions.html
"""

from __future__ import annotations

import attrs

from s3daemon.actions import listing
from s3daemon.actions.base import Action, Answer, Context
from s3daemon.store.interfaces import ListQuery
from s3daemon.wire import errors
from s3daemon.wire import listing as render
from s3daemon.wire.message import Personality, S3Request
from s3daemon.wire.xmlio import document, element, group

_VERSION = "null"


@attrs.frozen
class ListObjectVersions:
    """What is asked for.

    :ivar version_id_marker: ``null`` or "".  A page goes on after the marker's key either way:
        without a version it is after all of that key's, and after ``null`` there is no other.
    """

    bucket: str
    query: ListQuery
    version_id_marker: str
    encoding_type: str


def parse(request: S3Request) -> ListObjectVersions:
    """Read the query; what is wrong is reported in S3's order.

    :raises errors.InvalidArgument: max-keys, version-id-marker or encoding-type is not S3's.
    """
    query = request.query
    key_marker = query.get("key-marker", "")
    return ListObjectVersions(
        bucket=request.bucket,
        query=ListQuery(
            prefix=query.get("prefix", ""),
            delimiter=query.get("delimiter", ""),
            after=key_marker,
            max_keys=listing.page_size(request, "max-keys"),
            folders=request.personality is Personality.ALLUXIO,
        ),
        version_id_marker=_version_id_marker(query.get("version-id-marker"), key_marker),
        encoding_type=listing.encoding_type(request),
    )


def _version_id_marker(value: str | None, key_marker: str) -> str:
    if value is None:
        return ""
    if not key_marker:
        message = "A version-id marker cannot be specified without a key marker."
    elif not value:
        message = "A version-id marker cannot be empty."
    elif value != _VERSION:
        message = "Invalid version id specified"
    else:
        return value
    raise errors.InvalidArgument(
        message, detail={"ArgumentName": "version-id-marker", "ArgumentValue": value}
    )


def run(context: Context, wanted: ListObjectVersions) -> Answer:
    """Answer a ListVersionsResult."""
    query = wanted.query
    bucket = context.bucket(wanted.bucket, query.prefix)
    page = context.objects.list(wanted.bucket, query)
    text = render.text_for(wanted.encoding_type)
    more = page.next_after is not None
    body = document(
        "ListVersionsResult",
        element("Name", wanted.bucket),
        group("Prefix", text(query.prefix)),
        group("KeyMarker", text(query.after)),
        element("VersionIdMarker", wanted.version_id_marker),
        group("NextKeyMarker", text(page.next_after or "")) if more else "",
        # After a common prefix too: sent back empty it would be refused.
        element("NextVersionIdMarker", _VERSION) if more else "",
        element("MaxKeys", query.max_keys),
        group("Delimiter", text(query.delimiter)) if query.delimiter else "",
        element("EncodingType", wanted.encoding_type or None),
        element("IsTruncated", more),
        render.versions(page.objects, text, listing.OwnerElements(context, bucket.owner)),
        render.common_prefixes(page.prefixes, text),
    )
    return Answer(body=body)


ACTION = Action("ListObjectVersions", parse, run)
