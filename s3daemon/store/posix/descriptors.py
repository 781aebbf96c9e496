"""Letting go of descriptors."""

from __future__ import annotations

import os
from contextlib import suppress


def release(fd: int) -> None:
    """Close a descriptor through which nothing was written that is not settled.

    close(2) may fail where a server is behind the file system (NFS, FUSE); the descriptor is gone
    all the same, and what was written was asked for when it was synced or flushed.  So an error
    says nothing about what has been done, and must not keep other descriptors from being closed.
    """
    with suppress(OSError):
        os.close(fd)
