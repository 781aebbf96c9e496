"""ListMultipartUploads: the uploads under way in a bucket, by key and age, page by page.

Query: prefix, delimiter, key-marker, upload-id-marker (counts with a key-marker only), max-uploads,
encoding-type.

Source: https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListMultipartUploads.html
"""

from __future__ import annotations

import attrs

from s3daemon.actions import listing
from s3daemon.actions.base import Action, Answer, Context
from s3daemon.store.interfaces import UploadsQuery
from s3daemon.wire import listing as render
from s3daemon.wire.message import Personality, S3Request
from s3daemon.wire.xmlio import document, element, group


@attrs.frozen
class ListMultipartUploads:
    """What is asked for.

    :ivar upload_id_marker: as given.
    :ivar own_only: only the caller's uploads, as the Alluxio proxy shows them.
    """

    bucket: str
    query: UploadsQuery
    upload_id_marker: str
    encoding_type: str
    own_only: bool


def parse(request: S3Request) -> ListMultipartUploads:
    """Read the query.  :raises errors.InvalidArgument: max-uploads or encoding-type is not S3's."""
    query = request.query
    key_marker = query.get("key-marker", "")
    upload_id_marker = query.get("upload-id-marker", "")
    return ListMultipartUploads(
        bucket=request.bucket,
        query=UploadsQuery(
            prefix=query.get("prefix", ""),
            delimiter=query.get("delimiter", ""),
            after_key=key_marker,
            after_upload_id=upload_id_marker if key_marker else "",
            max_uploads=listing.page_size(request, "max-uploads"),
        ),
        upload_id_marker=upload_id_marker,
        encoding_type=listing.encoding_type(request),
        own_only=request.personality is Personality.ALLUXIO,
    )


def run(context: Context, wanted: ListMultipartUploads) -> Answer:
    """Answer a ListMultipartUploadsResult."""
    query = wanted.query
    bucket = context.bucket(wanted.bucket, query.prefix)
    if wanted.own_only:
        query = attrs.evolve(query, owner=context.caller.id)
    page = context.uploads.list(wanted.bucket, query)
    text = render.text_for(wanted.encoding_type)
    more = page.next_key is not None
    body = document(
        "ListMultipartUploadsResult",
        element("Bucket", wanted.bucket),
        group("KeyMarker", text(query.after_key)),
        element("UploadIdMarker", wanted.upload_id_marker),
        group("NextKeyMarker", text(page.next_key or "")) if more else "",
        element("NextUploadIdMarker", page.next_upload_id or "") if more else "",
        group("Prefix", text(query.prefix)) if query.prefix else "",
        group("Delimiter", text(query.delimiter)) if query.delimiter else "",
        element("EncodingType", wanted.encoding_type or None),
        element("MaxUploads", query.max_uploads),
        element("IsTruncated", more),
        render.uploads(
            page.uploads,
            text,
            listing.OwnerElements(context, bucket.owner, "Initiator"),
            listing.OwnerElements(context, bucket.owner),
        ),
        render.common_prefixes(page.prefixes, text),
    )
    return Answer(body=body)


ACTION = Action("ListMultipartUploads", parse, run)
