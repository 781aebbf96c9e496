"""What all parts of the store on disk share: the root, and the way to its buckets."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from types import TracebackType

from s3daemon.store import levels
from s3daemon.store.interfaces import BadBucketName, NoSuchBucket
from s3daemon.store.levels import Durability
from s3daemon.store.posix import keeping
from s3daemon.store.posix.descriptors import has_name, release
from s3daemon.store.posix.durable import Disk
from s3daemon.store.posix.key_locks import KeyLocks
from s3daemon.store.posix.lasting import Lasting
from s3daemon.store.posix.paths import (
    DIRECTORY,
    NOTHING_THERE,
    Place,
    bucket_place,
    directories,
    open_place,
)
from s3daemon.store.posix.probed import Probe
from s3daemon.store.posix.records import MetadataStore

#: A bucket is a directory and not a link to one, as else two buckets could be the same.
_TOP = DIRECTORY | os.O_NOFOLLOW


class Bucket:
    """The directory of a bucket, open.  Use it as a context manager, or close it.

    :ivar name: the bucket's name.
    :ivar place: where it is, from the root.
    :ivar fd: descriptor of its directory.
    :ivar home: descriptor of the directory that holds its ``.s3gate``: the top-level bucket's.
    """

    __slots__ = ("_disk", "_volume", "fd", "home", "name", "place")

    def __init__(self, volume: Volume, name: str, place: Place, fd: int, home: int) -> None:
        self._volume = volume
        self._disk: Disk | None = None
        self.name = name
        self.place = place
        self.fd = fd
        self.home = home

    @property
    def disk(self) -> Disk:
        """The gate for changes in this bucket, on its level.

        The level is read when it is asked for first, so that what only reads does not pay for it,
        and a change of it counts for all that begins afterwards, in whatever process.

        :raises OSError: it cannot be read.
        """
        if self._disk is None:
            self._disk = self._volume.disk.at(self._volume.level(self.home))
        return self._disk

    def close(self) -> None:
        """Let go.  May be called twice."""
        fd, home, self.fd, self.home = self.fd, self.home, -1, -1
        if fd >= 0:
            release(fd)
            if home != fd:
                release(home)

    def __enter__(self) -> Bucket:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


class Volume:
    """The root of a store.

    :ivar root: its path, for messages.
    :ivar fd: descriptor of the root directory.
    :ivar disk: the gate for changes, on the level of buckets that have none of their own.
    :ivar metadata: where records are.
    :ivar probe: what the file system can do.
    :ivar locks: those of the keys.
    :ivar lasting: directories that are on the device.
    """

    def __init__(self, root: Path, disk: Disk, probe: Probe) -> None:
        self.root = root
        self.disk = disk
        self.probe = probe
        self.fd = os.open(root, DIRECTORY)
        self.metadata: MetadataStore = keeping.store_of(disk, self.fd, probe)
        self.lasting = Lasting()
        self.locks = KeyLocks(disk, self.fd, probe.locks)

    def close(self) -> None:
        """Let go of the root.  May be called twice."""
        fd, self.fd = self.fd, -1
        if fd >= 0:
            release(fd)

    def bucket(self, name: str) -> Bucket:
        """Open a bucket.

        It is opened by name every time: a descriptor that is kept would go on showing a directory
        that somebody has renamed or removed.

        :raises NoSuchBucket: also where no directory can have this name.
        """
        try:
            place = bucket_place(name)
        except BadBucketName as bad:
            raise NoSuchBucket(str(bad)) from bad
        try:
            home = os.open(place[0], _TOP, dir_fd=self.fd)
        except OSError as exc:
            if exc.errno in NOTHING_THERE:
                raise NoSuchBucket(name) from exc
            raise
        if len(place) == 1:
            return Bucket(self, name, place, home, home)
        try:
            below, fd = self._nested(name, home, place[1:])
            return Bucket(self, name, (place[0], *below), fd, home)
        except BaseException:
            release(home)
            raise

    def level(self, home: int) -> Durability:
        """The level of durability of a top-level bucket, and of those within it.

        Where nobody can tell any more, it is strict.
        """
        record = self.metadata.load(home, home)
        if record.damaged:
            return "strict"
        said = None if record.bucket is None else record.bucket.durability
        return levels.chosen(said, self.disk.durability)

    def is_current(self, bucket: Bucket) -> bool:
        """Whether the bucket's name still leads to the directory that is open.

        :raises OSError: nobody knows, as where all of an export is stale.
        """
        try:
            with self.bucket(bucket.name) as now:
                # While it is being removed, its name may still lead to it.
                return has_name(bucket.fd) and os.path.sameopenfile(now.fd, bucket.fd)
        except (NoSuchBucket, FileNotFoundError):
            return False

    def why(self, bucket: Bucket, exc: OSError) -> Exception:
        """What an error under a bucket means: perhaps that the bucket was deleted meanwhile.

        In a directory that was removed, Linux says ENOENT, ext4 also EPERM, and NFS ESTALE.  But
        an export that is away for a while is stale, too: then the root is, and nobody knows.
        """
        if exc.errno not in (errno.ENOENT, errno.EPERM, errno.ESTALE):
            return exc
        if exc.errno == errno.ESTALE and not has_name(self.fd):
            return exc
        return exc if self.is_current(bucket) else NoSuchBucket(bucket.name)

    def _nested(self, name: str, home: int, segments: Place) -> tuple[Place, int]:
        for place in directories(home, segments):
            try:
                return place, open_place(home, place, DIRECTORY)
            except OSError as exc:
                if exc.errno not in NOTHING_THERE:
                    raise
        raise NoSuchBucket(name)
