"""DeleteObject: https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObject.html

A key that is not there is deleted all the same, unless If-Match wants it to be there
(:mod:`s3daemon.actions.conditions`).  The aws personality takes the directories with it
that exist for nothing else any more; the alluxio one leaves them, as they are objects there.
"""

from __future__ import annotations

import attrs

from s3daemon.actions import conditions
from s3daemon.actions.base import Action, Answer, Context
from s3daemon.store.interfaces import ALWAYS, Condition
from s3daemon.wire.message import Personality, S3Request


@attrs.frozen
class DeleteObject:
    """What the head of a DELETE says.

    :ivar prune: take parents along that are left empty.
    """

    bucket: str
    key: str
    prune: bool = True
    condition: Condition = ALWAYS


def parse(request: S3Request) -> DeleteObject:
    """Read the head; pure.  :raises S3Error: of :func:`conditions.of_delete`."""
    return DeleteObject(
        request.bucket,
        request.key,
        request.personality is not Personality.ALLUXIO,
        conditions.of_delete(request),
    )


def run(context: Context, wanted: DeleteObject) -> Answer:
    """Delete it, if the condition holds."""
    bucket = context.bucket(wanted.bucket, wanted.key)
    conditions.check(context, bucket, wanted.key, wanted.condition)
    context.objects.delete(wanted.bucket, wanted.key, wanted.prune, wanted.condition)
    return Answer(204)


ACTION = Action("DeleteObject", parse, run)
