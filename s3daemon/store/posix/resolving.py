"""Finding the entry that a key means, for readers.

The natural path is tried first, as a whole; only when there is no regular file are the escaped
places of the key looked at, one after the other in the order in which they win.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator

import attrs

from s3daemon.store.interfaces import NoSuchKey
from s3daemon.store.posix.names import segments as split
from s3daemon.store.posix.paths import (
    DIRECTORY,
    NOTHING_THERE,
    READ,
    Place,
    directories,
    file_forms,
    is_plain,
    open_beneath,
    open_place,
)
from s3daemon.store.posix.volume import Bucket, Volume


@attrs.frozen
class Found:
    """An entry, open; the descriptor is the caller's to close.

    :ivar fd: the descriptor.
    :ivar st: what fstat(2) said after the open.
    """

    fd: int
    st: os.stat_result

    @property
    def is_directory(self) -> bool:
        """Whether it is a directory, for a key that ends in a slash."""
        return stat.S_ISDIR(self.st.st_mode)


def is_folder_key(segments: Place) -> bool:
    """Whether a key ends in a slash, so that it may be a directory."""
    return len(segments) > 1 and not segments[-1]


def find(volume: Volume, bucket: Bucket, key: str) -> Found:
    """The entry of a key: a regular file, or for a key ``name/`` perhaps a directory.

    :raises BadKey, KeyTooLong: the text is no key.
    :raises NoSuchKey: there is none.
    :raises OSError: it cannot be opened.
    """
    segments = split(key)
    path = key.encode()
    plain = is_plain(path)
    found = _open_file(bucket.fd, path) if plain else None
    if found is None:
        found = find_file(bucket.fd, segments, tried=segments if plain else None)
        if found is None and is_folder_key(segments):
            found = find_folder(volume, bucket, segments[:-1])
        if found is None and plain:
            # A writer may have moved it from its escaped to its natural name meanwhile.
            found = _open_file(bucket.fd, path)
        if found is None:
            raise NoSuchKey(key)
    return found


def is_taken(volume: Volume, bucket: Bucket, segments: Place) -> bool:
    """Whether a key has an object, in whatever form; a directory that nobody put is none."""
    found = find_file(bucket.fd, segments)
    if found is None and is_folder_key(segments):
        found = find_folder(volume, bucket, segments[:-1])
    if found is None:
        return False
    try:
        if not found.is_directory:
            return True
        return volume.metadata.load(found.fd, bucket.home).put_ns is not None
    finally:
        os.close(found.fd)


def find_file(bucket_fd: int, segments: Place, tried: Place | None = None) -> Found | None:
    """The regular file of a key, in whatever form it is, but for a place that was tried."""
    for place in file_places(bucket_fd, segments):
        if place == tried:
            continue
        try:
            fd = open_place(bucket_fd, place, READ)
        except OSError as exc:
            if exc.errno in NOTHING_THERE:
                continue
            raise
        found = _checked(fd)
        if found is not None:
            return found
    return None


def file_places(bucket_fd: int, segments: Place) -> Iterator[Place]:
    """Where the file of a key may be, the place that wins first; the directories exist."""
    forms = file_forms(segments[-1])
    for parent in directories(bucket_fd, segments[:-1]):
        for name in forms:
            yield (*parent, name)


def find_folder(volume: Volume, bucket: Bucket, segments: Place) -> Found | None:
    """The directory of a key ``name/``: one that was put as an object, or else any."""
    implicit: Found | None = None
    for place in directories(bucket.fd, segments):
        try:
            fd = open_place(bucket.fd, place, DIRECTORY)
        except OSError as exc:
            if exc.errno in NOTHING_THERE:
                continue
            raise
        found = Found(fd, os.fstat(fd))
        if volume.metadata.load(fd, bucket.home).put_ns is not None:
            if implicit is not None:
                os.close(implicit.fd)
            return found
        if implicit is None:
            implicit = found
        else:
            os.close(fd)
    return implicit


def _open_file(dir_fd: int, path: bytes) -> Found | None:
    try:
        fd = open_beneath(dir_fd, path, READ)
    except OSError as exc:
        if exc.errno in NOTHING_THERE:
            return None
        raise
    return _checked(fd)


def _checked(fd: int) -> Found | None:
    """A descriptor that is one of a regular file; others are closed."""
    st = os.fstat(fd)
    if stat.S_ISREG(st.st_mode):
        return Found(fd, st)
    os.close(fd)
    return None
