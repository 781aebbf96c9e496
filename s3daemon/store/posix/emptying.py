"""Deleting a bucket, while others may be putting objects into it.

What must not happen: an object is acknowledged and then removed with its bucket; or the bucket
stays but something acknowledged in it is gone.

1. The tree is read.  Any object, and anything that is not ours to judge, ends it: nothing has been
   changed.
2. Empty directories are removed from below, each by rmdir(2).  A writer that publishes at the same
   time either comes first, and then the kernel finds the directory not empty; or it finds its
   directory gone, makes it again, and so keeps the directory above from being removed.
3. What is left is ours: uploads and the private directory.  They are *moved aside* in one step
   each, and then the bucket itself is removed by rmdir(2).  If a writer came first, that fails,
   what was moved aside is moved back, and the answer is BucketNotEmpty: nothing is lost.  If it
   succeeds, the writer's link(2) or rename(2) into the directory fails with ENOENT, and its commit
   with NoSuchBucket: nothing was acknowledged.  The rmdir is the moment at which the bucket ends.
4. The root is synced; only then what was moved aside is removed.  A crash before leaves it in
   ``.s3gate/trash`` beneath the root, where it is cleaned up some time.

A directory that is itself an object is told from an empty one by its record, under its lock (see
:mod:`directories`).
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import suppress

import attrs

from s3daemon.store.interfaces import BucketNotEmpty, Busy, NoSuchBucket
from s3daemon.store.posix import locks, private, pruning
from s3daemon.store.posix.entries import names_in
from s3daemon.store.posix.metadata import Record
from s3daemon.store.posix.names import RESERVED
from s3daemon.store.posix.paths import DIRECTORY, NOTHING_THERE, Place, open_place
from s3daemon.store.posix.volume import Bucket, Volume

_NOT_EMPTY = frozenset((errno.ENOTEMPTY, errno.EEXIST))
#: How often uploads may be begun in a bucket while it is being deleted.
_TRIES = 20


@attrs.frozen
class _Aside:
    """Something of ours that was moved away from a directory; ``trash`` is its path now."""

    place: Place
    name: bytes
    trash: bytes


@attrs.frozen
class _Gone:
    """A bucket within the bucket that was removed."""

    place: Place
    record: Record


def delete_bucket(volume: Volume, name: str) -> None:
    """Remove a bucket without objects, durably.

    :raises NoSuchBucket, BucketNotEmpty:
    :raises Busy: uploads were begun again and again.
    :raises OSError:
    """
    undo: list[_Aside | _Gone] = []
    with volume.bucket(name) as bucket:
        below = _directories(volume, bucket)
        try:
            for place, record in below:
                _move_aside(volume, bucket, place, undo)
                if not pruning.remove_any(volume, bucket, place):
                    raise BucketNotEmpty(name)
                if record.bucket is not None:
                    undo.append(_Gone(place, record))
            _remove_top(volume, bucket, undo)
        except NoSuchBucket:
            _clear(volume, undo)  # somebody else has removed it: there is no way back
            raise
        except BaseException:
            for step in reversed(undo):
                with suppress(OSError):  # what stays in the trash is not lost
                    _put_back(volume, bucket, step)
            raise
    _clear(volume, undo)


def _clear(volume: Volume, undo: list[_Aside | _Gone]) -> None:
    """Remove what was moved aside; the bucket is gone."""
    for step in undo:
        if isinstance(step, _Aside):
            with suppress(OSError):  # left to whoever cleans up the trash
                private.remove_tree(volume.disk, step.trash, volume.fd)


def _directories(volume: Volume, bucket: Bucket) -> list[tuple[Place, Record]]:
    """All directories below the bucket's, deepest first.  :raises BucketNotEmpty:"""
    found: list[tuple[Place, Record]] = []
    todo: list[Place] = [()]
    while todo:
        place = todo.pop()
        try:
            fd = open_place(bucket.fd, place, DIRECTORY | os.O_NOFOLLOW)
        except OSError as exc:
            if exc.errno in NOTHING_THERE:
                continue  # gone since
            raise
        try:
            record = volume.metadata.load(fd, bucket.home)
            if record.put_ns is not None:
                raise BucketNotEmpty(bucket.name)
            if place:
                found.append((place, record))
            todo.extend((*place, name) for name in _subdirectories(bucket, fd))
        finally:
            os.close(fd)
    return found[::-1]  # a directory was found before what is below it


