"""From keys to directory entries, and never out of the bucket.

A place is the sequence of names that leads from the bucket's directory to an entry.  Names are
those of :mod:`names`: every directory segment is either natural or ``.s3gate%d+``, the last one of
a file natural or ``.s3gate%f+``.  Where several places of one key exist, the one that is natural
first wins for readers; writers choose their place so that it wins.

Every open goes through :func:`open_beneath`, which resolves a path beneath a directory descriptor:
a symbolic link is followed only if it stays there, and not into the directories that are ours.
"""

from __future__ import annotations

import errno
import os
import re
import stat
from collections.abc import Iterator, Sequence
from functools import lru_cache

from s3daemon.store.interfaces import MAX_KEY_BYTES, BadBucketName
from s3daemon.store.posix import syscalls
from s3daemon.store.posix.names import (
    MAX_NAME_BYTES,
    PRIVATE_DIR,
    RESERVED,
    UPLOADS_DIR,
    dir_name,
    file_name,
    is_natural,
)

Place = tuple[bytes, ...]

#: Flags of an open for reading; a fifo or a device must not make anybody wait.
READ = os.O_RDONLY | os.O_CLOEXEC | os.O_NOCTTY | os.O_NONBLOCK
DIRECTORY = os.O_RDONLY | os.O_CLOEXEC | os.O_DIRECTORY

_NO_LINKS = syscalls.RESOLVE_BENEATH | syscalls.RESOLVE_NO_SYMLINKS
_BENEATH = syscalls.RESOLVE_BENEATH | syscalls.RESOLVE_NO_MAGICLINKS
#: The kernel takes paths of less than 4,096 bytes (PATH_MAX, limits.h); longer ones go in hops.
_MAX_PATH = 4000
#: openat2 gives EAGAIN where a rename elsewhere made it unsure of ``..``: it asks to try again.
_TRIES = 16
#: A kernel without it, or a container whose filter of system calls does not know it.
_NO_OPENAT2 = frozenset((errno.ENOSYS, errno.EPERM))
#: What an open says when nothing that can be served is there: also when a link leads outside
#: (EXDEV, ELOOP) and when it is a socket (ENXIO) or a device without a driver.
NOTHING_THERE = frozenset(
    (
        errno.ENOENT,
        errno.ENOTDIR,
        errno.ELOOP,
        errno.EXDEV,
        errno.ENXIO,
        errno.ENODEV,
        errno.ENAMETOOLONG,
    )
)
#: Keys whose segments are all natural, but for reserved names.
_PLAIN = re.compile(rb"[^/.\0][^/\0]{0,254}(?:/[^/.\0][^/\0]{0,254})*+")
_LOST_AND_FOUND = b"lost+found"


# ---------------------------------------------------------------- buckets


@lru_cache(maxsize=1024)
def bucket_place(name: str) -> Place:
    """The directories of a bucket from the root: ``a:b`` is a/b.

    :raises BadBucketName: no directory can have this name.
    """
    try:
        parts = tuple(name.encode().split(b":"))
    except UnicodeEncodeError:
        raise BadBucketName("the name holds a lone surrogate") from None
    for part in parts:
        if (
            part in (b"", b".", b"..")
            or b"/" in part
            or b"\0" in part
            or len(part) > MAX_NAME_BYTES
            or part in RESERVED
            or part.startswith(PRIVATE_DIR)
        ):
            raise BadBucketName(f"no directory can be {part!r}")
    if parts[0] == _LOST_AND_FOUND:
        raise BadBucketName("lost+found belongs to the file system")
    return parts


def is_listed_bucket(name: bytes) -> bool:
    """Whether a top-level directory of this name is shown as a bucket."""
    if name.startswith(b".") or name in (UPLOADS_DIR, _LOST_AND_FOUND) or b":" in name:
        return False
    try:
        name.decode()
    except UnicodeDecodeError:
        return False
    return True


# ---------------------------------------------------------------- opening


def open_beneath(dir_fd: int, path: bytes, flags: int) -> int:
    """Open a relative path that must not lead out of the directory.  openat2(2)

    :raises OSError: EXDEV where it leads outside, ELOOP where a link leads to what is ours.
    """
    how = _NO_LINKS
    for _ in range(_TRIES):
        try:
            fd = syscalls.openat2(dir_fd, path, flags, how)
        except OSError as exc:
            if exc.errno in _NO_OPENAT2:
                return open_by_component(dir_fd, path, flags)
            if exc.errno == errno.ELOOP and how == _NO_LINKS:
                how = _BENEATH
            elif exc.errno != errno.EAGAIN:
                raise
        else:
            if how == _BENEATH and _is_ours(dir_fd, fd):
                os.close(fd)
                raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), path)
            return fd
    raise OSError(errno.EAGAIN, os.strerror(errno.EAGAIN), path)


