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

from s3daemon.store.interfaces import Attributes, Checksum, ObjectInfo

#: Files that are remembered, at 0.5 to 1.3 KB each.
_MAX_FILES = 20_480

#: Sets of attributes that are held once for all files that have them.
_MAX_SHARED = 64

Identity = tuple[int, int, int, int, int]

#: Fields of ObjectInfo but ``key`` and ``folder``; attributes by number where they are shared, the
#: checksum as a tuple.
#: A tuple of plain values costs the garbage collector nothing, which objects by the thousand would.
_Kept = tuple[
    int,
    int,
    str,
    "Attributes | int",
    "str | None",
    tuple[int, ...],
    "str | None",
    "tuple[str, str, str] | None",
    tuple[str, ...],
]


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
        self._young: dict[Identity, _Kept] = {}
        self._old: dict[Identity, _Kept] = {}
        self._shared: list[Attributes] = []

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
        size, modified_ns, etag, attributes, owner, part_sizes, upload_id, checksum, sums = found
        return ObjectInfo(
            key,
            size,
            modified_ns,
            etag,
            self._shared[attributes] if isinstance(attributes, int) else attributes,
            owner,
            part_sizes,
            upload_id,
            checksum=None if checksum is None else Checksum(*checksum),
            part_checksums=sums,
        )

    def put(self, status: os.stat_result, info: ObjectInfo) -> None:
        """Remember facts; the status was taken, of the open file, before the record was read."""
        changed_ns = max(status.st_ctime_ns, status.st_mtime_ns)
        if self._window_ns > 0 and self._now_ns() - changed_ns <= self._window_ns:
            return
        checksum = info.checksum
        kept = (
            info.size,
            info.modified_ns,
            info.etag,
            self._share(info.attributes),
            info.owner,
            info.part_sizes,
            info.upload_id,
            None if checksum is None else (checksum.algorithm, checksum.value, checksum.kind),
            info.part_checksums,
        )
        self._put(_identity(status), kept)

    def _share(self, attributes: Attributes) -> Attributes | int:
        """The number of attributes that other files have too, or themselves."""
        if attributes.metadata or attributes.tags or attributes.acl is not None:
            return attributes
        for number, shared in enumerate(self._shared):
            if shared.system == attributes.system:
                return number
        # Two threads may add the same, which does no harm; what was added stays where it is.
        if len(self._shared) >= _MAX_SHARED:
            return attributes
        self._shared.append(attributes)
        return attributes

    def _put(self, identity: Identity, kept: _Kept) -> None:
        young = self._young
        if len(young) >= self._half:
            self._old, self._young = young, {}
            young = self._young
        young[identity] = kept


def _identity(status: os.stat_result) -> Identity:
    return (
        status.st_ino,
        status.st_ctime_ns,
        status.st_size,
        status.st_mtime_ns,
        status.st_dev,
    )
