"""UploadPart: the bytes of one part, in place of an earlier part of its number.

Query: partNumber, uploadId.  Headers: Content-Length (or x-amz-decoded-content-length),
Content-MD5, x-amz-checksum-* (or a trailer of that name), x-amz-sdk-checksum-algorithm.

A part has a checksum made with its upload's algorithm.  Where the upload names none, the client's
own checksum is verified and answered, and one is made as S3 does
(:data:`s3daemon.wire.checksums.DEFAULT`), of which the answer says nothing: a client would take it
to Complete, which may only name what the upload has asked for.

Source: https://docs.aws.amazon.com/AmazonS3/latest/API/API_UploadPart.html
"""

from __future__ import annotations

import attrs

from s3daemon.actions.base import Context, ISink, UploadAction
from s3daemon.actions.multipart import UploadTarget, part_number, upload_target
from s3daemon.actions.multipart_checksums import check_part, part_algorithm
from s3daemon.actions.sink import MAX_PART, ExpectedBody, PartSink, expected_body
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
    """The sink of the part; its answer carries the part's ETag and checksum.

    :raises errors.InvalidRequest: see :func:`s3daemon.actions.multipart_checksums.check_part`.
    :raises errors.NotImplemented: the library for the upload's checksum is not installed here.
    :raises s3daemon.store.interfaces.NoSuchUpload:
    """
    upload = wanted.upload
    context.upload(upload.bucket, upload.key, upload.upload_id)
    writer = context.uploads.write_part(
        upload.bucket, upload.key, upload.upload_id, wanted.number, wanted.body.length
    )
    try:
        given = wanted.body.checksum.algorithm
        check_part(writer.upload, given)
        algorithm = part_algorithm(writer.upload)
        answered = given if writer.upload.checksum_algorithm is None else algorithm
        return PartSink(writer, wanted.body, algorithm, answered, context.aside)
    except BaseException:
        writer.abort()
        raise


ACTION = UploadAction("UploadPart", parse, begin)
