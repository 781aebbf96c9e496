"""The tags of an object: GetObjectTagging, PutObjectTagging, DeleteObjectTagging.

https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObjectTagging.html
https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObjectTagging.html
https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObjectTagging.html

An object without tags has an empty tag set, which is no error.
"""

from __future__ import annotations

from collections.abc import Mapping

import attrs

from s3daemon.actions.base import Action, Answer, AnyAction, Context, DocumentAction
from s3daemon.store.interfaces import NoSuchKey, ObjectInfo
from s3daemon.wire import digests, tagging
from s3daemon.wire.message import Personality, S3Request


@attrs.frozen
class ObjectTagging:
    """Whose tags.

    :ivar headers: of the request, for Content-MD5.
    :ivar folders: a directory that nobody put as an object is one.
    """

    bucket: str
    key: str
    headers: Mapping[str, str]
    folders: bool = False


def parse(request: S3Request) -> ObjectTagging:
    """Read the head; pure.  :raises InvalidDigest:"""
    digests.content_md5(request.headers)
    return ObjectTagging(
        request.bucket,
        request.key,
        request.headers,
        request.personality is Personality.ALLUXIO,
    )


def get(context: Context, wanted: ObjectTagging) -> Answer:
    """The tag set."""
    context.bucket(wanted.bucket, wanted.key)
    return Answer(body=tagging.render(_stat(context, wanted).attributes.tags))


def put(context: Context, wanted: ObjectTagging, document: bytes) -> Answer:
    """Replace the tag set by that of the document."""
    context.bucket(wanted.bucket, wanted.key)
    digests.check_document(wanted.headers, document)
    _set(context, wanted, tagging.parse_document(document))
    return Answer()


def delete(context: Context, wanted: ObjectTagging) -> Answer:
    """Take all tags away."""
    context.bucket(wanted.bucket, wanted.key)
    _set(context, wanted, ())
    return Answer(204)


def _set(context: Context, wanted: ObjectTagging, tags: tagging.Tags) -> None:
    if wanted.key.endswith("/") and not wanted.folders:
        _stat(context, wanted)
    context.objects.set_tags(wanted.bucket, wanted.key, tags)


def _stat(context: Context, wanted: ObjectTagging) -> ObjectInfo:
    info: ObjectInfo = context.objects.stat(wanted.bucket, wanted.key)
    if info.folder and not wanted.folders:
        raise NoSuchKey(wanted.key)
    return info


ACTIONS: tuple[AnyAction, ...] = (
    Action("GetObjectTagging", parse, get),
    DocumentAction("PutObjectTagging", parse, put),
    Action("DeleteObjectTagging", parse, delete),
)
