"""May they: the one decision."""

from __future__ import annotations

import attrs
from twisted.logger import Logger

from s3daemon.auth.decision import Find
from s3daemon.auth.identity import Identity
from s3daemon.auth.permissions import NEEDS, Need
from s3daemon.auth.scopes import reaches
from s3daemon.store.interfaces import BucketInfo
from s3daemon.wire.errors import AccessDenied
from s3daemon.wire.grants import READ, READ_ACP, WRITE_ACP, permits, private


@attrs.frozen
class Policy:
    """Everything is private, and what a list permits is permitted.

    In this order, and the first that speaks decides:

    1. what is outside the caller's scopes is refused;
    2. what changes something is refused to who may only read;
    3. what needs somebody to be known is refused to the anonymous;
    4. a directory that no S3 client made has no owner: it is every user's, or nobody's;
    5. the owner of the bucket may do everything in it, whoever put an object there;
    6. the table of :mod:`s3daemon.auth.permissions` says which list has to permit it.

    :ivar unowned_for_all: every authenticated caller may use a bucket without an owner; else
        nobody may.
    :ivar verbose: what is allowed goes to the debug log too, and not only what is refused; it
        costs every request some microseconds.
    """

    unowned_for_all: bool = True
    verbose: bool = False
    _log: Logger = attrs.field(factory=lambda: Logger(namespace="s3daemon.policy"), eq=False)

    def may(
        self,
        caller: Identity,
        operation: str,
        bucket: BucketInfo,
        key: str = "",
        find: Find | None = None,
    ) -> None:
        """Return when the caller may do this.

        :param operation: as in the S3 API reference.
        :param bucket: with the owner and the list that count, of a directory in a bucket those of
            the bucket.
        :param key: of the object; of a listing its prefix; "" for the bucket itself.
        :param find: gives the object, or the upload, of this key.  Called once at most, and only
            when its owner or its list decides; without it such a request is refused.

        :raises AccessDenied: they may not; the client does not learn why, the debug log does.
        """
        need = NEEDS.get(operation)
        if need is None:
            refused, reason = True, "the operation has no row in the table of permissions"
        elif caller.scopes and not reaches(caller.scopes, bucket.name, key, need.around):
            refused, reason = True, "it is outside the user's scopes"
        elif caller.read_only and need.changes:
            refused, reason = True, "the user may only read"
        elif need.known and not caller.id:
            refused, reason = True, "nobody knows who asks"
        elif bucket.owner is None:
            refused = not (self.unowned_for_all and caller.id)
            reason = "the bucket has no owner"
        elif bucket.owner == caller.id and caller.id:
            refused, reason = False, "the bucket is the user's"
        elif not bucket.owner:
            refused, reason = True, "what was recorded of the bucket's owner is damaged"
        else:
            refused, reason = _by_lists(caller.id, need, bucket, find)
        if refused or self.verbose:
            self._log.debug(
                "{verdict} user={user!r} operation={operation} bucket={bucket!r} key={key!r}: "
                "{reason}",
                verdict="refused" if refused else "allowed",
                user=caller.name,
                operation=operation,
                bucket=bucket.name,
                key=key,
                reason=reason,
            )
        if refused:
            raise AccessDenied


def _by_lists(caller: str, need: Need, bucket: BucketInfo, find: Find | None) -> tuple[bool, str]:
    """Whether to refuse somebody who is not the bucket's owner, and why."""
    if need.bucket is not None and not permits(bucket.acl or (), caller, need.bucket):
        return True, f"the bucket is somebody else's, and its list does not give {need.bucket}"
    if need.object is None and not need.initiator:
        if need.bucket is None:
            return True, "the bucket is somebody else's, and this is for its owner alone"
        return False, f"the bucket's list gives {need.bucket}"
    found = None if find is None else find()
    if found is None:
        # Who may not list does not learn what is there, and what is not.
        if find is not None and permits(bucket.acl or (), caller, need.bucket or READ):
            return False, "it is not there, which the bucket's list lets the user know"
        return True, "the bucket is somebody else's, and what is asked for is not there"
    if (
        caller
        and found.owner == caller
        and (need.initiator or need.object in (READ_ACP, WRITE_ACP))
    ):
        return False, "the object or upload is the user's"
    if need.initiator:
        return True, "somebody else began the upload"
    assert need.object is not None
    grants = found.attributes.acl
    if grants is None:
        grants = () if found.owner is None else private(found.owner)
    if permits(grants, caller, need.object):
        return False, f"the object's list gives {need.object}"
    return True, f"the object's list does not give {need.object}"
