"""Removing directories that nothing is in any more; see :mod:`directories` for who may."""

from __future__ import annotations

import os
from typing import Literal

from s3daemon.store.posix import locks, private
from s3daemon.store.posix.descriptors import release
from s3daemon.store.posix.metadata import Record
from s3daemon.store.posix.names import UPLOADS_DIR
from s3daemon.store.posix.paths import DIRECTORY, Place, open_place
from s3daemon.store.posix.volume import Bucket, Volume

Which = Literal["implicit", "no bucket", "any"]

#: Which directories may be removed: those that a writer made on the way to an object ...
IMPLICIT: Which = "implicit"
#: ... those that no CreateBucket made ...
NO_BUCKET: Which = "no bucket"
#: ... or any.
_ANY: Which = "any"

#: Links of a directory without directories in it, on file systems that count them.
_NO_SUBDIRECTORIES = 2


def unmake(volume: Volume, bucket: Bucket, made: list[Place] | tuple[Place, ...]) -> None:
    """Take back directories that were made for an object that did not come about."""
    for place in reversed(made):
        if not remove(volume, bucket, place, IMPLICIT):
            return


def prune(volume: Volume, bucket: Bucket, place: Place) -> None:
    """Remove a directory, and those above it, as long as they are implicit and empty.

    What an error or a crash leaves of them is harmless, so this never fails.
    """
    while place and remove(volume, bucket, place, IMPLICIT):
        place = place[:-1]


def remove(volume: Volume, bucket: Bucket, place: Place, which: Which) -> bool:
    """Remove one directory if it is empty, and not an object, and one of those that may go.

    :return: whether it is gone; False where an error keeps it.
    """
    try:
        return _remove(volume, bucket, place, which)
    except OSError:
        return False


def remove_any(volume: Volume, bucket: Bucket, place: Place) -> bool:
    """Remove one directory if it is empty and not an object; whether it is gone.

    :raises OSError: nobody knows whether it is empty, or it cannot be removed.
    """
    return _remove(volume, bucket, place, _ANY)


def remove_open(volume: Volume, bucket: Bucket, place: Place, fd: int, which: Which) -> bool:
    """As :func:`remove` for a directory that is open; its lock is held until that is closed."""
    try:
        return _remove_open(volume, bucket, place, fd, which)
    except OSError:
        return False


def _remove(volume: Volume, bucket: Bucket, place: Place, which: Which) -> bool:
    try:
        fd = open_place(bucket.fd, place, DIRECTORY | os.O_NOFOLLOW)
    except FileNotFoundError:
        return True
    try:
        return _remove_open(volume, bucket, place, fd, which)
    finally:
        release(fd)


def _remove_open(volume: Volume, bucket: Bucket, place: Place, fd: int, which: Which) -> bool:
    if locks.try_lock(fd) is False:
        return False
    record = volume.metadata.load(fd, bucket.home)
    if record.put_ns is not None:
        return False
    if which is not _ANY and record.bucket is not None:
        return False
    if which is IMPLICIT and not record.implicit:
        return False
    parent = bucket.fd if len(place) == 1 else open_place(bucket.fd, place[:-1], DIRECTORY)
    try:
        if not is_at(fd, place[-1], parent):
            return True  # another has removed it, and what is there now is not locked
        gone = private.rmdir_if_empty(volume.disk, place[-1], parent)
        if not gone and os.fstat(fd).st_nlink != _NO_SUBDIRECTORIES:
            # Uploads in a directory that served as a bucket, and are over, leave theirs behind.
            gone = private.rmdir_if_empty(volume.disk, UPLOADS_DIR, fd) and private.rmdir_if_empty(
                volume.disk, place[-1], parent
            )
        if gone:
            volume.lasting.forget(fd)
            forget(volume, bucket, record, parent)
    finally:
        if parent != bucket.fd:
            release(parent)
    return gone


def forget(volume: Volume, bucket: Bucket, record: Record, parent: int) -> None:
    """A directory is gone: remove what its record keeps elsewhere.

    Should a power cut bring the directory back, it must still be known whose bucket it is, or that
    it was made for an object and may go.
    """
    if record.spill is not None:
        bucket.disk.fsync(parent)
    volume.metadata.forget(volume.disk, bucket.home, record)


def is_at(fd: int, name: bytes, dir_fd: int) -> bool:
    """Whether an open directory has this name."""
    try:
        there = os.stat(name, dir_fd=dir_fd, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return os.path.samestat(there, os.fstat(fd))
