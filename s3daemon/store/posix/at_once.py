"""What the kernel has in memory, taken on the spot: calls that never wait for a disk.

A hop to a thread costs a small read more than the read itself.  So a reader may ask here first, on
the reactor's thread: paths are opened only as far as the kernel knows them by heart (openat2(2),
RESOLVE_CACHED), bytes are read only from the page cache (preadv2(2), RWF_NOWAIT), and records are
those that were read before and are certainly still true (see :mod:`factcache`).  Whatever would
need more raises :class:`WouldBlock`, and then a thread does it all from the beginning.

That holds for file systems on local devices only: on others, opening alone may ask a server.
"""

from __future__ import annotations

import os
import stat

from zope.interface import implementer

from s3daemon.store.interfaces import (
    BucketInfo,
    IAtOnce,
    IBuckets,
    IObjects,
    IReader,
    ObjectInfo,
    WouldBlock,
)
from s3daemon.store.posix import syscalls
from s3daemon.store.posix.buckets import PosixBuckets
from s3daemon.store.posix.objects import PosixObjects
from s3daemon.store.posix.paths import READ, bucket_place, is_plain
from s3daemon.store.posix.reader import PosixReader
from s3daemon.store.posix.volume import Volume

_KNOWN = syscalls.RESOLVE_BENEATH | syscalls.RESOLVE_NO_SYMLINKS | syscalls.RESOLVE_CACHED
_LOOK = os.O_PATH | os.O_CLOEXEC | os.O_DIRECTORY | os.O_NOFOLLOW


class AtOnceBuckets(PosixBuckets):
    """Only :meth:`get` is at once."""

    def get(self, name: str) -> BucketInfo:
        """See :meth:`IBuckets.get`.  :raises WouldBlock:"""
        place = _top(name)
        known = self.recent.get(name)
        if known is None:
            raise WouldBlock
        fd = _open(self._volume.fd, place, _LOOK)
        try:
            if known[0] != _identity(os.fstat(fd)):
                raise WouldBlock
        finally:
            os.close(fd)
        return known[1]


class AtOnceObjects(PosixObjects):
    """Only :meth:`open` and :meth:`stat` are at once."""

    def open(self, bucket: str, key: str) -> IReader:
        """See :meth:`IObjects.open`.  :raises WouldBlock:"""
        fd = self._open_known(bucket, key)
        try:
            return AtOnceReader(self._known(fd, key), fd)
        except BaseException:
            os.close(fd)
            raise

    def stat(self, bucket: str, key: str) -> ObjectInfo:
        """See :meth:`IObjects.stat`.  :raises WouldBlock:"""
        fd = self._open_known(bucket, key)
        try:
            return self._known(fd, key)
        finally:
            os.close(fd)

    def _open_known(self, bucket: str, key: str) -> int:
        path = key.encode("utf-8", "surrogatepass")
        if not is_plain(path):
            raise WouldBlock
        # No link is followed, so a path from the root stays in the bucket as well.
        return _open(self._volume.fd, _top(bucket) + b"/" + path, READ)

    def _known(self, fd: int, key: str) -> ObjectInfo:
        status = os.fstat(fd)
        info = self.recent.get(key, status) if stat.S_ISREG(status.st_mode) else None
        if info is None:
            raise WouldBlock
        return info


class AtOnceReader(PosixReader):
    """Reads what is in the page cache."""

    __slots__ = ()

    closes_at_once = True

    def read(self, offset: int, size: int) -> bytes:
        """See :meth:`IReader.read`.  :raises WouldBlock:"""
        return self.read_at_once(offset, size)

    def patient(self) -> IReader:
        """See :meth:`IReader.patient`."""
        fd, self._fd = self._fd, -1
        return PosixReader(self.info, fd)


@implementer(IAtOnce)
class AtOnce:
    """The view of a store that never waits.

    :ivar buckets: of :meth:`IBuckets.get` only; :ivar objects: of :meth:`IObjects.open` and
        :meth:`IObjects.stat` only.
    """

    def __init__(self, volume: Volume, buckets: PosixBuckets, objects: PosixObjects) -> None:
        self.buckets: IBuckets = AtOnceBuckets(volume, buckets.recent)
        self.objects: IObjects = AtOnceObjects(volume, objects.recent)


def _top(bucket: str) -> bytes:
    if ":" in bucket:
        raise WouldBlock
    return bucket_place(bucket)[0]


def _open(dir_fd: int, path: bytes, flags: int) -> int:
    try:
        return syscalls.openat2(dir_fd, path, flags, _KNOWN)
    except OSError:
        # Not known, or not there, or not for us: a thread finds out which.
        raise WouldBlock from None


def _identity(status: os.stat_result) -> tuple[int, int, int]:
    return status.st_dev, status.st_ino, status.st_ctime_ns


__all__ = ["AtOnce", "AtOnceBuckets", "AtOnceObjects", "AtOnceReader"]
