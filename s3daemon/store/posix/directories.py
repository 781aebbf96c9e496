"""The directories above an object: made when something is put, pruned when nothing is left.

A directory that is made on the way to an object gets a record that says so (*implicit*); only such
ones are pruned, never those that somebody made by other means or put as an object.

Pruning races with writers.  That a directory is *empty* is the kernel's to say, in the same step
that removes it.  That it was not *put as an object* a moment ago is in its record, which rmdir(2)
does not look at; so whoever writes such a record and whoever removes a directory hold flock(2) on
it.  Nobody waits for that lock: a pruner that does not get it leaves the directory, and a writer
that does not get it stores its object as a file inside the directory, where the kernel sees it.
"""

from __future__ import annotations

import errno
import os

import attrs

from s3daemon.store.interfaces import Busy
from s3daemon.store.posix import locks, private, pruning
from s3daemon.store.posix.descriptors import has_name, release
from s3daemon.store.posix.names import is_natural, needs_record
from s3daemon.store.posix.paths import (
    DIRECTORY,
    NOTHING_THERE,
    Place,
    dir_forms,
    open_beneath,
    open_place,
)
from s3daemon.store.posix.volume import Bucket, Volume


class Directory:
    """A directory, open.

    :ivar fd: its descriptor.
    :ivar place: where it is, from the bucket.
    :ivar made: the directories that were made for it, topmost first, perhaps itself among them.
    """

    __slots__ = ("_owned", "fd", "made", "place")

    def __init__(self, fd: int, place: Place, made: tuple[Place, ...], owned: bool) -> None:
        self.fd = fd
        self.place = place
        self.made = made
        self._owned = owned

    def close(self) -> None:
        """Let go, of the lock too.  May be called twice."""
        if self._owned:
            self._owned = False
            release(self.fd)


def make(volume: Volume, bucket: Bucket, segments: Place) -> Directory:
    """Open the directory of these segments for a writer, making what is missing.

    What was made is durable only after :func:`ways.sync`.

    :raises FileNotFoundError: somebody removed a directory at the same time; try again.
    """
    if not segments:
        return Directory(bucket.fd, (), (), owned=False)
    if all(map(is_natural, segments)):
        try:
            return Directory(open_place(bucket.fd, segments, DIRECTORY), segments, (), owned=True)
        except OSError as exc:
            if exc.errno not in NOTHING_THERE:
                raise
    at = bucket.fd
    place: Place = ()
    made: list[Place] = []
    try:
        for segment in segments:
            below, name, is_new = _enter(volume, bucket, at, segment)
            if at != bucket.fd:
                release(at)
            at = below
            place = (*place, name)
            if is_new:
                made.append(place)
    except BaseException:
        if at != bucket.fd:
            release(at)
        pruning.unmake(volume, bucket, made)
        raise
    return Directory(at, place, tuple(made), owned=True)


def _enter(volume: Volume, bucket: Bucket, at: int, segment: bytes) -> tuple[int, bytes, bool]:
    """Open or make the directory of one segment: descriptor, name, whether it was made."""
    forms = dir_forms(segment)
    for name in forms:
        try:
            fd = open_beneath(at, name, DIRECTORY)
        except OSError as exc:
            if exc.errno not in NOTHING_THERE:
                raise
        else:
            return _named(volume, bucket, fd, name, segment), name, False
    for name in forms:
        try:
            volume.disk.mkdir(name, at)
        except FileExistsError:
            # Made by somebody else just now, or it is no directory: then the next form.
            try:
                fd = open_beneath(at, name, DIRECTORY)
            except OSError as exc:
                if exc.errno not in NOTHING_THERE:
                    raise
            else:
                return _named(volume, bucket, fd, name, segment), name, False
        else:
            return _mark(volume, bucket, at, name, segment), name, True
    raise FileNotFoundError(errno.ENOENT, "no directory can be made here", forms[-1])


def _named(volume: Volume, bucket: Bucket, fd: int, name: bytes, segment: bytes) -> int:
    """See to it that a directory whose name holds only a digest has its record; its descriptor.

    Its maker writes that after making it, and may have crashed in between, or be about to.
    """
    if name == segment or not needs_record(segment):
        return fd
    try:
        if volume.metadata.load(fd, bucket.home).name is None:
            _write_implicit(volume, bucket, fd, segment.decode())
            bucket.disk.sync_names(fd)
    except BaseException:
        os.close(fd)
        raise
    return fd


def _mark(volume: Volume, bucket: Bucket, at: int, name: bytes, segment: bytes) -> int:
    """Record that a directory was made for an object; its descriptor."""
    hashed = name != segment and needs_record(segment)
    try:
        fd = open_beneath(at, name, DIRECTORY)
    except OSError as exc:
        if exc.errno in NOTHING_THERE:  # removed again, and perhaps a file has the name by now
            raise FileNotFoundError(errno.ENOENT, "a directory was removed", name) from exc
        raise
    try:
        _write_implicit(volume, bucket, fd, segment.decode() if hashed else None)
    except OSError:
        if locks.try_lock(fd) and pruning.is_at(fd, name, at):
            private.try_rmdir(volume.disk, name, at)
        os.close(fd)
        raise
    except BaseException:
        os.close(fd)
        raise
    return fd


def _write_implicit(volume: Volume, bucket: Bucket, fd: int, name: str | None) -> None:
    """Add to the record of a directory that it is implicit, and its segment.

    Somebody may have put it as an object since it was made: that must not get lost.
    """
    if locks.lock(fd) is False:
        raise Busy("another program holds a lock on a directory")
    try:
        old = volume.metadata.load(fd, bucket.home)
        record = attrs.evolve(old, implicit=True, name=name or old.name, damaged=False)
        volume.metadata.save(bucket.disk, fd, bucket.home, record, old)
    finally:
        locks.unlock(fd)


def is_linked(bucket: Bucket, directory: Directory) -> bool:
    """Whether a directory is still where it was opened; under its lock it then stays there."""
    if not has_name(directory.fd):
        return False
    try:
        fd = open_place(bucket.fd, directory.place, DIRECTORY)
    except OSError as exc:
        if exc.errno in NOTHING_THERE:
            return False
        raise
    try:
        return os.path.sameopenfile(fd, directory.fd)
    finally:
        os.close(fd)
