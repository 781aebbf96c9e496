"""How new content appears under its key: at once, whole, with its record, and for good.

A *draft* is a file that nobody can see: unnamed (O_TMPFILE) where the file system can, else with
a unique name in ``.s3gate/staging``.  It is written, gets its record, is synced, and is then
published by one system call: link(2) where the name is free, rename(2) over what has the name.
After that the directory is synced, and every directory made on the way; only then has it happened.

Two rules about names keep two entries of one key apart.  A publisher takes the natural name unless
a directory has it, and then removes a file of the escaped name that an earlier time has left; the
other way round the natural name is a directory, so there is no file to remove.
"""

from __future__ import annotations

import errno
import os
import stat
from contextlib import suppress

from s3daemon.store.interfaces import Busy, NoSuchBucket, ObjectExists
from s3daemon.store.posix import directories, locks, private
from s3daemon.store.posix.durable import Disk
from s3daemon.store.posix.names import needs_record
from s3daemon.store.posix.paths import READ, Place, file_forms
from s3daemon.store.posix.resolving import is_folder_key, is_taken
from s3daemon.store.posix.volume import Bucket, Volume

#: How often a writer makes its directories anew that somebody prunes under it.
TRIES = 20


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


def hashed_name(segments: Place) -> str | None:
    """What the field ``name`` of an object's record has to hold."""
    last = segments[-1]
    return last.decode() if needs_record(last) else None


def publish(
    volume: Volume, bucket: Bucket, segments: Place, draft: Draft, create_only: bool
) -> None:
    """Make a synced draft with its record the object of a key, durably.

    The draft's descriptor stays open; its name (if any) may be used up.  On an error before the
    call that publishes, nothing has changed; when only the syncing after it fails, the new object
    is there, whole, but not acknowledged.

    :raises ObjectExists: create-only, and the key is taken.
    :raises NoSuchBucket: the bucket was deleted meanwhile.
    :raises Busy: directories went away again and again.
    :raises OSError:
    """
    if create_only and is_taken(volume, bucket, segments):
        raise ObjectExists("the key is taken")
    for _ in range(TRIES):
        made: tuple[Place, ...] = ()
        try:
            directory = directories.make(volume, bucket, segments[:-1])
            made = directory.made
            try:
                if create_only and is_folder_key(segments):
                    _check_folder(volume, bucket, directory.fd)
                _place(volume, bucket, directory.fd, segments[-1], draft, create_only)
                made = ()
                directories.sync(volume, bucket, directory)
                return
            finally:
                directory.close()
        except FileNotFoundError:
            if not volume.is_current(bucket):
                raise NoSuchBucket(bucket.name) from None
        finally:
            directories.unmake(volume, bucket, made)
    raise Busy("the directories of the key were removed again and again")


def _place(
    volume: Volume, bucket: Bucket, dir_fd: int, segment: bytes, draft: Draft, create_only: bool
) -> None:
    """Give the draft the name of the key in its directory."""
    forms = file_forms(segment)
    before = draft.name
    for name in forms:
        if create_only:
            placed = _place_new(volume, dir_fd, name, draft)
        else:
            placed = _place_over(volume, bucket, dir_fd, name, draft)
        if placed:
            break
    else:
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), forms[-1])
    if name is not forms[-1] and is_file(forms[-1], dir_fd):
        if create_only:
            # Somebody created the key while a directory had the natural name.
            if before is not None and draft.name is None:
                volume.disk.rename(name, dir_fd, before, draft.dir_fd)
                draft.name = before
            else:
                volume.disk.unlink(name, dir_fd)
            draft.published = False
            raise ObjectExists("the key is taken")
        unlink_object(volume, bucket, forms[-1], dir_fd)


def _place_new(volume: Volume, dir_fd: int, name: bytes, draft: Draft) -> bool:
    """Publish under a name that must be free; False if a directory has it."""
    disk = volume.disk
    try:
        if draft.name is None:
            disk.link_fd(draft.fd, name, dir_fd)
        elif volume.probe.noreplace:
            disk.rename_new(draft.name, draft.dir_fd, name, dir_fd)
            draft.name = None
        else:
            disk.link(draft.name, draft.dir_fd, name, dir_fd)
        draft.published = True
        return True
    except FileExistsError:
        if _is_directory(name, dir_fd):
            return False
        raise ObjectExists("the key is taken") from None


def _place_over(volume: Volume, bucket: Bucket, dir_fd: int, name: bytes, draft: Draft) -> bool:
    """Publish under a name, in place of a file that has it; False if a directory has it."""
    disk = volume.disk
    if draft.name is None:
        try:
            disk.link_fd(draft.fd, name, dir_fd)
            draft.published = True
            return True
        except FileExistsError:
            if _is_directory(name, dir_fd):
                return False
            _stage(volume, bucket, draft)
    assert draft.name is not None
    replaced = _Replaced(volume, bucket, name, dir_fd)
    try:
        disk.rename(draft.name, draft.dir_fd, name, dir_fd)
        draft.name = None
        draft.published = True
        replaced.forget()
        return True
    except IsADirectoryError:
        return False
    finally:
        replaced.close()


def _stage(volume: Volume, bucket: Bucket, draft: Draft) -> None:
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
    """A file that is about to lose its name, so that its spill file can follow it.

    Costs one stat(2) in buckets that have no spill file.
    """

    __slots__ = ("_bucket", "_fd", "_volume")

    def __init__(self, volume: Volume, bucket: Bucket, name: bytes, dir_fd: int) -> None:
        self._volume = volume
        self._bucket = bucket
        self._fd = -1
        if not volume.probe.spills:
            return
        try:
            os.stat(private.SPILL, dir_fd=bucket.home)
            self._fd = os.open(name, READ | os.O_NOFOLLOW, dir_fd=dir_fd)
        except OSError:
            return  # no spill, or a file that is not ours to read

    def forget(self) -> None:
        """The name is gone; so is the file, unless somebody has made a hard link to it."""
        if self._fd >= 0 and os.fstat(self._fd).st_nlink == 0:
            record = self._volume.metadata.load(self._fd, self._bucket.home)
            self._volume.metadata.forget(self._bucket.home, record)

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)


def _check_folder(volume: Volume, bucket: Bucket, fd: int) -> None:
    """Refuse to create what a directory's record says is there, and keep it from being said.

    Where there are no locks, no such record is written either: see :func:`writer.put_folder`.
    """
    locks.lock(fd)
    if volume.metadata.load(fd, bucket.home).put_ns is not None:
        raise ObjectExists("the key is taken")


def is_file(name: bytes, dir_fd: int) -> bool:
    """Whether a name is there and no directory's."""
    try:
        return not stat.S_ISDIR(os.stat(name, dir_fd=dir_fd, follow_symlinks=False).st_mode)
    except FileNotFoundError:
        return False


def _is_directory(name: bytes, dir_fd: int) -> bool:
    try:
        return stat.S_ISDIR(os.stat(name, dir_fd=dir_fd, follow_symlinks=False).st_mode)
    except FileNotFoundError:
        return False
