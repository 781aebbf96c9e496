"""ListObjects, version 2: a page of keys after a token.

Query: list-type=2, prefix, delimiter, start-after, continuation-token, max-keys, fetch-owner,
encoding-type.  The header x-amz-optional-object-attributes asks for the restore status of archived
objects; none is archived here, so no entry has one, as S3 answers for such objects.

Source: https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html
"""

from __future__ import annotations

import attrs

from s3daemon.actions import listing, tokens
from s3daemon.actions.base import Action, Answer, Context
from s3daemon.store.interfaces import ListQuery
from s3daemon.wire import listing as render
from s3daemon.wire.message import Personality, S3Request
from s3daemon.wire.xmlio import document, element, group


@attrs.frozen
class ListObjectsV2:
    """What is asked for.

    :ivar token: the continuation token as given, "" too; None when there was none.
    """

    bucket: str
    query: ListQuery
    start_after: str
    token: str | None
    fetch_owner: bool
    encoding_type: str


def parse(request: S3Request) -> ListObjectsV2:
    """Read the query; a token wins over start-after, an empty one is the first page.

    :raises errors.InvalidArgument: max-keys, encoding-type or the token is not S3's.
    """
    start_after = request.query.get("start-after", "")
    token = request.query.get("continuation-token")
    return ListObjectsV2(
        bucket=request.bucket,
        query=ListQuery(
            prefix=request.query.get("prefix", ""),
            delimiter=request.query.get("delimiter", ""),
            after=tokens.decode(token) if token else start_after,
            max_keys=listing.page_size(request, "max-keys"),
            folders=request.personality is Personality.ALLUXIO,
        ),
        start_after=start_after,
        token=token,
        fetch_owner=request.query.get("fetch-owner", "").lower() == "true",
        encoding_type=listing.encoding_type(request),
    )


def run(context: Context, wanted: ListObjectsV2) -> Answer:
    """Answer a ListBucketResult; owners only when they were asked for."""
    query = wanted.query
    bucket = context.bucket(wanted.bucket, query.prefix)
    page = context.objects.list(wanted.bucket, query)
    text = render.text_for(wanted.encoding_type)
    owner = listing.OwnerElements(context, bucket.owner) if wanted.fetch_owner else None
    next_token = None if page.next_after is None else tokens.encode(page.next_after)
    body = document(
        "ListBucketResult",
        element("Name", wanted.bucket),
        group("Prefix", text(query.prefix)),
        element("ContinuationToken", wanted.token),
        element("NextContinuationToken", next_token),
        group("StartAfter", text(wanted.start_after)) if wanted.start_after else "",
        element("KeyCount", len(page.objects) + len(page.prefixes)),
        element("MaxKeys", query.max_keys),
        group("Delimiter", text(query.delimiter)) if query.delimiter else "",
        element("EncodingType", wanted.encoding_type or None),
        element("IsTruncated", page.next_after is not None),
        render.contents(page.objects, text, owner),
        render.common_prefixes(page.prefixes, text),
    )
    return Answer(body=body)


ACTION = Action("ListObjectsV2", parse, run)