def _is_ours(dir_fd: int, fd: int) -> bool:
    """Whether what was opened by way of a link lies in a directory of the gateway's.

    Only the kernel knows where a link led.  Where it does not say, nobody follows links.
    """
    try:
        above, below = (os.readlink(b"/proc/self/fd/%d" % one) for one in (dir_fd, fd))
    except OSError:
        return True
    names = below.removeprefix(above).split(b"/")
    return PRIVATE_DIR in names or UPLOADS_DIR in names


def open_by_component(dir_fd: int, path: bytes, flags: int) -> int:
    """The same for a kernel without openat2(2) (before 5.6): no link is followed at all."""
    *parents, last = path.split(b"/")
    if b".." in parents or last == b"..":
        raise OSError(errno.EXDEV, os.strerror(errno.EXDEV), path)
    at = dir_fd
    try:
        for name in parents:
            below = os.open(name, DIRECTORY | os.O_NOFOLLOW, dir_fd=at)
            if at != dir_fd:
                os.close(at)
            at = below
        return os.open(last, flags | os.O_CLOEXEC | os.O_NOFOLLOW, dir_fd=at)
    finally:
        if at != dir_fd:
            os.close(at)


def open_quietly(name: bytes, flags: int, dir_fd: int) -> int:
    """Open for reading without a new time of access, where the kernel lets us: O_NOATIME, open(2).

    It does for the owner of the file, and for root.
    """
    try:
        return os.open(name, flags | os.O_NOATIME, dir_fd=dir_fd)
    except PermissionError:
        return os.open(name, flags, dir_fd=dir_fd)


def open_place(bucket_fd: int, place: Sequence[bytes], flags: int) -> int:
    """Open a place; the empty one is the bucket's directory itself."""
    path = b"/".join(place)
    if not path:
        return os.open(b".", flags | os.O_CLOEXEC, dir_fd=bucket_fd)
    if len(path) <= _MAX_PATH:
        return open_beneath(bucket_fd, path, flags)
    at, rest = bucket_fd, list(place)
    try:
        while rest:
            hop = _hop(rest)
            below = open_beneath(
                at, b"/".join(rest[:hop]), flags if hop == len(rest) else DIRECTORY
            )
            if at != bucket_fd:
                os.close(at)
            at, rest = below, rest[hop:]
    except OSError:
        if at != bucket_fd:
            os.close(at)
        raise
    return at


def stat_place(bucket_fd: int, place: Sequence[bytes], follow: bool = False) -> os.stat_result:
    """What is at a place.  Only to know which places are there: reading them needs an open."""
    path = b"/".join(place)
    if len(path) <= _MAX_PATH:
        return os.stat(path or b".", dir_fd=bucket_fd, follow_symlinks=follow)
    parent = open_place(bucket_fd, place[:-1], DIRECTORY)
    try:
        return os.stat(place[-1], dir_fd=parent, follow_symlinks=follow)
    finally:
        os.close(parent)


def _hop(place: Sequence[bytes]) -> int:
    """How many names from the front make a path that the kernel takes."""
    size = 0
    for count, name in enumerate(place):
        size += len(name) + 1
        if size > _MAX_PATH:
            return count
    return len(place)


# ---------------------------------------------------------------- keys


def is_plain(raw: bytes) -> bool:
    """Whether a key, in UTF-8, is its own path: a quick sufficient test."""
    return (
        _PLAIN.fullmatch(raw) is not None and UPLOADS_DIR not in raw and len(raw) <= MAX_KEY_BYTES
    )


def dir_forms(segment: bytes) -> tuple[bytes, ...]:
    """The names that the directory of a segment may have, the one that wins first."""
    return (segment, dir_name(segment)) if is_natural(segment) else (dir_name(segment),)


def file_forms(segment: bytes) -> tuple[bytes, ...]:
    """The names that the file of a segment may have, the one that wins first."""
    return (segment, file_name(segment)) if is_natural(segment) else (file_name(segment),)


def directories(bucket_fd: int, segments: Sequence[bytes]) -> Iterator[Place]:
    """The places of these directory segments that exist, the one that wins first."""
    found: list[Place] = [()]
    while found:
        place = found.pop()
        if len(place) == len(segments):
            yield place
            continue
        for form in reversed(dir_forms(segments[len(place)])):
            below = (*place, form)
            try:
                st = stat_place(bucket_fd, below, follow=True)
            except OSError as exc:
                if exc.errno not in NOTHING_THERE:
                    raise
            else:
                if stat.S_ISDIR(st.st_mode):
                    found.append(below)
