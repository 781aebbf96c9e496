"""Drafts: new content that nobody sees yet, and the calls that give it a name.

A draft is a file that nobody can see: unnamed (O_TMPFILE) where the file system can, else with a
unique name in ``.s3gate/staging``.
"""

from __future__ import annotations

import os
import stat
from contextlib import suppress

from s3daemon.store.interfaces import Busy, ObjectExists
from s3daemon.store.posix import private
from s3daemon.store.posix.durable import Disk
from s3daemon.store.posix.paths import READ
from s3daemon.store.posix.records import is_gone
from s3daemon.store.posix.volume import Bucket, Volume

#: How often what has a name may be gone when it is looked at.
_TRIES = 20


class Draft:
    """Content that nobody sees yet.

    :ivar fd: its descriptor, open for reading and writing.
    :ivar name: the name that it has for now, or None.
    :ivar dir_fd: the directory of that name.
    :ivar published: whether it has become an object, be it acknowledged or not.
    """

    __slots__ = ("dir_fd", "fd", "name", "published")

    def __init__(self, fd: int, name: bytes | None, dir_fd: int) -> None:
        self.fd = fd
        self.name = name
        self.dir_fd = dir_fd
        self.published = False

    def discard(self, disk: Disk) -> None:
        """Remove what is left of it.  May be called twice, and after it was published.

        Never fails: what matters about the bytes was said when they were synced, and a name that
        stays in staging is removed with the other leftovers.
        """
        fd, name, self.fd, self.name = self.fd, self.name, -1, None
        with suppress(OSError):
            if fd >= 0:
                os.close(fd)
        with suppress(OSError):
            if name is not None:
                disk.unlink(name, self.dir_fd)


def open_draft(volume: Volume, bucket: Bucket) -> Draft:
    """A new empty draft; it needs the bucket's descriptors for as long as it lives.

    :raises NoSuchBucket: the bucket was deleted meanwhile.
    """
    disk = volume.disk
    try:
        if volume.probe.tmpfile:
            return Draft(disk.open_temp(bucket.fd), None, bucket.home)
        name = private.STAGING + b"/" + private.unique()
        try:
            return Draft(disk.create(name, bucket.home), name, bucket.home)
        except FileNotFoundError:
            private.make(disk, bucket.home, private.STAGING)
            return Draft(disk.create(name, bucket.home), name, bucket.home)
    except OSError as exc:
        raise volume.why(bucket, exc) from exc


def place_new(volume: Volume, dir_fd: int, name: bytes, draft: Draft) -> bool:
    """Publish under a name that must be free; False if a directory has it.

    :raises ObjectExists: a file has it.
    :raises Busy: whatever had it was gone again and again.
    """
    for _ in range(_TRIES):
        try:
            _give_name(volume, dir_fd, name, draft)
        except FileExistsError:
            if is_directory(name, dir_fd):
                return False
            if is_file(name, dir_fd):
                raise ObjectExists("the key is taken") from None
            # A directory had it, and was pruned just now: the name is free.
        else:
            draft.published = True
            return True
    raise Busy("what has the name of the key comes and goes")


def _give_name(volume: Volume, dir_fd: int, name: bytes, draft: Draft) -> None:
    """:raises FileExistsError: something has it."""
    disk = volume.disk
    if draft.name is None:
        disk.link_fd(draft.fd, name, dir_fd)
    elif volume.probe.noreplace:
        disk.rename_new(draft.name, draft.dir_fd, name, dir_fd)
        draft.name = None
    else:
        disk.link(draft.name, draft.dir_fd, name, dir_fd)


def replace(volume: Volume, bucket: Bucket, dir_fd: int, name: bytes, draft: Draft) -> bool:
    """Publish a draft that has a name under another, in place of a file that has it.

    :return: False if a directory has it.
    """
    assert draft.name is not None
    replaced = _Replaced(volume, bucket, name, dir_fd)
    try:
        volume.disk.rename(draft.name, draft.dir_fd, name, dir_fd)
        draft.name = None
        draft.published = True
        replaced.forget()
        return True
    except IsADirectoryError:
        return False
    finally:
        replaced.close()


def stage(volume: Volume, bucket: Bucket, draft: Draft) -> None:
    """Give an unnamed draft a name, from which it can be renamed over another file."""
    name = private.STAGING + b"/" + private.unique()
    try:
        volume.disk.link_fd(draft.fd, name, bucket.home)
    except FileNotFoundError:
        private.make(volume.disk, bucket.home, private.STAGING)
        volume.disk.link_fd(draft.fd, name, bucket.home)
    draft.name, draft.dir_fd = name, bucket.home


def unlink_object(volume: Volume, bucket: Bucket, name: bytes, dir_fd: int) -> bool:
    """Remove a file and what its record keeps elsewhere; False if it was not there."""
    replaced = _Replaced(volume, bucket, name, dir_fd)
    try:
        volume.disk.unlink(name, dir_fd)
        replaced.forget()
        return True
    except (FileNotFoundError, IsADirectoryError):
        return False
    finally:
        replaced.close()


class _Replaced:
    """A file that is about to lose its name, so that what its record keeps elsewhere can follow it.

    Costs one stat(2) in buckets where no record does.  It is open meanwhile, so that no other file
    can be taken for it.
    """

    __slots__ = ("_bucket", "_dir_fd", "_fd", "_name", "_volume")

    def __init__(self, volume: Volume, bucket: Bucket, name: bytes, dir_fd: int) -> None:
        self._volume = volume
        self._bucket = bucket
        self._name = name
        self._dir_fd = dir_fd
        self._fd = -1
        if not volume.metadata.keeps_apart(bucket.home):
            return
        try:
            self._fd = os.open(name, READ | os.O_NOFOLLOW, dir_fd=dir_fd)
        except OSError:
            return  # not there, or not ours to read

    def forget(self) -> None:
        """The name is gone; so is the file, unless somebody has made a hard link to it."""
        if self._fd >= 0 and is_gone(self._fd, self._name, stale=False):
            record = self._volume.metadata.load(self._fd, self._bucket.home)
            if record.spill is not None:
                # Else a power cut could bring the file back, and not what its record names.
                self._bucket.disk.fsync(self._dir_fd)
            self._volume.metadata.forget(self._volume.disk, self._bucket.home, record)

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)


def is_file(name: bytes, dir_fd: int) -> bool:
    """Whether a name is there and no directory's."""
    try:
        return not stat.S_ISDIR(os.stat(name, dir_fd=dir_fd, follow_symlinks=False).st_mode)
    except FileNotFoundError:
        return False


def is_directory(name: bytes, dir_fd: int) -> bool:
    """Whether a name is a directory's."""
    try:
        return stat.S_ISDIR(os.stat(name, dir_fd=dir_fd, follow_symlinks=False).st_mode)
    except FileNotFoundError:
        return False
