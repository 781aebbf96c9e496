"""ListBuckets: the caller's buckets, by name, in one answer or page by page.

Query: prefix, max-buckets, continuation-token, bucket-region.

Source: https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListBuckets.html
"""

from __future__ import annotations

import attrs

from s3daemon.actions import tokens
from s3daemon.actions.base import Action, Answer, Context
from s3daemon.actions.listing import number
from s3daemon.store.interfaces import BucketInfo
from s3daemon.wire import errors
from s3daemon.wire.dates import iso8601
from s3daemon.wire.listing import owner_element
from s3daemon.wire.message import S3Request
from s3daemon.wire.xmlio import document, element, group

_MOST = 10_000
_PAGING = ("prefix", "max-buckets", "continuation-token", "bucket-region")


@attrs.frozen
class ListBuckets:
    """What is asked for.

    :ivar prefix: None when not given.
    :ivar max_buckets: None when not given: all of them.
    :ivar after: exclusive.
    :ivar region: only buckets of this region; "" for any.
    :ivar paging: a parameter was given, so each bucket is shown with its region.
    """

    prefix: str | None
    max_buckets: int | None
    after: str
    region: str
    paging: bool


def parse(request: S3Request) -> ListBuckets:
    """Read the query.  :raises errors.InvalidArgument: max-buckets or the token is not S3's."""
    query = request.query
    token = query.get("continuation-token", "")
    return ListBuckets(
        prefix=query.get("prefix"),
        max_buckets=number(request, "max-buckets", 0, 1, _MOST) or None,
        after=tokens.decode(token) if token else "",
        region=query.get("bucket-region", ""),
        paging=any(query.get(name) for name in _PAGING),
    )


def run(context: Context, wanted: ListBuckets) -> Answer:
    """Answer a ListAllMyBucketsResult.

    The caller's own buckets, and directories that no S3 client made where the caller may use them.
    """
    prefix = wanted.prefix or ""
    buckets: list[BucketInfo] = []
    next_token = None
    if wanted.region in ("", context.region):
        for bucket in context.buckets.list():
            if bucket.name <= wanted.after or not bucket.name.startswith(prefix):
                continue
            if not _is_callers(context, bucket):
                continue
            if len(buckets) == wanted.max_buckets:
                next_token = tokens.encode(buckets[-1].name)
                break
            buckets.append(bucket)
    region = element("BucketRegion", context.region if wanted.paging else None)
    entries = [
        group(
            "Bucket",
            element("Name", bucket.name),
            element("CreationDate", iso8601(bucket.created_ns)),
            region,
        )
        for bucket in buckets
    ]
    caller = context.caller
    body = document(
        "ListAllMyBucketsResult",
        owner_element(caller.id, caller.display_name),
        group("Buckets", *entries),
        element("ContinuationToken", next_token),
        element("Prefix", wanted.prefix),
    )
    return Answer(body=body)


def _is_callers(context: Context, bucket: BucketInfo) -> bool:
    if bucket.owner not in (None, context.caller.id):
        return False
    try:
        context.may(context.caller, context.operation, bucket)
    except errors.AccessDenied:
        return False
    return True


ACTION = Action("ListBuckets", parse, run)
