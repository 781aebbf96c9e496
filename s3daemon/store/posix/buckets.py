"""Buckets on disk: directories, with or without a record."""

from __future__ import annotations

import errno
import os
import stat
import time
from collections.abc import Callable, Sequence
from contextlib import suppress

import attrs
from zope.interface import implementer

from s3daemon.store.interfaces import (
    BadBucketName,
    BucketExists,
    BucketInfo,
    Busy,
    IBuckets,
    NoSuchBucket,
    StorageError,
)
from s3daemon.store.levels import Durability
from s3daemon.store.posix import locks, private
from s3daemon.store.posix.durable import Disk
from s3daemon.store.posix.emptying import delete_bucket
from s3daemon.store.posix.entries import entries
from s3daemon.store.posix.errnos import facts
from s3daemon.store.posix.metadata import BucketRecord, Record
from s3daemon.store.posix.paths import DIRECTORY, bucket_place, is_listed_bucket
from s3daemon.store.posix.snapshots import DEFAULT_WINDOW_NS
from s3daemon.store.posix.volume import Bucket, Volume
from s3daemon.wire.grants import Grants

#: Name -> (device, inode, ctime) of a bucket's directory, and what its record said then.
RecentBuckets = dict[str, tuple[tuple[int, int, int], BucketInfo]]
_MOST_RECENT = 4096

#: The owner of a bucket whose record cannot be understood: see :class:`BucketInfo`.
_NOBODY = ""

_NO_RENAME_NEW = frozenset((errno.ENOSYS, errno.EINVAL, errno.EOPNOTSUPP, errno.EXDEV))


