"""By what the sidecar of an entry is found, on file systems of two kinds.

Where entries have handles, by these: see :mod:`handles`.  On FUSE, handles and inode numbers are
made up for one mount, so there a *file* is known by its size and the time of its last modification:
a gateway gives each file that gets a record a time which no other file of the same size has, by
choosing the digits below the millisecond.  A *directory*, whose times change with what is in it, is
known by its path.
"""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from collections.abc import Callable

import attrs

from s3daemon.store.posix import private
from s3daemon.store.posix.handles import handle_of

#: Nanoseconds in which the time of a file is chosen.
SPAN_NS = 1_000_000

_GONE = b" (deleted)"


@attrs.frozen
class Identity:
    """A kind.

    :ivar directory: where the sidecars are, beneath the base.
    :ivar of: what the sidecar is called of an open entry, or of one with a name in an open
        directory; the base comes first.
    :ivar chosen: files are given theirs, and directories have theirs from where they are.
    """

    directory: bytes
    of: Callable[[int, int, bytes], str]
    chosen: bool


def _by_handle(base: int, fd: int, name: bytes = b"") -> str:
    return "h" + handle_of(fd, name)


def _by_stamp(base: int, fd: int, name: bytes = b"") -> str:
    st = os.stat(name, dir_fd=fd, follow_symlinks=False) if name else os.fstat(fd)
    if not stat.S_ISDIR(st.st_mode):
        return f"s{st.st_size:x}-{st.st_mtime_ns & (1 << 64) - 1:x}"
    return "d" + hashlib.blake2b(_path_below(base, fd, name), digest_size=20).hexdigest()


def _path_below(base: int, fd: int, name: bytes) -> bytes:
    """Where a directory is, from the base."""
    top, path = _path_of_open(base), _path_of_open(fd)
    below = path.removeprefix(top.rstrip(b"/")).lstrip(b"/")
    return b"/".join(part for part in (below, name) if part)


def _path_of_open(fd: int) -> bytes:
    """Where an open entry is, as far as the kernel knows; proc(5), /proc/pid/fd.

    :raises OSError: ENAMETOOLONG: it is deeper than the kernel can say.
    """
    return os.readlink(b"/proc/self/fd/%d" % fd)


def is_replaced(fd: int) -> bool:
    """Whether what an open file was called leads to another file by now, or to none."""
    try:
        path = _path_of_open(fd)
        if path.endswith(_GONE):
            return True
        there = os.stat(path, follow_symlinks=False)
    except OSError as exc:
        return exc.errno != errno.ENAMETOOLONG  # nobody can say
    here = os.fstat(fd)
    return (there.st_size, there.st_mtime_ns) != (here.st_size, here.st_mtime_ns)


def is_stamped(name: str) -> bool:
    """Whether a sidecar is that of a file, found by size and time."""
    return name.startswith("s")


HANDLES = Identity(private.RECORDS, _by_handle, chosen=False)
STAMPS = Identity(private.STAMPED, _by_stamp, chosen=True)
KINDS = (HANDLES, STAMPS)
