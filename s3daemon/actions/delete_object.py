"""DeleteObject: https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObject.html

A key that is not there is deleted all the same.  The aws personality takes the directories with it
that exist for nothing else any more; the alluxio one leaves them, as they are objects there.
"""

from __future__ import annotations

import attrs

from s3daemon.actions.base import Action, Answer, Context
from s3daemon.wire import errors
from s3daemon.wire.message import Personality, S3Request

#: Conditions that need a compare-and-delete; ignoring one would delete the wrong object.
_CONDITIONS = (
    "if-match",
    "if-none-match",
    "if-unmodified-since",
    "x-amz-if-match-last-modified-time",
    "x-amz-if-match-size",
)


@attrs.frozen
class DeleteObject:
    """What the head of a DELETE says.

    :ivar prune: take parents along that are left empty.
    """

    bucket: str
    key: str
    prune: bool = True


def parse(request: S3Request) -> DeleteObject:
    """Read the head; pure.  :raises NotImplemented: a condition."""
    for name in _CONDITIONS:
        if name in request.headers:
            raise errors.NotImplemented(detail={"Header": name})
    return DeleteObject(request.bucket, request.key, request.personality is not Personality.ALLUXIO)


def run(context: Context, wanted: DeleteObject) -> Answer:
    """Delete it."""
    context.bucket(wanted.bucket, wanted.key)
    context.objects.delete(wanted.bucket, wanted.key, wanted.prune)
    return Answer(204)


ACTION = Action("DeleteObject", parse, run)
