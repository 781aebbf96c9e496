"""Finding the entry that a key means, for readers.

The natural path is tried first, as a whole; only when there is no regular file are the escaped
places of the key looked at, one after the other in the order in which they win.  A writer moves an
object from its escaped to its natural name in two steps (link, unlink), and may do both between two
looks of a reader; so behind the escaped name a reader looks for the natural one once more.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator

import attrs

from s3daemon.store.interfaces import NoSuchKey
from s3daemon.store.posix.descriptors import release
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
    :ivar is_put: whether it is an object; a directory that nobody put is none.
    """

    fd: int
    st: os.stat_result
    is_put: bool = True

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
            found = _find_folder_or_file(volume, bucket, segments)
        if found is None:
            raise NoSuchKey(key)
    return found


def _find_folder_or_file(volume: Volume, bucket: Bucket, segments: Place) -> Found | None:
    """What a key ``name/`` has that has no file.

    By the time that the record says no, there may be a file: who deletes clears the record first.
    """
    found = find_folder(volume, bucket, segments[:-1])
    if found is None or found.is_put:
        return found
    try:
        file = find_file(bucket.fd, segments)
    except OSError:
        os.close(found.fd)
        raise
    if file is not None:
        os.close(found.fd)
        return file
    return found


def is_taken(volume: Volume, bucket: Bucket, segments: Place) -> bool:
    """Whether a key has an object, in whatever form; a directory that nobody put is none."""
    found = find_file(bucket.fd, segments)
    if found is None and is_folder_key(segments):
        found = find_folder(volume, bucket, segments[:-1])
    if found is None:
        return False
    os.close(found.fd)
    return found.is_put


def find_file(bucket_fd: int, segments: Place, tried: Place | None = None) -> Found | None:
    """The regular file of a key, in whatever form it is.

    :param tried: where it was looked for in vain just now.
    """
    for place in file_places(bucket_fd, segments):
        if place == tried:
            tried = None
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
    """Where to look for the file of a key, one after the other; the directories exist.

    The place that wins comes first.  See the module for why a place comes twice.
    """
    forms = looks(segments[-1])
    for parent in directories(bucket_fd, segments[:-1]):
        for name in forms:
            yield (*parent, name)


def looks(segment: bytes) -> tuple[bytes, ...]:
    """The names under which to look for a file in a directory; see the module."""
    forms = file_forms(segment)
    return forms if len(forms) == 1 else (*forms, forms[0])


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
        try:
            is_put = volume.metadata.load(fd, bucket.home).put_ns is not None
            found = Found(fd, os.fstat(fd), is_put)
        except BaseException:
            release(fd)
            if implicit is not None:
                release(implicit.fd)
            raise
        if is_put:
            if implicit is not None:
                release(implicit.fd)
            return found
        if implicit is None:
            implicit = found
        else:
            release(fd)
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
    try:
        st = os.fstat(fd)
    except BaseException:
        release(fd)
        raise
    if stat.S_ISREG(st.st_mode):
        return Found(fd, st)
    release(fd)
    return None
