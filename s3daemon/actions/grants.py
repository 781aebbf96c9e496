"""Whose something will be that a request makes, and who may use it: the lists of what is new.

Sources: S3 user guide, "Access control list (ACL) overview", "Controlling ownership of objects and
disabling ACLs for your bucket".
"""

from __future__ import annotations

from s3daemon.actions.base import Context
from s3daemon.store.interfaces import BucketInfo
from s3daemon.wire import acl, errors
from s3daemon.wire.acl import Given
from s3daemon.wire.acl_errors import (
    AccessControlListNotSupported,
    UnresolvableGrantByEmailAddress,
)
from s3daemon.wire.errors import InvalidArgument
from s3daemon.wire.grants import EMAIL, FULL_CONTROL, USER, Grant, Grants
from s3daemon.wire.message import Personality, S3Request

#: Values of x-amz-object-ownership: lists mean nothing; what is put with this canned ACL is the
#: bucket owner's; an object is its writer's.
ENFORCED = "BucketOwnerEnforced"
PREFERRED = "BucketOwnerPreferred"
WRITER = "ObjectWriter"

_FOR_BUCKET_OWNER = "bucket-owner-full-control"
#: What an alluxio endpoint takes: what is so anyway.
_TRUE_ANYWAY = frozenset({"", "private", _FOR_BUCKET_OWNER})


def parse(request: S3Request) -> Given:
    """What the head says about the list of what it makes; pure.

    :raises S3Error: see :func:`s3daemon.wire.acl.from_headers`.
    :raises NotImplemented: an alluxio endpoint has no lists.
    """
    given = acl.from_headers(request)
    if request.personality is Personality.ALLUXIO and (
        given.grants or given.canned not in _TRUE_ANYWAY
    ):
        raise errors.NotImplemented("Access control lists are not implemented on this endpoint.")
    return given


def new_object(context: Context, bucket: BucketInfo, given: Given) -> tuple[str, Grants | None]:
    """The owner and the list of an object that the caller makes in a bucket.

    :raises AccessControlListNotSupported: the bucket's owner owns everything in it, and the request
        does not say the same.
    :raises S3Error: see :func:`resolve`.
    """
    # What nobody in particular puts is the bucket's owner's.
    caller = context.caller.id or bucket.owner or ""
    if bucket.owner and bucket.ownership == ENFORCED:
        same = Grant(USER, bucket.owner, FULL_CONTROL)
        if given and given.canned != _FOR_BUCKET_OWNER and given.grants != (same,):
            raise AccessControlListNotSupported
        return bucket.owner, None
    if bucket.owner and bucket.ownership == PREFERRED and given.canned == _FOR_BUCKET_OWNER:
        return bucket.owner, None
    return caller, resolve(context, given, caller, bucket.owner)


def resolve(
    context: Context,
    given: Given,
    owner: str,
    bucket_owner: str | None,
    of_bucket: bool = False,
) -> Grants | None:
    """The list that is meant; None for the owner's alone.

    :param owner: of what the list is for.
    :raises InvalidArgument: nobody has such an id.
    :raises UnresolvableGrantByEmailAddress: nobody has such an address.
    """
    if not given.grants:
        return acl.expand(given.canned, owner, bucket_owner, of_bucket)
    return known(context, given.grants, {owner, bucket_owner})


def known(context: Context, grants: Grants, present: set[str | None]) -> Grants:
    """The same grants, all to users and groups that there are.

    :param present: canonical ids of whom there is no need to look up.
    :raises InvalidArgument, UnresolvableGrantByEmailAddress:
    """
    present = {context.caller.id, *present}
    return tuple(_known(context, grant, present) for grant in grants)


def _known(context: Context, grant: Grant, present: set[str | None]) -> Grant:
    if grant.kind == EMAIL:
        canonical_id = context.users.by_email(grant.grantee)
        if canonical_id is None:
            raise UnresolvableGrantByEmailAddress(
                detail={"ArgumentName": "EmailAddress", "ArgumentValue": grant.grantee}
            )
        return Grant(USER, canonical_id, grant.permission)
    if (
        grant.kind == USER
        and grant.grantee not in present
        and not context.users.knows(grant.grantee)
    ):
        raise InvalidArgument(
            "Invalid id",
            detail={"ArgumentName": "CanonicalUser/ID", "ArgumentValue": grant.grantee},
        )
    return grant
