"""HeadBucket: whether a bucket is there and the caller may use it.

Source: https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadBucket.html
"""

from __future__ import annotations

import attrs

from s3daemon.actions.base import Action, Answer, Context
from s3daemon.wire.message import S3Request


@attrs.frozen
class HeadBucket:
    """Which bucket."""

    bucket: str


def parse(request: S3Request) -> HeadBucket:
    """Read the target."""
    return HeadBucket(request.bucket)


def run(context: Context, wanted: HeadBucket) -> Answer:
    """Answer the bucket's region in x-amz-bucket-region."""
    context.bucket(wanted.bucket)
    return Answer(fields=(("x-amz-bucket-region", context.region),))


ACTION = Action("HeadBucket", parse, run)
