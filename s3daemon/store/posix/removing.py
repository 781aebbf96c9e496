"""Removing objects, in whatever forms they are, and the directories that only they kept alive.

Of several forms of one key the one that wins goes last: no reader and no crash brings an older
version to light.
"""

from __future__ import annotations

import os
import stat
import time

import attrs

from s3daemon.store.interfaces import ALWAYS, Busy, Condition, ConditionConflict
from s3daemon.store.posix import locks, metadata, pruning
from s3daemon.store.posix.drafts import is_file, unlink_object
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
from s3daemon.store.posix.settling import Settling
from s3daemon.store.posix.swapping import TRIES, Current, judge
from s3daemon.store.posix.volume import Bucket, Volume

#: How long somebody may take to sync what he has removed.
_LATELY_NS = 60 * 10**9

_CONTENT_OF_FOLDER = file_name(b"")


def remove(
    volume: Volume,
    bucket: Bucket,
    key: str,
    condition: Condition,
    settling: Settling,
    number: int = 0,
) -> bool:
    """Remove the object of a key; True if there was one.  See :meth:`IObjects.delete`.

    :param settling: does what is left to do: the removal is durable when that is settled.
    :param number: of the removal, for that.
    """
    segments = split(key)
    done = _Done(settling, number)
    if condition == ALWAYS:
        with volume.locks.shared(bucket.place, segments):
            found = _remove(volume, bucket, segments, done, None)
    else:
        with volume.locks.exclusive(bucket.place, segments):
            found = _remove_judged(volume, bucket, segments, done, condition)
    if not found and bucket.disk.syncs_names:
        _look_for_removals(bucket, segments[:-1], done)
    return found


def _remove_judged(
    volume: Volume, bucket: Bucket, segments: Place, done: _Done, condition: Condition
) -> bool:
    for _ in range(TRIES):
        current = judge(volume, bucket, segments, condition)
        try:
            return _remove(volume, bucket, segments, done, current)
        except _NotJudged:
            continue
    raise ConditionConflict("the object was replaced again and again")


def _look_for_removals(bucket: Bucket, segments: Place, done: _Done) -> None:
    """There is no object; but somebody may have removed it a moment ago, and not yet durably.

    Whoever is told that it is gone must be able to rely on that, so the directory that it would be
    in is synced too, or what is left of the way there, if it was changed lately.
    """
    since_ns = time.time_ns() - _LATELY_NS
    for length in range(len(segments), -1, -1):
        places = list(places_of(bucket.fd, segments[:length]))
        for place in places:
            try:
                fd = open_place(bucket.fd, place, DIRECTORY)
            except OSError as exc:
                if exc.errno in NOTHING_THERE:
                    continue
                raise
            try:
                if os.fstat(fd).st_ctime_ns >= since_ns:
                    done.needs(fd, place)
            finally:
                os.close(fd)
        if places:
            return


@attrs.define
class _Done:
    """What has been done for one key.

    :ivar found: whether there was an object.
    """

    _settling: Settling
    _number: int
    found: bool = False

    def before_next(self) -> None:
        """Another form of the key is going to be removed, which wins over those removed so far:
        these must not be there when that one is not."""
        if self.found:
            self._settling.settle()
            self._settling.check(self._number)

    def settle_below(self, place: Place) -> None:
        """See :meth:`Settling.settle_below`."""
        self._settling.settle_below(place)

    def needs(self, fd: int, place: Place) -> None:
        """What others have done in a directory has to be durable."""
        self._settling.add(fd, place, self._number, prune=False)

    def changed(self, fd: int, place: Place, found: bool = True) -> None:
        """A directory has lost a name, or what it is an object by."""
        self._settling.add(fd, place, self._number)
        self.found = self.found or found


class _NotJudged(Exception):
    """What is to be removed is not the object that the condition was held against."""


def _remove(
    volume: Volume, bucket: Bucket, segments: Place, done: _Done, current: Current | None
) -> bool:
    """Remove all that a key has; with ``current`` only that, and what is hidden by it.

    A file that has taken a name since which wins over that one is younger, and stays.

    :raises _NotJudged: before anything was removed.
    """
    if is_folder_key(segments):
        if current is not None and current.place is not None:
            _look_again(bucket, current, current.place)
        return _remove_folders(volume, bucket, segments[:-1], done)
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
        last = False
        try:
            for name in reversed(file_forms(segments[-1])):
                if _is_object(bucket, parent, name, fd):
                    done.before_next()
                    if unlink_object(volume, bucket, name, fd):
                        done.changed(fd, parent)
                last = current is not None and (*parent, name) == current.place
                if last:
                    break
        finally:
            if fd != bucket.fd:
                os.close(fd)
        if last:
            break
    return done.found


def _look_again(bucket: Bucket, current: Current, place: Place) -> None:
    """The last look before a file is removed, for what others than gateways do."""
    parent = open_place(bucket.fd, place[:-1], DIRECTORY)
    try:
        if not current.is_at(place[-1], parent):
            raise _NotJudged
    finally:
        os.close(parent)


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


def _remove_folders(volume: Volume, bucket: Bucket, segments: Place, done: _Done) -> bool:
    for place in reversed(list(places_of(bucket.fd, segments))):
        done.settle_below(place)
        try:
            fd = open_place(bucket.fd, place, DIRECTORY)
        except OSError as exc:
            if exc.errno in NOTHING_THERE:
                continue
            raise
        try:
            done.before_next()
            cleared = _clear_folder(volume, bucket, fd)
            if pruning.remove(volume, bucket, place, pruning.NO_BUCKET):
                _changed_above(bucket, place, done, cleared)
            elif cleared:
                done.changed(fd, place)
        finally:
            os.close(fd)
    return done.found


def _clear_folder(volume: Volume, bucket: Bucket, fd: int) -> bool:
    """Make a directory no object any more; whether it was one."""
    if locks.lock(fd) is False:
        raise Busy("another program holds a lock on the directory")
    try:
        record = volume.metadata.load(fd, bucket.home)
        found = record.put_ns is not None
        if found or record.tags:
            kept = metadata.on_directory(metadata.EMPTY, record)
            volume.metadata.save(bucket.disk, fd, bucket.home, kept, record)
            if is_file(_CONTENT_OF_FOLDER, fd):
                bucket.disk.sync_names(fd)  # before what wins over it goes
        return unlink_object(volume, bucket, _CONTENT_OF_FOLDER, fd) or found
    finally:
        locks.unlock(fd)


def _changed_above(bucket: Bucket, place: Place, done: _Done, found: bool) -> None:
    """A directory was removed from the one above, or with it by somebody else."""
    while place:
        place = place[:-1]
        try:
            fd = open_place(bucket.fd, place, DIRECTORY)
        except FileNotFoundError:
            continue
        try:
            done.changed(fd, place, found)
        finally:
            os.close(fd)
        return
