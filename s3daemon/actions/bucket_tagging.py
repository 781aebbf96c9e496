"""PutBucketTagging, GetBucketTagging, DeleteBucketTagging: the tag set of a bucket.

Headers: Content-MD5.  Document: Tagging, with up to 50 tags.

Source: https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketTagging.html and its siblings
"""

from __future__ import annotations

import hashlib

import attrs

from s3daemon.actions.base import Action, Answer, Context, DocumentAction
from s3daemon.wire import digests, errors, tagging
from s3daemon.wire.message import Personality, S3Request


@attrs.frozen
class BucketTagging:
    """Whose tags.

    :ivar content_md5: what the client says the document's digest is, or None.
    """

    bucket: str
    alluxio: bool
    content_md5: bytes | None = None


def parse(request: S3Request) -> BucketTagging:
    """Read the target.  :raises errors.InvalidDigest: Content-MD5 is none."""
    return BucketTagging(
        request.bucket,
        request.personality is Personality.ALLUXIO,
        digests.content_md5(request.headers),
    )


def put(context: Context, wanted: BucketTagging, document: bytes) -> Answer:
    """Replace the tag set; an empty one removes it.  204 as S3, 200 as the Alluxio proxy.

    :raises errors.BadDigest, errors.MalformedXML, errors.InvalidTag:
    """
    context.bucket(wanted.bucket)
    digests.check(wanted.content_md5, hashlib.md5(document, usedforsecurity=False).digest())
    tags = tagging.parse_document(document, tagging.BUCKET_TAGS)
    context.buckets.set_tags(wanted.bucket, tags or None)
    return Answer(200 if wanted.alluxio else 204)


def get(context: Context, wanted: BucketTagging) -> Answer:
    """Answer the tag set.  A bucket without one is 404 in S3, an empty set in the Alluxio proxy.

    :raises errors.NoSuchTagSet:
    """
    tags = context.bucket(wanted.bucket).tags
    if not tags and not wanted.alluxio:
        raise errors.NoSuchTagSet(detail={"BucketName": wanted.bucket})
    return Answer(body=tagging.render(tags or ()))


def delete(context: Context, wanted: BucketTagging) -> Answer:
    """Remove the tag set; 204 whether there was one or not."""
    context.bucket(wanted.bucket)
    context.buckets.set_tags(wanted.bucket, None)
    return Answer(204)


ACTIONS = (
    DocumentAction("PutBucketTagging", parse, put),
    Action("GetBucketTagging", parse, get),
    Action("DeleteBucketTagging", parse, delete),
)