@implementer(IBuckets)
class PosixBuckets:
    """Buckets of a :class:`s3daemon.store.posix.store.PosixStore`."""

    def __init__(self, volume: Volume, recent: RecentBuckets | None = None) -> None:
        self._volume = volume
        self.recent: RecentBuckets = {} if recent is None else recent

    @facts
    def list(self) -> Sequence[BucketInfo]:
        """See :meth:`IBuckets.list`."""
        with entries(self._volume.fd) as found:
            names = [
                name
                for entry in found
                if is_listed_bucket(name := os.fsencode(entry.name))
                and entry.is_dir(follow_symlinks=False)
            ]
        buckets: list[BucketInfo] = []
        for name in sorted(names):
            try:
                with self._volume.bucket(name.decode()) as bucket:
                    buckets.append(self._info(bucket))
            except NoSuchBucket:
                continue  # deleted since
        return buckets

    @facts
    def get(self, name: str) -> BucketInfo:
        """See :meth:`IBuckets.get`."""
        with self._volume.bucket(name) as bucket:
            status = os.fstat(bucket.fd)
            info = self._info(bucket)
        self._remember(status, info)
        return info

    @facts
    def create(self, name: str, owner: str | None, ownership: str | None = None) -> BucketInfo:
        """See :meth:`IBuckets.create`.

        The directory is made elsewhere, gets its record, and is then moved to its name in one step,
        so that there never is a bucket whose owner is not known.
        """
        place = bucket_place(name)
        said = BucketRecord(owner, time.time_ns(), ownership=ownership)
        volume = self._volume
        try:
            volume.bucket(name).close()
        except NoSuchBucket:
            pass
        else:
            raise BucketExists(name)
        if len(place) == 1:
            self._make(place[0], volume.fd, volume.fd, said)
        else:
            with volume.bucket(name.rpartition(":")[0]) as above:
                try:
                    self._make(place[-1], above.fd, above.home, said)
                except FileNotFoundError as exc:
                    raise NoSuchBucket(above.name) from exc
        return BucketInfo(name, owner, said.created_ns, ownership=ownership)

    @facts
    def delete(self, name: str) -> None:
        """See :meth:`IBuckets.delete`."""
        delete_bucket(self._volume, name)

    @facts
    def set_tags(self, name: str, tags: tuple[tuple[str, str], ...] | None) -> None:
        """See :meth:`IBuckets.set_tags`."""
        self._change(name, lambda said: attrs.evolve(said, tags=tags))

    @facts
    def set_acl(self, name: str, decide: Callable[[BucketInfo], Grants | None]) -> None:
        """See :meth:`IBuckets.set_acl`."""
        self._change(name, lambda said: attrs.evolve(said, acl=decide(said)))

    @facts
    def set_durability(self, name: str, level: Durability | None) -> None:
        """See :meth:`IBuckets.set_durability`."""
        if ":" in name:
            raise BadBucketName("a bucket that lies in another one has the level of that one")
        disk = self._volume.disk.at("strict")
        self._change(name, lambda said: attrs.evolve(said, durability=level), disk)
        if level != "relaxed":
            disk.sync_all(self._volume.fd)

    def _change(
        self,
        name: str,
        change: Callable[[BucketInfo], BucketInfo],
        by: Disk | None = None,
    ) -> None:
        """Write down what a bucket is to be, under its lock."""
        volume = self._volume
        with volume.bucket(name) as bucket:
            disk = by or bucket.disk
            fd = os.open(b".", DIRECTORY, dir_fd=bucket.fd)
            try:
                if locks.lock(fd) is False:
                    raise Busy("another program holds a lock on the bucket's directory")
                old = volume.metadata.load(fd, bucket.home)
                info = change(self._info(bucket))
                said = BucketRecord(
                    info.owner,
                    info.created_ns,
                    info.tags,
                    info.acl,
                    info.ownership,
                    info.durability,
                )
                volume.metadata.save(disk, fd, bucket.home, attrs.evolve(old, bucket=said), old)
                disk.fsync(fd)
            finally:
                os.close(fd)

    def _remember(self, status: os.stat_result, info: BucketInfo) -> None:
        """Remember a bucket, unless it may have changed since without another stamp."""
        changed_ns = max(status.st_ctime_ns, status.st_mtime_ns)
        if time.time_ns() - changed_ns <= DEFAULT_WINDOW_NS:
            return
        if len(self.recent) >= _MOST_RECENT:
            self.recent.clear()
        self.recent[info.name] = ((status.st_dev, status.st_ino, status.st_ctime_ns), info)

    def _info(self, bucket: Bucket) -> BucketInfo:
        record = self._volume.metadata.load(bucket.fd, bucket.home)
        said = record.bucket
        if said is None:
            # Whoever damages a record must not make the bucket everybody's.
            owner = _NOBODY if record.damaged else None
            return BucketInfo(bucket.name, owner, os.fstat(bucket.fd).st_mtime_ns)
        return BucketInfo(
            bucket.name,
            said.owner,
            said.created_ns,
            said.tags,
            said.acl,
            said.ownership,
            said.durability,
        )

    def _make(self, name: bytes, dir_fd: int, home: int, said: BucketRecord) -> None:
        """Make a directory with a record.  :raises BucketExists, BadBucketName:"""
        disk = self._volume.disk
        if not self._volume.metadata.moves_along:
            self._make_in_place(name, dir_fd, home, said)
            disk.sync_names(dir_fd)
            return
        staged = private.STAGING + b"/" + private.unique()
        try:
            disk.mkdir(staged, home)
        except FileNotFoundError:
            private.make(disk, home, private.STAGING)
            disk.mkdir(staged, home)
        try:
            self._record(staged, home, home, said)
            try:
                disk.rename_new(staged, home, name, dir_fd)
            except FileExistsError:
                raise _taken(name, dir_fd) from None
            except OSError as exc:
                if exc.errno not in _NO_RENAME_NEW:
                    raise
                self._make_in_place(name, dir_fd, home, said)
                self._take_back(staged, home, home)
        except BaseException:
            self._take_back(staged, home, home)
            raise
        disk.sync_names(dir_fd)

    def _make_in_place(self, name: bytes, dir_fd: int, home: int, said: BucketRecord) -> None:
        try:
            self._volume.disk.mkdir(name, dir_fd)
        except FileExistsError:
            raise _taken(name, dir_fd) from None
        try:
            self._record(name, dir_fd, home, said)
        except OSError:
            self._take_back(name, dir_fd, home)
            raise

    def _take_back(self, name: bytes, dir_fd: int, home: int) -> None:
        """Remove a directory with a record that is to be no bucket; one that is not empty stays."""
        disk, kept = self._volume.disk, self._volume.metadata
        with suppress(OSError):  # in staging it is swept some time
            fd = os.open(name, DIRECTORY | os.O_NOFOLLOW, dir_fd=dir_fd)
            try:
                record = kept.load(fd, home)
                disk.rmdir(name, dir_fd)
                kept.forget(disk, home, record)
            finally:
                os.close(fd)

    def _record(self, name: bytes, dir_fd: int, home: int, said: BucketRecord) -> None:
        fd = os.open(name, DIRECTORY | os.O_NOFOLLOW, dir_fd=dir_fd)
        try:
            self._volume.metadata.save(self._volume.disk, fd, home, Record(bucket=said))
            self._volume.disk.fsync(fd)
        finally:
            os.close(fd)


def _taken(name: bytes, dir_fd: int) -> StorageError:
    """Why a name cannot be that of a new bucket."""
    try:
        mode = os.stat(name, dir_fd=dir_fd, follow_symlinks=False).st_mode
    except FileNotFoundError:
        return Busy("a name that was taken is free again")
    if stat.S_ISDIR(mode):
        return BucketExists("there is a directory of that name")
    return BadBucketName("there is a file of that name")
