"""GetBucketVersioning: never enabled, which S3 says with an empty configuration.

Source: https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketVersioning.html
"""

from __future__ import annotations

import attrs

from s3daemon.actions.base import Action, Answer, Context
from s3daemon.wire.message import S3Request
from s3daemon.wire.xmlio import document


@attrs.frozen
class GetBucketVersioning:
    """Which bucket."""

    bucket: str


def parse(request: S3Request) -> GetBucketVersioning:
    """Read the target."""
    return GetBucketVersioning(request.bucket)


def run(context: Context, wanted: GetBucketVersioning) -> Answer:
    """Answer a VersioningConfiguration without a Status."""
    context.bucket(wanted.bucket)
    return Answer(body=document("VersioningConfiguration"))


ACTION = Action("GetBucketVersioning", parse, run)
