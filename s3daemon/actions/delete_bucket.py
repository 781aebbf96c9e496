"""DeleteBucket: remove a bucket that holds no object.

Source: https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteBucket.html
"""

from __future__ import annotations

import attrs

from s3daemon.actions.base import Action, Answer, Context
from s3daemon.wire.message import S3Request


@attrs.frozen
class DeleteBucket:
    """Which bucket."""

    bucket: str


def parse(request: S3Request) -> DeleteBucket:
    """Read the target."""
    return DeleteBucket(request.bucket)


def run(context: Context, wanted: DeleteBucket) -> Answer:
    """Answer 204.  :raises s3daemon.store.interfaces.BucketNotEmpty: it holds an object."""
    context.bucket(wanted.bucket)
    context.buckets.delete(wanted.bucket)
    return Answer(204)


ACTION = Action("DeleteBucket", parse, run)
