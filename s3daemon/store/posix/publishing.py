"""How new content appears under its key: at once, whole, with its record, and for good.

A draft (:mod:`drafts`) is written, gets its record, is synced, and is then published by one system
call: link(2) where the name is free, rename(2) over what has the name.  After that the directory is
synced, and every directory made on the way; only then has it happened.

Two rules about names keep two entries of one key apart.  A publisher takes the natural name unless
a directory has it, and then removes a file of the escaped name that an earlier time has left; the
other way round the natural name is a directory, so there is no file to remove.

Who replaces something holds the lock of the key (:mod:`key_locks`), and so does who gives a name
that another one of the key's wins over.  Who may only create holds it alone: between seeing that no
form of the key is there and making one, nobody makes another that counts.
"""

from __future__ import annotations

import errno
import os
from contextlib import ExitStack

from s3daemon.store.interfaces import Busy, Condition, NoSuchBucket, ObjectExists
from s3daemon.store.posix import directories, locks, pruning, ways
from s3daemon.store.posix.drafts import (
    Draft,
    is_directory,
    is_file,
    place_new,
    replace,
    stage,
    unlink_object,
)
from s3daemon.store.posix.names import needs_record
from s3daemon.store.posix.paths import Place, dir_forms, file_forms
from s3daemon.store.posix.resolving import is_folder_key, is_taken
from s3daemon.store.posix.swapping import swap
from s3daemon.store.posix.volume import Bucket, Volume

#: How often a writer makes its directories anew that somebody prunes under it.
TRIES = 20


def hashed_name(segments: Place) -> str | None:
    """What the field ``name`` of an object's record has to hold."""
    last = segments[-1]
    return last.decode() if needs_record(last) else None


def publish(
    volume: Volume, bucket: Bucket, segments: Place, draft: Draft, condition: Condition
) -> None:
    """Make a synced draft with its record the object of a key, durably, if the condition holds.

    The draft's descriptor stays open; its name (if any) may be used up.  On an error before the
    call that publishes, nothing has changed; when only the syncing after it fails, the new object
    is there, whole, but not acknowledged.

    :raises ObjectExists, NoSuchKey, ConditionFailed, ConditionConflict: see :func:`swapping.swap`.
    :raises NoSuchBucket: the bucket was deleted meanwhile.
    :raises Busy: directories went away again and again.
    :raises OSError:
    """
    create_only = condition.create_only
    with ExitStack() as held:
        plain = not (create_only or condition.compares)
        if condition.compares or (create_only and volume.locks):
            held.enter_context(volume.locks.exclusive(bucket.place, segments))
        if create_only and is_taken(volume, bucket, segments):
            raise ObjectExists("the key is taken")
        for _ in range(TRIES):
            made: tuple[Place, ...] = ()
            try:
                directory = directories.make(volume, bucket, segments[:-1])
                made = directory.made
                try:
                    if plain and directory.place != _natural(segments[:-1]):
                        # Whether it has to be this directory is to be seen under the lock, for who
                        # creates the key may find that it need not.
                        plain = False
                        held.enter_context(volume.locks.shared(bucket.place, segments))
                        continue
                    if create_only and is_folder_key(segments):
                        _check_folder(volume, bucket, directory.fd)
                    if draft.name is not None and draft.dir_fd != bucket.home:
                        # It is taken from its upload, whose parts were acknowledged: there must
                        # be no moment at which a power cut leaves them no name.
                        ways.secure(volume, bucket, directory)
                    _place(volume, bucket, directory.fd, segments, draft, condition)
                    made = ()
                    held.close()  # syncing it may take long
                    ways.sync(volume, bucket, directory)
                    return
                finally:
                    directory.close()
            except FileNotFoundError:
                if not volume.is_current(bucket):
                    raise NoSuchBucket(bucket.name) from None
            finally:
                pruning.unmake(volume, bucket, made)
    raise Busy("the directories of the key were removed again and again")


