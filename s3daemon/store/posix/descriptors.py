"""Descriptors that outlive what they were opened for."""

from __future__ import annotations

import errno
import os
from contextlib import suppress

#: What shared file systems, and FUSE ones that go by paths, say of what is open and was removed.
_GONE = frozenset((errno.ENOENT, errno.ESTALE))


def has_name(fd: int) -> bool:
    """Whether an open entry has a name still, as far as the file system says.

    :raises OSError: it cannot be looked at.
    """
    try:
        return os.fstat(fd).st_nlink > 0
    except OSError as exc:
        if exc.errno in _GONE:
            return False
        raise


def release(fd: int) -> None:
    """Close a descriptor through which nothing was written that is not settled.

    close(2) may fail where a server is behind the file system (NFS, FUSE); the descriptor is gone
    all the same, and what was written was asked for when it was synced or flushed.  So an error
    says nothing about what has been done, and must not keep other descriptors from being closed.
    """
    with suppress(OSError):
        os.close(fd)
