"""Removing objects, in whatever forms they are, and the directories that only they kept alive.

Of several forms of one key the one that wins goes last: no reader and no crash brings an older
version to light.
"""

from __future__ import annotations

import os
import stat

from s3daemon.store.interfaces import ALWAYS, Busy, Condition, ConditionConflict
from s3daemon.store.posix import locks, metadata, pruning
from s3daemon.store.posix.drafts import unlink_object
from s3daemon.store.posix.names import file_name
from s3daemon.store.posix.names import segments as split
from s3daemon.store.posix.paths import (
    DIRECTORY,
    NOTHING_THERE,
    READ,
    Place,
    file_forms,
    open_place,
)
from s3daemon.store.posix.paths import directories as places_of
from s3daemon.store.posix.resolving import is_folder_key
from s3daemon.store.posix.swapping import TRIES, Current, judge
from s3daemon.store.posix.volume import Bucket, Volume

_CONTENT_OF_FOLDER = file_name(b"")


def remove(
    volume: Volume, bucket: Bucket, key: str, prune: bool, condition: Condition = ALWAYS
) -> bool:
    """Remove the object of a key, durably; True if there was one.  See :meth:`IObjects.delete`."""
    segments = split(key)
    if condition == ALWAYS:
        with volume.locks.shared(bucket.place, segments):
            return _remove(volume, bucket, segments, prune, None)
    with volume.locks.exclusive(bucket.place, segments):
        for _ in range(TRIES):
            current = judge(volume, bucket, segments, condition)
            try:
                return _remove(volume, bucket, segments, prune, current)
            except _NotJudged:
                continue
    raise ConditionConflict("the object was replaced again and again")


class _NotJudged(Exception):
    """What is to be removed is not the object that the condition was held against."""


def _remove(
    volume: Volume, bucket: Bucket, segments: Place, prune: bool, current: Current | None
) -> bool:
    """Remove all that a key has; with ``current`` only that, and what is hidden by it.

    A file that has taken a name since which wins over that one is younger, and stays.

    :raises _NotJudged: before anything was removed.
    """
    if is_folder_key(segments):
        if current is not None and current.place is not None:
            _look_again(bucket, current, current.place)
        return _remove_folders(volume, bucket, segments[:-1], prune)
    found = False
    if current is not None:
        if current.place is None:
            return False
        _look_again(bucket, current, current.place)
    for parent in reversed(list(places_of(bucket.fd, segments[:-1]))):
        try:
            fd = open_place(bucket.fd, parent, DIRECTORY) if parent else bucket.fd
        except OSError as exc:
            if exc.errno in NOTHING_THERE:
                continue
            raise
        above: Place = ()
        here = last = False
        try:
            for name in reversed(file_forms(segments[-1])):
                if _remove_file(volume, bucket, parent, name, fd):
                    found = here = True
                last = current is not None and (*parent, name) == current.place
                if last:
                    break
            if (
                here
                and prune
                and parent
                and pruning.remove_open(volume, bucket, parent, fd, pruning.IMPLICIT)
            ):
                above = parent[:-1]
        finally:
            if fd != bucket.fd:
                os.close(fd)
        pruning.prune(volume, bucket, above)
        if last:
            break
    return found


def _look_again(bucket: Bucket, current: Current, place: Place) -> None:
    """The last look before a file is removed, for what others than gateways do."""
    parent = open_place(bucket.fd, place[:-1], DIRECTORY)
    try:
        if not current.is_at(place[-1], parent):
            raise _NotJudged
    finally:
        os.close(parent)


def _remove_file(volume: Volume, bucket: Bucket, parent: Place, name: bytes, dir_fd: int) -> bool:
    if not _is_object(bucket, parent, name, dir_fd):
        return False
    if not unlink_object(volume, bucket, name, dir_fd):
        return False
    bucket.disk.sync_names(dir_fd)
    return True


def _is_object(bucket: Bucket, parent: Place, name: bytes, dir_fd: int) -> bool:
    """Whether a name is a regular file's, or a link's to one; nothing else is removed."""
    try:
        mode = os.stat(name, dir_fd=dir_fd, follow_symlinks=False).st_mode
    except FileNotFoundError:
        return False
    if stat.S_ISREG(mode):
        return True
    if not stat.S_ISLNK(mode):
        return False
    try:
        fd = open_place(bucket.fd, (*parent, name), READ)
    except OSError as exc:
        if exc.errno in NOTHING_THERE:
            return False
        raise
    try:
        return stat.S_ISREG(os.fstat(fd).st_mode)
    finally:
        os.close(fd)


def _remove_folders(volume: Volume, bucket: Bucket, segments: Place, prune: bool) -> bool:
    found = False
    for place in reversed(list(places_of(bucket.fd, segments))):
        try:
            fd = open_place(bucket.fd, place, DIRECTORY)
        except OSError as exc:
            if exc.errno in NOTHING_THERE:
                continue
            raise
        try:
            if _clear_folder(volume, bucket, fd):
                found = True
        finally:
            os.close(fd)
        if pruning.remove(volume, bucket, place, pruning.NO_BUCKET):
            _sync_parent(volume, bucket, place)
            if prune:
                pruning.prune(volume, bucket, place[:-1])
    return found


def _clear_folder(volume: Volume, bucket: Bucket, fd: int) -> bool:
    """Make a directory no object any more; whether it was one."""
    if locks.lock(fd) is False:
        raise Busy("another program holds a lock on the directory")
    record = volume.metadata.load(fd, bucket.home)
    found = record.put_ns is not None
    if found or record.tags:
        kept = metadata.on_directory(metadata.EMPTY, record)
        volume.metadata.save(bucket.disk, fd, bucket.home, kept, record)
        bucket.disk.sync_names(fd)
    if unlink_object(volume, bucket, _CONTENT_OF_FOLDER, fd):
        bucket.disk.sync_names(fd)
        found = True
    return found


def _sync_parent(volume: Volume, bucket: Bucket, place: Place) -> None:
    if not bucket.disk.syncs_names:
        return
    if len(place) == 1:
        bucket.disk.sync_names(bucket.fd)
        return
    try:
        fd = open_place(bucket.fd, place[:-1], DIRECTORY)
    except FileNotFoundError:
        return  # pruned by somebody else
    try:
        bucket.disk.sync_names(fd)
    finally:
        os.close(fd)
