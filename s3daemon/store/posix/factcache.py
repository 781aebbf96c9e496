"""Facts of files that were listed before, for as long as they are certainly true.

Opening a file and reading its record is most of what a key of a listing costs.  Every change of a
file's content, of its record or of its name stamps its ctime, and replacing it makes another inode;
so what was found is found again by device, inode, ctime, mtime and size.  As with directories (see
:mod:`snapshots`), a stamp that was younger than the window when the record was read proves nothing
and is not remembered.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable

import attrs

from s3daemon.store.interfaces import Attributes, ObjectInfo

#: Files that are remembered, at 0.7 to 1.3 KB each.
_MAX_FILES = 20_480

Identity = tuple[int, int, int, int, int]


class FactCache:
    """Facts by what stat(2) says of a file; for any thread.

    Two generations: when the younger is full, it becomes the older, and what was not asked for
    since it became so is forgotten.  That needs no lock and no order of use.
    """

    def __init__(
        self,
        window_ns: int,
        now_ns: Callable[[], int] = time.time_ns,
        limit: int = _MAX_FILES,
    ) -> None:
        self._window_ns = window_ns
        self._now_ns = now_ns
        self._half = limit // 2
        self._young: dict[Identity, ObjectInfo] = {}
        self._old: dict[Identity, ObjectInfo] = {}
        self._last: tuple[str | None, Attributes] = (None, Attributes())

    def __len__(self) -> int:
        return len(self._young) + len(self._old)

    def get(self, key: str, status: os.stat_result) -> ObjectInfo | None:
        """The facts of a regular file with this status under a key, if they are remembered."""
        identity = _identity(status)
        found = self._young.get(identity)
        if found is None:
            found = self._old.get(identity)
            if found is None:
                return None
            self._put(identity, found)
        if found.key != key:  # another link to it, or it has been renamed
            return attrs.evolve(found, key=key)
        return found

    def put(self, status: os.stat_result, info: ObjectInfo) -> None:
        """Remember facts; the status was taken, of the open file, before the record was read."""
        changed_ns = max(status.st_ctime_ns, status.st_mtime_ns)
        if self._window_ns <= 0 or self._now_ns() - changed_ns > self._window_ns:
            self._put(_identity(status), self._share(info))

    def _share(self, info: ObjectInfo) -> ObjectInfo:
        """The same with what is equal in most files held only once: half of the memory."""
        owner, attributes = self._last
        if info.owner != owner or info.attributes != attributes:
            self._last = (info.owner, info.attributes)
            return info
        return ObjectInfo(
            info.key,
            info.size,
            info.modified_ns,
            info.etag,
            attributes,
            owner,
            info.part_sizes,
            info.upload_id,
        )

    def _put(self, identity: Identity, info: ObjectInfo) -> None:
        young = self._young
        if len(young) >= self._half:
            self._old, self._young = young, {}
            young = self._young
        young[identity] = info


def _identity(status: os.stat_result) -> Identity:
    return (
        status.st_ino,
        status.st_ctime_ns,
        status.st_size,
        status.st_mtime_ns,
        status.st_dev,
    )
