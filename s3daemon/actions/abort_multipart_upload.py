"""AbortMultipartUpload: forget an upload and its parts.

Query: uploadId.

Source: https://docs.aws.amazon.com/AmazonS3/latest/API/API_AbortMultipartUpload.html
"""

from __future__ import annotations

from s3daemon.actions.base import Action, Answer, Context
from s3daemon.actions.multipart import UploadTarget, upload_target
from s3daemon.wire import errors
from s3daemon.wire.message import S3Request

_CONDITION = "x-amz-if-match-initiated-time"


def parse(request: S3Request) -> UploadTarget:
    """Read the target.

    :raises errors.NotImplemented: a condition that S3 has for directory buckets alone.
    """
    if _CONDITION in request.headers:
        raise errors.NotImplemented(detail={"Header": _CONDITION})
    return upload_target(request)


def run(context: Context, wanted: UploadTarget) -> Answer:
    """Answer 204.  :raises s3daemon.store.interfaces.NoSuchUpload:"""
    context.upload(wanted.bucket, wanted.key, wanted.upload_id)
    context.uploads.abort(wanted.bucket, wanted.key, wanted.upload_id)
    return Answer(204)


ACTION = Action("AbortMultipartUpload", parse, run)
