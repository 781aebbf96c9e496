"""Copying content into a draft by the cheapest means, and the ETag of what came out."""

from __future__ import annotations

import hashlib
import os

from s3daemon.store.interfaces import IReader
from s3daemon.store.posix.durable import Disk

_STEP = 1024 * 1024


def copy_into(disk: Disk, source: IReader, fd: int) -> str:
    """Copy all of the source to the beginning of an empty file; the MD5 of the copy in hex.

    Where the source's ETag is its MD5 and the source is still what it was, nothing is hashed, and
    on file systems with shared blocks nothing is read either.
    """
    size = source.info.size
    source_fd = source.fileno()
    if source_fd is None:
        _copy_through(disk, source, fd)
    else:
        disk.copy(source_fd, fd, size)
        if is_md5(source.info.etag) and _is_unchanged(source, source_fd):
            return source.info.etag
    return md5_of(fd)


def is_md5(etag: str) -> bool:
    """Whether an ETag is the MD5 of the content: others have a dash."""
    return len(etag) == 32 and "-" not in etag


def md5_of(fd: int) -> str:
    """The MD5 of a whole file in hex."""
    digest = hashlib.md5(usedforsecurity=False)
    offset = 0
    while data := os.pread(fd, _STEP, offset):
        digest.update(data)
        offset += len(data)
    return digest.hexdigest()


def _copy_through(disk: Disk, source: IReader, fd: int) -> None:
    offset = 0
    while data := source.read(offset, _STEP):
        disk.write(fd, [data])
        offset += len(data)


def _is_unchanged(source: IReader, fd: int) -> bool:
    st = os.fstat(fd)
    return (st.st_size, st.st_mtime_ns) == (source.info.size, source.info.modified_ns)
