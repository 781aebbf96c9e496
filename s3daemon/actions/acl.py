"""GetBucketAcl, GetObjectAcl, PutBucketAcl, PutObjectAcl: who may do what, besides the owner.

https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketAcl.html
https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObjectAcl.html
https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketAcl.html
https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObjectAcl.html

A list is put by the header x-amz-acl, by the headers x-amz-grant-*, or by a document.  What nobody
has put a list on shows that of its owner, with FULL_CONTROL.
"""

from __future__ import annotations

from collections.abc import Mapping

import attrs

from s3daemon.actions import grants
from s3daemon.actions.base import Action, Answer, AnyAction, Context, DocumentAction
from s3daemon.actions.grants import ENFORCED
from s3daemon.store.interfaces import BucketInfo, NoSuchKey, ObjectInfo
from s3daemon.wire import acl, digests, errors
from s3daemon.wire.acl import Given
from s3daemon.wire.acl_errors import (
    AccessControlListNotSupported,
    MissingSecurityHeader,
    UnexpectedContent,
)
from s3daemon.wire.grants import Grants, private
from s3daemon.wire.message import Personality, S3Request


@attrs.frozen
class Acl:
    """Whose list.

    :ivar key: "" for the bucket's own.
    :ivar given: what the headers of a PUT say.
    :ivar headers: of the request, for Content-MD5.
    :ivar alluxio: there are no lists but the private one, and a directory that nobody put as an
        object is one.
    """

    bucket: str
    key: str
    given: Given = Given()
    headers: Mapping[str, str] = attrs.field(factory=dict)
    alluxio: bool = False


def parse(request: S3Request) -> Acl:
    """Read the target; pure."""
    alluxio = request.personality is Personality.ALLUXIO
    return Acl(request.bucket, request.key, headers=request.headers, alluxio=alluxio)


def parse_put(request: S3Request) -> Acl:
    """Read the head of a PUT; pure.

    :raises errors.S3Error: see :func:`s3daemon.actions.grants.parse`.
    """
    digests.content_md5(request.headers)
    return attrs.evolve(parse(request), given=grants.parse(request))


def get_of_bucket(context: Context, wanted: Acl) -> Answer:
    """Answer an AccessControlPolicy; where there is no owner, Owner and the list are empty."""
    bucket = context.bucket(wanted.bucket)
    return _answer(context, bucket.owner, bucket.acl)


def get_of_object(context: Context, wanted: Acl) -> Answer:
    """Answer an AccessControlPolicy; an object that has no owner is its bucket's owner's."""
    bucket = context.look_up(wanted.bucket)
    info = context.stat(bucket, wanted.key)
    _check_object(wanted, info)
    return _answer(context, info.owner or bucket.owner, info.attributes.acl)


def put_of_bucket(context: Context, wanted: Acl, document: bytes) -> Answer:
    """Replace the list.

    :raises errors.NotImplemented: the bucket has no owner of its own, so no list can be true.
    :raises errors.S3Error: see :func:`_wanted`.
    """
    bucket = context.bucket(wanted.bucket)
    _check_bucket(bucket)
    assert bucket.owner is not None
    new = _wanted(context, wanted, document, bucket, bucket.owner)
    if wanted.alluxio:
        return Answer()

    def decide(info: BucketInfo) -> Grants | None:
        if info.owner is None:
            raise errors.NotImplemented(
                "This bucket is a directory in another one, whose list counts. Put that one, or "
                "create a bucket of this name first."
            )
        if info.owner != bucket.owner:
            raise errors.OperationAborted
        return new

    context.buckets.set_acl(wanted.bucket, decide)
    return Answer()


def put_of_object(context: Context, wanted: Acl, document: bytes) -> Answer:
    """Replace the list of the current version.

    :raises errors.NotImplemented: the bucket has no owner, so no list can be true.
    :raises errors.S3Error: see :func:`_wanted`.
    """
    bucket = context.look_up(wanted.bucket)
    info = context.stat(bucket, wanted.key)
    _check_object(wanted, info)
    _check_bucket(bucket)
    owner = info.owner or bucket.owner
    assert owner is not None
    new = _wanted(context, wanted, document, bucket, owner)
    if wanted.alluxio:
        return Answer()

    def decide(now: ObjectInfo) -> Grants | None:
        # Another one by now, perhaps, and somebody else's.
        context.may(context.caller, context.operation, bucket, wanted.key, lambda: now)
        if (now.owner or bucket.owner) != owner:
            raise errors.OperationAborted
        return new

    context.objects.set_acl(wanted.bucket, wanted.key, decide)
    return Answer()


def _wanted(
    context: Context, wanted: Acl, document: bytes, bucket: BucketInfo, owner: str
) -> Grants | None:
    """The list that is to be put.

    :raises UnexpectedContent: headers and a document.
    :raises MissingSecurityHeader: neither.
    :raises errors.AccessDenied: it says that somebody else is the owner.
    :raises errors.NotImplemented: an alluxio endpoint, and another list than the private one.
    :raises AccessControlListNotSupported: the bucket has no lists.
    """
    if bucket.ownership == ENFORCED:
        raise AccessControlListNotSupported
    of_bucket = not wanted.key
    if not document.strip():
        if not wanted.given:
            raise MissingSecurityHeader(detail={"MissingHeaderName": acl.CANNED_HEADER})
        if wanted.alluxio and wanted.given.canned != "private":
            raise errors.NotImplemented(detail={"Header": acl.CANNED_HEADER})
        return grants.resolve(context, wanted.given, owner, bucket.owner, of_bucket)
    if wanted.given:
        raise UnexpectedContent
    if wanted.alluxio:
        raise errors.NotImplemented("Access control lists are not implemented on this endpoint.")
    digests.check_document(wanted.headers, document)
    named, given = acl.parse(document)
    if named != owner:
        raise errors.AccessDenied
    return grants.known(context, given, {owner, bucket.owner})


def _check_object(wanted: Acl, info: ObjectInfo) -> None:
    if info.folder and not wanted.alluxio:
        raise NoSuchKey(wanted.key)


def _check_bucket(bucket: BucketInfo) -> None:
    if bucket.owner is None:
        raise errors.NotImplemented(
            "What is in a bucket without an owner is everybody's who may use it, and no list "
            "can change that."
        )


def _answer(context: Context, owner: str | None, given: Grants | None) -> Answer:
    shown = given if given is not None or owner is None else private(owner)
    return Answer(body=acl.render(owner, shown or (), context.display_name))


ACTIONS: tuple[AnyAction, ...] = (
    Action("GetBucketAcl", parse, get_of_bucket),
    Action("GetObjectAcl", parse, get_of_object),
    DocumentAction("PutBucketAcl", parse_put, put_of_bucket),
    DocumentAction("PutObjectAcl", parse_put, put_of_object),
)
