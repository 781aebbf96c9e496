"""Compare and swap: a condition is held against the object of a key, and the object is replaced.

The key's lock is held exclusively meanwhile, so that nobody who takes it (see :mod:`key_locks`)
comes in between.  Two kinds of writers do not take it.  A gateway that gives a *free* name to a new
object: where the object was found under a lesser name, such a name may win by the time it is to be
replaced; the swap then finds a file that it did not judge, and judges again.  And other programs,
which know nothing of our locks: what they did is noticed up to the last system call, by looking
once more at what has the name right before it is renamed over.
"""

from __future__ import annotations

import os
import stat

import attrs

from s3daemon.store.interfaces import (
    Condition,
    ConditionConflict,
    ObjectExists,
    ObjectInfo,
    check_condition,
)
from s3daemon.store.posix import drafts, metadata
from s3daemon.store.posix.drafts import Draft
from s3daemon.store.posix.errnos import GONE
from s3daemon.store.posix.paths import (
    DIRECTORY,
    NOTHING_THERE,
    READ,
    Place,
    directories,
    file_forms,
    open_place,
)
from s3daemon.store.posix.records import is_lost
from s3daemon.store.posix.resolving import find_folder, is_folder_key, looks
from s3daemon.store.posix.volume import Bucket, Volume

#: How often an object may turn out to be another before its writer is told to try again.
TRIES = 20

Stamp = tuple[int, int, int, int]


@attrs.frozen
class Current:
    """The object that a condition was held against.

    :ivar info: its facts, without the key; None where there is none.
    :ivar place: of its file; None where it is a directory, or is not there.
    :ivar stamp: device, inode, size and time of that file.
    """

    info: ObjectInfo | None = None
    place: Place | None = None
    stamp: Stamp | None = None

    def is_at(self, name: bytes, dir_fd: int) -> bool:
        """Whether it is certainly still what has a name."""
        try:
            return _stamp(os.stat(name, dir_fd=dir_fd)) == self.stamp
        except OSError:
            return False


def judge(volume: Volume, bucket: Bucket, segments: Place, condition: Condition) -> Current:
    """The object of a key, for which the condition holds.

    :raises ObjectExists, NoSuchKey, ConditionFailed: it does not.
    :raises ConditionConflict: the object was another again and again.
    """
    for left in reversed(range(TRIES)):
        try:
            current = _look(volume, bucket, segments)
        except OSError as exc:
            if exc.errno not in GONE or not left:
                raise
            continue
        if current is not None:
            check_condition(condition, current.info)
            return current
    raise ConditionConflict("the object was replaced again and again")


def swap(
    volume: Volume,
    bucket: Bucket,
    dir_fd: int,
    segments: Place,
    draft: Draft,
    condition: Condition,
) -> None:
    """Give the draft the name of the key in its directory, if the condition holds then.

    The lock of the key is the caller's, exclusively, and the directory is where the key belongs
    since the caller has it.

    :raises ObjectExists, NoSuchKey, ConditionFailed: it does not.
    :raises ConditionConflict: others are writing the key all the while.
    :raises FileNotFoundError: the directory was removed.
    """
    for _ in range(TRIES):
        current = judge(volume, bucket, segments, condition)
        if _place(volume, bucket, dir_fd, file_forms(segments[-1]), draft, current):
            return
    raise ConditionConflict("the object was replaced again and again")


def _place(
    volume: Volume,
    bucket: Bucket,
    dir_fd: int,
    forms: tuple[bytes, ...],
    draft: Draft,
    current: Current,
) -> bool:
    """Publish the draft; False where an object is in the way that was not judged."""
    for name in forms:
        if drafts.is_directory(name, dir_fd):
            continue
        if drafts.is_file(name, dir_fd):
            if draft.name is None:
                drafts.stage(volume, bucket, draft)
            # The last look.
            if not current.is_at(name, dir_fd) and _is_object(name, dir_fd):
                return False
            placed = drafts.replace(volume, bucket, dir_fd, name, draft)
        else:
            try:
                placed = drafts.place_new(volume, dir_fd, name, draft)
            except ObjectExists:
                return False
        if placed:
            if name is not forms[-1] and drafts.is_file(forms[-1], dir_fd):
                drafts.unlink_object(volume, bucket, forms[-1], dir_fd)
            return True
    return False


def _look(volume: Volume, bucket: Bucket, segments: Place) -> Current | None:
    """The object of a key as it is now; None where it vanished on the way."""
    for parent in directories(bucket.fd, segments[:-1]):
        # Opening a directory makes NFS ask the server for what is in it (close-to-open consistency,
        # nfs(5)); what this node remembers of names may be older than the lock.
        try:
            os.close(open_place(bucket.fd, parent, DIRECTORY))
        except OSError as exc:
            if exc.errno in NOTHING_THERE:
                return None
            raise
        for name in looks(segments[-1]):
            place = (*parent, name)
            try:
                fd = open_place(bucket.fd, place, READ)
            except OSError as exc:
                if exc.errno in NOTHING_THERE:
                    continue
                raise
            try:
                st = os.fstat(fd)
                if not stat.S_ISREG(st.st_mode):
                    continue
                record = volume.metadata.load(fd, bucket.home)
                if is_lost(record, fd):
                    return None
            finally:
                os.close(fd)
            return Current(metadata.object_info("", st, record), place, _stamp(st))
    if not is_folder_key(segments):
        return Current()
    found = find_folder(volume, bucket, segments[:-1])
    if found is None:
        return Current()
    try:
        record = volume.metadata.load(found.fd, bucket.home)
    finally:
        os.close(found.fd)
    return Current(metadata.folder_info("", found.st, record))


def _is_object(name: bytes, dir_fd: int) -> bool:
    """Whether a name leads to a regular file, as far as anybody can tell."""
    try:
        return stat.S_ISREG(os.stat(name, dir_fd=dir_fd).st_mode)
    except OSError as exc:
        return exc.errno not in NOTHING_THERE


def _stamp(st: os.stat_result) -> Stamp:
    return st.st_dev, st.st_ino, st.st_size, st.st_mtime_ns
