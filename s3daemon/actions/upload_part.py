"""UploadPart: the bytes of one part, in place of an earlier part of its number.

Query: partNumber, uploadId.  Headers: Content-Length (or x-amz-decoded-content-length),
Content-MD5.

Source: https://docs.aws.amazon.com/AmazonS3/latest/API/API_UploadPart.html
"""

from __future__ import annotations

import attrs

from s3daemon.actions.base import Context, ISink, UploadAction
from s3daemon.actions.multipart import UploadTarget, part_number, upload_target
from s3daemon.actions.sink import MAX_PART, ExpectedBody, ObjectSink, expected_body
from s3daemon.wire import headers
from s3daemon.wire.message import S3Request


@attrs.frozen
class UploadPart:
    """Which part, and what is announced of its body."""

    upload: UploadTarget
    number: int
    body: ExpectedBody


def parse(request: S3Request) -> UploadPart:
    """Read the head.

    :raises errors.InvalidArgument: no part has that number.
    :raises errors.MissingContentLength, errors.EntityTooLarge, errors.InvalidDigest:
    :raises errors.NotImplemented: encryption with a customer's key.
    """
    headers.refuse_unsupported(request)
    return UploadPart(
        upload_target(request),
        part_number(request.query.get("partNumber", "")),
        expected_body(request, MAX_PART),
    )


def begin(context: Context, wanted: UploadPart) -> ISink:
    """The sink of the part; its answer carries the part's ETag.

    :raises s3daemon.store.interfaces.NoSuchUpload:
    """
    upload = wanted.upload
    context.upload(upload.bucket, upload.key, upload.upload_id)
    writer = context.uploads.write_part(
        upload.bucket, upload.key, upload.upload_id, wanted.number, wanted.body.length
    )
    return ObjectSink(writer, wanted.body, wanted.body.checksum.algorithm, context.aside, False)


ACTION = UploadAction("UploadPart", parse, begin)
