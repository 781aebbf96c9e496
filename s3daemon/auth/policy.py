"""May they: the one decision."""

from __future__ import annotations

import attrs
from twisted.logger import Logger

from s3daemon.auth.identity import Identity
from s3daemon.store.interfaces import BucketInfo
from s3daemon.wire.errors import AccessDenied


@attrs.frozen
class Policy:
    """Buckets are private: what is in one is for its owner.

    A directory that no S3 client made has no owner.

    :ivar unowned_for_all: every authenticated caller may use such a bucket; else nobody may.
    """

    unowned_for_all: bool = True
    _log: Logger = attrs.field(factory=lambda: Logger(namespace="s3daemon.policy"), eq=False)

    def may(self, caller: Identity, operation: str, bucket: BucketInfo, key: str) -> None:
        """Return when the caller may do this with this key ("" for the bucket itself).

        :raises AccessDenied: they may not; the client does not learn why, the debug log does.
        """
        if bucket.owner is None:
            if self.unowned_for_all:
                return
            reason = "the bucket has no owner"
        elif bucket.owner == caller.id:
            return
        else:
            reason = "the bucket is somebody else's"
        self._log.debug(
            "refused user={user} operation={operation} bucket={bucket!r} key={key!r}: {reason}",
            user=caller.name,
            operation=operation,
            bucket=bucket.name,
            key=key,
            reason=reason,
        )
        raise AccessDenied
