"""CreateMultipartUpload: begin an upload; what its head says becomes the object's at Complete.

Headers: those of PutObject that describe the object.

Source: https://docs.aws.amazon.com/AmazonS3/latest/API/API_CreateMultipartUpload.html
"""

from __future__ import annotations

import attrs

from s3daemon.actions import attributes
from s3daemon.actions.base import Action, Answer, Context
from s3daemon.store.interfaces import Attributes
from s3daemon.wire.message import S3Request
from s3daemon.wire.xmlio import document, element


@attrs.frozen
class CreateMultipartUpload:
    """What the object will be, besides its bytes."""

    bucket: str
    key: str
    attributes: Attributes


def parse(request: S3Request) -> CreateMultipartUpload:
    """Read the head.  :raises S3Error: see :func:`s3daemon.actions.attributes.parse`."""
    return CreateMultipartUpload(request.bucket, request.key, attributes.parse(request))


def run(context: Context, wanted: CreateMultipartUpload) -> Answer:
    """Answer an InitiateMultipartUploadResult.

    :raises errors.MetadataTooLarge: more user metadata than the operator allows.
    """
    context.bucket(wanted.bucket, wanted.key)
    attributes.check(wanted.attributes, context.limits)
    upload = context.uploads.create(wanted.bucket, wanted.key, wanted.attributes, context.caller.id)
    body = document(
        "InitiateMultipartUploadResult",
        element("Bucket", wanted.bucket),
        element("Key", wanted.key),
        element("UploadId", upload.upload_id),
    )
    return Answer(body=body)


ACTION = Action("CreateMultipartUpload", parse, run)