def _natural(segments: Place) -> Place:
    """The place of a directory that wins over all its others."""
    return tuple(dir_forms(segment)[0] for segment in segments)


def _place(
    volume: Volume,
    bucket: Bucket,
    dir_fd: int,
    segments: Place,
    draft: Draft,
    condition: Condition,
) -> None:
    """Give the draft the name of the key in its directory; where there is a condition, the lock of
    the key is held."""
    if condition.compares:
        swap(volume, bucket, dir_fd, segments, draft, condition)
        return
    if condition.create_only:
        _create(volume, bucket, dir_fd, file_forms(segments[-1]), draft)
        return
    forms = file_forms(segments[-1])
    # Nothing is replaced where the name is free, and so no lock is needed: see swapping.  But the
    # object of a folder may be a record, which takes no name.
    lockless = draft.name is None and not is_folder_key(segments)
    if lockless and _link(volume, dir_fd, forms[0], draft):
        _tidy(volume, bucket, dir_fd, forms)
        return
    with volume.locks.shared(bucket.place, segments):
        for name in forms:
            if _place_over(volume, bucket, dir_fd, name, draft):
                break
        else:
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), forms[-1])
        if name is forms[0]:
            _tidy(volume, bucket, dir_fd, forms)


def _link(volume: Volume, dir_fd: int, name: bytes, draft: Draft) -> bool:
    """Publish an unnamed draft under a name, if that is free."""
    try:
        volume.disk.link_fd(draft.fd, name, dir_fd)
    except FileExistsError:
        return False
    draft.published = True
    return True


def _place_over(volume: Volume, bucket: Bucket, dir_fd: int, name: bytes, draft: Draft) -> bool:
    """Publish under a name, in place of a file that has it; False if a directory has it."""
    if draft.name is None:
        if not is_file(name, dir_fd):
            if _link(volume, dir_fd, name, draft):
                return True
            if is_directory(name, dir_fd):
                return False
        stage(volume, bucket, draft)
    return replace(volume, bucket, dir_fd, name, draft)


def _tidy(volume: Volume, bucket: Bucket, dir_fd: int, forms: tuple[bytes, ...]) -> None:
    """Remove what has a lesser name in the directory: the natural one wins from now on."""
    if len(forms) > 1 and is_file(forms[-1], dir_fd):
        unlink_object(volume, bucket, forms[-1], dir_fd)


def _create(
    volume: Volume, bucket: Bucket, dir_fd: int, forms: tuple[bytes, ...], draft: Draft
) -> None:
    """Publish where there is no object.  :raises ObjectExists:"""
    before = draft.name
    for name in forms:
        if place_new(volume, dir_fd, name, draft):
            break
    else:
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), forms[-1])
    if volume.locks and name is not forms[0]:
        # Nobody but who gives the natural name to a new object, as soon as the directory has it no
        # more, comes in between.  Readers may have seen this one before: it was there, and has
        # been replaced.
        if is_file(forms[0], dir_fd):
            unlink_object(volume, bucket, name, dir_fd)
        return
    # Somebody may have created the key under its other name while a directory had the natural one,
    # or has it no more.
    if any(is_file(other, dir_fd) for other in forms if other is not name):
        if before is not None and draft.name is None:
            volume.disk.rename(name, dir_fd, before, draft.dir_fd)
            draft.name = before
        else:
            volume.disk.unlink(name, dir_fd)
        draft.published = False
        raise ObjectExists("the key is taken")


def _check_folder(volume: Volume, bucket: Bucket, fd: int) -> None:
    """Refuse to create what a directory's record says is there, and keep it from being said.

    Where there are no locks, no such record is written either: see :func:`writer.put_folder`.
    """
    locks.lock(fd)
    if volume.metadata.load(fd, bucket.home).put_ns is not None:
        raise ObjectExists("the key is taken")
