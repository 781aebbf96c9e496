"""GetBucketLocation: the region of a bucket, which is the gateway's.

Source: https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketLocation.html
"""

from __future__ import annotations

import attrs

from s3daemon.actions.base import Action, Answer, Context
from s3daemon.wire.message import S3Request
from s3daemon.wire.xmlio import document, escape

#: The region that S3 writes as an empty constraint.
_FIRST_REGION = "us-east-1"


@attrs.frozen
class GetBucketLocation:
    """Which bucket."""

    bucket: str


def parse(request: S3Request) -> GetBucketLocation:
    """Read the target."""
    return GetBucketLocation(request.bucket)


def run(context: Context, wanted: GetBucketLocation) -> Answer:
    """Answer a LocationConstraint, empty for us-east-1."""
    context.bucket(wanted.bucket)
    region = "" if context.region == _FIRST_REGION else context.region
    return Answer(body=document("LocationConstraint", escape(region)))


ACTION = Action("GetBucketLocation", parse, run)
