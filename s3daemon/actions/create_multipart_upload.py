"""CreateMultipartUpload: begin an upload; what its head says becomes the object's at Complete.

Headers: those of PutObject that describe the object; x-amz-checksum-algorithm and
x-amz-checksum-type, which the answer repeats.

Source: https://docs.aws.amazon.com/AmazonS3/latest/API/API_CreateMultipartUpload.html
"""

from __future__ import annotations

import attrs

from s3daemon.actions import attributes, grants, multipart_checksums
from s3daemon.actions.base import Action, Answer, Context
from s3daemon.actions.multipart_checksums import ALGORITHM_HEADER, TYPE_HEADER
from s3daemon.store.interfaces import Attributes
from s3daemon.wire.acl import Given
from s3daemon.wire.message import S3Request
from s3daemon.wire.xmlio import document, element


@attrs.frozen
class CreateMultipartUpload:
    """What the object will be, besides its bytes; the last two as in :class:`UploadInfo`."""

    bucket: str
    key: str
    attributes: Attributes
    checksum_algorithm: str | None = None
    checksum_type: str | None = None
    acl: Given = Given()


def parse(request: S3Request) -> CreateMultipartUpload:
    """Read the head.

    :raises S3Error: see :func:`s3daemon.actions.attributes.parse` and
        :func:`s3daemon.actions.multipart_checksums.wanted`.
    """
    return CreateMultipartUpload(
        request.bucket,
        request.key,
        attributes.parse(request),
        *multipart_checksums.wanted(request),
        grants.parse(request),
    )


def run(context: Context, wanted: CreateMultipartUpload) -> Answer:
    """Answer an InitiateMultipartUploadResult.

    :raises errors.MetadataTooLarge: more user metadata than the operator allows.
    """
    bucket = context.bucket(wanted.bucket, wanted.key)
    attributes.check(wanted.attributes, context.limits)
    algorithm, kind = wanted.checksum_algorithm, wanted.checksum_type
    # The upload is its initiator's, and so the object will be, whatever else could own it.
    _, acl = grants.new_object(context, bucket, wanted.acl)
    given = attributes.with_acl(wanted.attributes, acl)
    upload = context.uploads.create(
        wanted.bucket, wanted.key, given, context.caller.id, algorithm, kind
    )
    body = document(
        "InitiateMultipartUploadResult",
        element("Bucket", wanted.bucket),
        element("Key", wanted.key),
        element("UploadId", upload.upload_id),
    )
    if algorithm is None or kind is None:
        return Answer(body=body)
    return Answer(fields=((ALGORITHM_HEADER, algorithm), (TYPE_HEADER, kind)), body=body)


ACTION = Action("CreateMultipartUpload", parse, run)
