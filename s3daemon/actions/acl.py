"""GetBucketAcl, GetObjectAcl, PutBucketAcl, PutObjectAcl: everything is private.

https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketAcl.html
https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObjectAcl.html
https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketAcl.html
https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObjectAcl.html

The list that is shown is the one of the canned ACL ``private``: its owner, with FULL_CONTROL.  To
put that canned ACL (header x-amz-acl) changes nothing and so succeeds; all other lists are refused.
"""

from __future__ import annotations

import attrs

from s3daemon.actions.base import Action, Answer, AnyAction, Context, DocumentAction
from s3daemon.store.interfaces import BucketInfo, NoSuchKey, ObjectInfo
from s3daemon.wire import errors, headers, xmlio
from s3daemon.wire.listing import owner_element
from s3daemon.wire.message import Personality, S3Request
from s3daemon.wire.xmlio import element, group

_GRANTEE = (
    '<Grantee xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="CanonicalUser">'
    "{}</Grantee>"
)


@attrs.frozen
class Acl:
    """Whose list.

    :ivar key: "" for the bucket's own.
    :ivar canned: x-amz-acl of a PUT, "" where there is none.
    :ivar folders: a directory that nobody put as an object is one.
    """

    bucket: str
    key: str
    canned: str = ""
    folders: bool = False


def parse(request: S3Request) -> Acl:
    """Read the target; pure."""
    folders = request.personality is Personality.ALLUXIO
    return Acl(request.bucket, request.key, folders=folders)


def parse_put(request: S3Request) -> Acl:
    """Read the head of a PUT; pure.

    :raises errors.NotImplemented: single grants, or a canned ACL other than private.
    :raises errors.InvalidArgument: a canned ACL that S3 does not know.
    """
    headers.refuse_unsupported(request)
    canned = request.headers.get("x-amz-acl", "")
    if canned not in ("", "private"):
        raise _refused()
    return attrs.evolve(parse(request), canned=canned)


def get(context: Context, wanted: Acl) -> Answer:
    """Answer an AccessControlPolicy; an object that has no owner is its bucket's owner's.

    Where there is no owner at all, Owner and the list are empty: clients look for both.
    """
    bucket, info = _target(context, wanted)
    owner = (info.owner if info else None) or bucket.owner
    if owner is None:
        parts = group("Owner"), group("AccessControlList")
    else:
        name = context.display_name(owner)
        grantee = _GRANTEE.format(element("ID", owner) + element("DisplayName", name))
        grant = group("Grant", grantee, element("Permission", "FULL_CONTROL"))
        parts = owner_element(owner, name), group("AccessControlList", grant)
    return Answer(body=xmlio.document("AccessControlPolicy", *parts))


def put(context: Context, wanted: Acl, document: bytes) -> Answer:
    """Nothing to do, when it is to be private.

    :raises errors.NotImplemented: there is a document; or the bucket has no owner, and so is not
        private and cannot be made so.
    :raises errors.MissingRequestBodyError: no list at all.
    """
    bucket, _ = _target(context, wanted)
    if document.strip() or bucket.owner is None:
        raise _refused()
    if not wanted.canned:
        raise errors.MissingRequestBodyError
    return Answer()


def _target(context: Context, wanted: Acl) -> tuple[BucketInfo, ObjectInfo | None]:
    """The bucket, and the object if the request is about one.  :raises NoSuchKey:"""
    bucket = context.bucket(wanted.bucket, wanted.key)
    if not wanted.key:
        return bucket, None
    info: ObjectInfo = context.objects.stat(wanted.bucket, wanted.key)
    if info.folder and not wanted.folders:
        raise NoSuchKey(wanted.key)
    return bucket, info


def _refused() -> errors.NotImplemented:
    return errors.NotImplemented(
        "Access control lists are not implemented; what has an owner is private, and putting the "
        "canned ACL private is all that is accepted."
    )


ACTIONS: tuple[AnyAction, ...] = (
    Action("GetBucketAcl", parse, get),
    Action("GetObjectAcl", parse, get),
    DocumentAction("PutBucketAcl", parse_put, put),
    DocumentAction("PutObjectAcl", parse_put, put),
)
