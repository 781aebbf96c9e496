"""CreateBucket: make a bucket that is the caller's.

Headers: x-amz-acl, x-amz-grant-*, x-amz-object-ownership, x-amz-bucket-object-lock-enabled (false),
x-amz-bucket-namespace (global).  Document: CreateBucketConfiguration with a LocationConstraint; may
be missing.

Making a bucket that the caller has already succeeds, and gives it the list of the request, as S3
does in its first region; nothing else changes, and on an alluxio endpoint nothing at all.  Making a
directory that no S3 client made succeeds too, where the caller may use it: it stays without an
owner, and so without a list.

The list is put after the bucket is made, which until then is its owner's alone.

Source: https://docs.aws.amazon.com/AmazonS3/latest/API/API_CreateBucket.html
"""

from __future__ import annotations

import re
from urllib.parse import quote

import attrs

from s3daemon.actions import grants
from s3daemon.actions.base import Answer, Context, DocumentAction
from s3daemon.actions.grants import ENFORCED, PREFERRED, WRITER
from s3daemon.store.interfaces import BucketExists, BucketInfo, NoSuchBucket
from s3daemon.wire import bucket_names, errors, headers, xmlio
from s3daemon.wire.acl import Given
from s3daemon.wire.acl_errors import (
    AccessControlListNotSupported,
    InvalidBucketAclWithObjectOwnership,
)
from s3daemon.wire.grants import Grants
from s3daemon.wire.message import Personality, S3Request

_OWNERSHIPS = frozenset({ENFORCED, PREFERRED, WRITER})

#: What clients send for "wherever you are".
_HERE = frozenset({"", "default", "us-east-1"})
#: Old names of regions that S3 still takes.
_ALIASES = {"EU": "eu-west-1", "US": "us-east-1"}
_REGION = re.compile("[a-z]{2,3}(-[a-z]+)+-[0-9]{1,2}")


@attrs.frozen
class CreateBucket:
    """What is to be made.

    :ivar aws: the request came over an aws endpoint, where S3's rules for names may hold.
    :ivar acl: the list that is given; :ivar ownership: whose the objects in it are.
    """

    bucket: str
    aws: bool
    acl: Given = Given()
    ownership: str = WRITER


def parse(request: S3Request) -> CreateBucket:
    """Read the head.

    :raises errors.NotImplemented: object lock, another namespace.
    :raises errors.InvalidArgument: an object ownership that S3 does not know.
    :raises InvalidBucketAclWithObjectOwnership: a list, and the rule that there is none.
    :raises S3Error: see :func:`s3daemon.actions.grants.parse`.
    """
    headers.refuse_unsupported(request)
    found = request.headers
    if found.get("x-amz-bucket-object-lock-enabled", "false").lower() != "false":
        raise errors.NotImplemented(
            "Object lock is not implemented.", detail={"Header": "x-amz-bucket-object-lock-enabled"}
        )
    if found.get("x-amz-bucket-namespace", "global") != "global":
        raise errors.NotImplemented(
            "Only the global bucket namespace is implemented.",
            detail={"Header": "x-amz-bucket-namespace"},
        )
    ownership = found.get("x-amz-object-ownership", WRITER)
    if ownership not in _OWNERSHIPS:
        raise errors.InvalidArgument(
            f"Invalid x-amz-object-ownership header: {ownership}",
            detail={"ArgumentName": "x-amz-object-ownership", "ArgumentValue": ownership},
        )
    acl = grants.parse(request)
    if ownership == ENFORCED and (acl.grants or acl.canned not in ("", "private")):
        raise InvalidBucketAclWithObjectOwnership
    return CreateBucket(request.bucket, request.personality is Personality.AWS, acl, ownership)


def run(context: Context, wanted: CreateBucket, document: bytes) -> Answer:
    """Answer the bucket's path in Location.

    :raises errors.InvalidBucketName: see :mod:`s3daemon.wire.bucket_names`.
    :raises errors.BucketAlreadyExists: somebody else has it.
    """
    name = wanted.bucket
    bucket_names.check(name, strict=wanted.aws and context.limits.strict_names)
    if document.strip():
        _check_configuration(document, context.region)
    context.may(context.caller, context.operation, BucketInfo(name, context.caller.id, 0))
    parent, nested, last = name.rpartition(bucket_names.SEPARATOR)
    if nested:
        # A bucket inside a bucket is a directory in it: making one is writing there.
        context.bucket(parent, last + "/", operation="PutObject")
    caller = context.caller.id
    acl = grants.resolve(context, wanted.acl, caller, None, of_bucket=True)
    try:
        context.buckets.create(
            name, caller, None if wanted.ownership == WRITER else wanted.ownership
        )
    except BucketExists:
        own = _callers_own(context, name)
        if own is not None and own.acl != acl and wanted.aws:
            _put_list(context, name, acl)
    else:
        if acl is not None:
            _put_list(context, name, acl)
    return Answer(fields=(("Location", "/" + quote(name, safe=bucket_names.SEPARATOR)),))


def _put_list(context: Context, name: str, acl: Grants | None) -> None:
    def decide(info: BucketInfo) -> Grants | None:
        if info.owner != context.caller.id:
            raise errors.OperationAborted("The bucket is being deleted. Try again.")
        if info.ownership == ENFORCED and acl is not None:
            raise AccessControlListNotSupported
        return acl

    context.buckets.set_acl(name, decide)


def _callers_own(context: Context, name: str) -> BucketInfo | None:
    """The bucket that is there, if it is the caller's; None if it is nobody's, and they may use it.

    :raises errors.BucketAlreadyExists: it is somebody else's.
    """
    taken = errors.BucketAlreadyExists(detail={"BucketName": name})
    try:
        bucket = context.buckets.get(name)
    except NoSuchBucket:
        raise errors.OperationAborted("The bucket is being deleted. Try again.") from None
    if bucket.owner == context.caller.id:
        return bucket
    if bucket.owner is not None:
        raise taken
    try:
        context.may(context.caller, "HeadBucket", bucket, "")
    except errors.AccessDenied:
        raise taken from None
    return None


def _check_configuration(document: bytes, region: str) -> None:
    configuration = xmlio.parse(document, "CreateBucketConfiguration")
    for name in ("Location", "Bucket", "Tags"):
        if xmlio.children(configuration, name):
            raise errors.NotImplemented(
                f"{name} in a CreateBucketConfiguration is not implemented."
            )
    constraint = xmlio.child_text(configuration, "LocationConstraint", "")
    wanted = _ALIASES.get(constraint, constraint)
    if wanted in _HERE or wanted == region:
        return
    if _REGION.fullmatch(wanted):
        raise errors.IllegalLocationConstraintException(
            f"The {constraint} location constraint is incompatible for the region specific "
            "endpoint this request was sent to."
        )
    raise errors.InvalidLocationConstraint(
        "The specified location-constraint is not valid", detail={"LocationConstraint": constraint}
    )


ACTION = DocumentAction("CreateBucket", parse, run)
