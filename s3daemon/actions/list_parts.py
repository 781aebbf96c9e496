"""ListParts: the parts of an upload by number, page by page.

Query: uploadId, max-parts, part-number-marker.

Source: https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListParts.html
"""

from __future__ import annotations

import attrs

from s3daemon.actions.base import Action, Answer, Context
from s3daemon.actions.listing import OwnerElements, number, page_size
from s3daemon.actions.multipart import UploadTarget, upload_target
from s3daemon.wire import listing as render
from s3daemon.wire.message import S3Request
from s3daemon.wire.xmlio import document, element


@attrs.frozen
class ListParts:
    """Which page; ``after`` is exclusive."""

    upload: UploadTarget
    after: int
    max_parts: int


def parse(request: S3Request) -> ListParts:
    """Read the query.  :raises errors.InvalidArgument: a number is none, or negative."""
    return ListParts(
        upload_target(request),
        number(request, "part-number-marker", 0),
        page_size(request, "max-parts"),
    )


def run(context: Context, wanted: ListParts) -> Answer:
    """Answer a ListPartsResult.  :raises s3daemon.store.interfaces.NoSuchUpload:"""
    target = wanted.upload
    names = (target.bucket, target.key, target.upload_id)
    bucket = context.upload(*names)
    upload = context.uploads.get(*names)
    page = context.uploads.list_parts(*names, wanted.after, wanted.max_parts)
    last = page.parts[-1].number if page.parts else wanted.after
    body = document(
        "ListPartsResult",
        element("Bucket", target.bucket),
        element("Key", target.key),
        element("UploadId", target.upload_id),
        OwnerElements(context, bucket.owner, "Initiator")(upload.owner),
        OwnerElements(context, bucket.owner)(upload.owner),
        element("StorageClass", "STANDARD"),
        element("PartNumberMarker", wanted.after),
        element("NextPartNumberMarker", last),
        element("MaxParts", wanted.max_parts),
        element("IsTruncated", page.next_after is not None),
        element("ChecksumAlgorithm", upload.checksum_algorithm),
        element("ChecksumType", upload.checksum_type),
        render.parts(page.parts, upload.checksum_algorithm),
    )
    return Answer(body=body)


ACTION = Action("ListParts", parse, run)