def _subdirectories(bucket: Bucket, fd: int) -> Iterator[bytes]:
    with os.scandir(fd) as entries:
        for entry in entries:
            name = os.fsencode(entry.name)
            if name in RESERVED:
                continue
            if not entry.is_dir(follow_symlinks=False):
                raise BucketNotEmpty(bucket.name)
            yield name


def _remove_top(volume: Volume, bucket: Bucket, undo: list[_Aside | _Gone]) -> None:
    """Remove the directory of the bucket itself."""
    if len(bucket.place) > 1 and locks.lock(bucket.fd) is False:
        raise Busy("another program holds a lock on the bucket's directory")
    if not volume.is_current(bucket):
        raise NoSuchBucket(bucket.name)
    record = volume.metadata.load(bucket.fd, bucket.home)
    if record.put_ns is not None:
        raise BucketNotEmpty(bucket.name)  # put as an object of the bucket that it lies in
    disk = bucket.disk  # on its level, which cannot be read any more when it is gone
    parent = open_place(volume.fd, bucket.place[:-1], DIRECTORY)
    try:
        for _ in range(_TRIES):
            _move_aside(volume, bucket, (), undo)
            try:
                volume.disk.rmdir(bucket.place[-1], parent)
            except FileNotFoundError as exc:
                raise NoSuchBucket(bucket.name) from exc
            except OSError as exc:
                if exc.errno not in _NOT_EMPTY:
                    raise
                if not volume.is_current(bucket):
                    raise NoSuchBucket(bucket.name) from exc
                if any(name not in RESERVED for name in names_in(bucket.fd)):
                    raise BucketNotEmpty(bucket.name) from exc
            else:
                disk.sync_names(parent)
                pruning.forget(volume, bucket, record, parent)
                return
    finally:
        os.close(parent)
    raise Busy("uploads were begun again and again")


def _move_aside(volume: Volume, bucket: Bucket, place: Place, undo: list[_Aside | _Gone]) -> None:
    """Move what is ours in a directory into the trash beneath the root."""
    try:
        fd = open_place(bucket.fd, place, DIRECTORY)
    except FileNotFoundError:
        return
    try:
        for name in RESERVED:
            try:
                os.stat(name, dir_fd=fd, follow_symlinks=False)
            except FileNotFoundError:
                continue
            trash = private.TRASH + b"/" + private.unique()
            private.make(bucket.disk, volume.fd, private.TRASH)
            with suppress(FileNotFoundError):
                volume.disk.rename(name, fd, trash, volume.fd)
                undo.append(_Aside(place, name, trash))
    finally:
        os.close(fd)


def _put_back(volume: Volume, bucket: Bucket, step: _Aside | _Gone) -> None:
    place = step.place if isinstance(step, _Aside) else step.place[:-1]
    fd = open_place(bucket.fd, place, DIRECTORY)
    try:
        if isinstance(step, _Gone):
            with suppress(FileExistsError):
                volume.disk.mkdir(step.place[-1], fd)
            made = open_place(bucket.fd, step.place, DIRECTORY)
            try:
                volume.metadata.save(bucket.disk, made, bucket.home, step.record)
                bucket.disk.fsync(made)
            finally:
                os.close(made)
        else:
            private.move_back(volume.disk, step.trash, volume.fd, step.name, fd)
        bucket.disk.sync_names(fd)
    finally:
        os.close(fd)
