"""ListObjects, version 1: a page of keys after a marker.

Query: prefix, delimiter, marker, max-keys, encoding-type.  The header
x-amz-optional-object-attributes asks for the restore status of archived objects; none is archived
here, so no entry has one, as S3 answers for such objects.

Source: https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjects.html
"""

from __future__ import annotations

import attrs

from s3daemon.actions import listing
from s3daemon.actions.base import Action, Answer, Context
from s3daemon.store.interfaces import ListQuery
from s3daemon.wire import listing as render
from s3daemon.wire.message import Personality, S3Request
from s3daemon.wire.xmlio import document, element, group


@attrs.frozen
class ListObjects:
    """What is asked for."""

    bucket: str
    query: ListQuery
    encoding_type: str
    always_next_marker: bool


def parse(request: S3Request) -> ListObjects:
    """Read the query.  :raises errors.InvalidArgument: max-keys or encoding-type is not S3's."""
    alluxio = request.personality is Personality.ALLUXIO
    return ListObjects(
        bucket=request.bucket,
        query=ListQuery(
            prefix=request.query.get("prefix", ""),
            delimiter=request.query.get("delimiter", ""),
            after=request.query.get("marker", ""),
            max_keys=listing.page_size(request, "max-keys"),
            folders=alluxio,
        ),
        encoding_type=listing.encoding_type(request),
        always_next_marker=alluxio,
    )


def run(context: Context, wanted: ListObjects) -> Answer:
    """Answer a ListBucketResult.

    S3 gives NextMarker only with a delimiter, since the last key serves without one; an alluxio
    endpoint gives it always.
    """
    query = wanted.query
    bucket = context.bucket(wanted.bucket, query.prefix)
    page = context.objects.list(wanted.bucket, query)
    text = render.text_for(wanted.encoding_type)
    next_marker = ""
    if page.next_after is not None and (query.delimiter or wanted.always_next_marker):
        next_marker = group("NextMarker", text(page.next_after))
    body = document(
        "ListBucketResult",
        element("Name", wanted.bucket),
        # As it was sent, even with encoding-type=url: what botocore decodes in this answer, and so
        # what its users see, does not include it.
        element("Prefix", query.prefix),
        group("Marker", text(query.after)),
        next_marker,
        element("MaxKeys", query.max_keys),
        group("Delimiter", text(query.delimiter)) if query.delimiter else "",
        element("EncodingType", wanted.encoding_type or None),
        element("IsTruncated", page.next_after is not None),
        render.contents(page.objects, text, listing.OwnerElements(context, bucket.owner)),
        render.common_prefixes(page.prefixes, text),
    )
    return Answer(body=body)


ACTION = Action("ListObjects", parse, run)
