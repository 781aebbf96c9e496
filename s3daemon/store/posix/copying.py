"""Copying content into a draft by the cheapest means, and the digests of what came out."""

from __future__ import annotations

import hashlib
import os

from s3daemon.store.interfaces import Busy, Checksum, IReader
from s3daemon.store.posix.durable import Disk
from s3daemon.store.posix.reader import was_rewritten
from s3daemon.wire import checksums
from s3daemon.wire.checksums import Hasher

_STEP = 1024 * 1024


def copy_into(
    disk: Disk, source: IReader, fd: int, algorithm: str | None
) -> tuple[str, Checksum | None]:
    """Copy all of the source to the beginning of an empty file.

    :param algorithm: of the checksum that is wanted, None for none.
    :return: the MD5 of the copy in hex, and that checksum.

    Where the source's ETag is its MD5, it has the checksum too, and it is still what it was,
    nothing is hashed, and on file systems with shared blocks nothing is read either.
    """
    etag, checksum = None, None
    source_fd = source.fileno()
    if source_fd is None:
        _copy_through(disk, source, fd)
    else:
        copied = disk.copy(source_fd, fd, source.info.size)
        st = os.fstat(source_fd)
        if copied != source.info.size or was_rewritten(source.info, st):
            raise Busy("another program is writing into the source of the copy; try again")
        if st.st_size == source.info.size:
            etag = source.info.etag if is_md5(source.info.etag) else None
            checksum = _of_whole(source.info.checksum, algorithm)
    md5 = hashlib.md5(usedforsecurity=False) if etag is None else None
    other = None if algorithm is None or checksum is not None else checksums.hasher(algorithm)
    _hash(fd, [hasher for hasher in (md5, other) if hasher is not None])
    if md5 is not None:
        etag = md5.hexdigest()
    if algorithm is not None and other is not None:
        checksum = Checksum(algorithm, checksums.encode(other.digest()))
    assert etag is not None
    return etag, checksum


def empty_checksum(algorithm: str | None) -> Checksum | None:
    """The checksum of no bytes."""
    if algorithm is None:
        return None
    return Checksum(algorithm, checksums.encode(checksums.hasher(algorithm).digest()))


def is_md5(etag: str) -> bool:
    """Whether an ETag is the MD5 of the content: others have a dash."""
    return len(etag) == 32 and "-" not in etag


def _of_whole(checksum: Checksum | None, algorithm: str | None) -> Checksum | None:
    """A checksum, if it is of all bytes and made with this algorithm."""
    if checksum is None or checksum.algorithm != algorithm:
        return None
    return checksum if checksum.kind == checksums.FULL_OBJECT else None


def _hash(fd: int, hashers: list[Hasher]) -> None:
    offset = 0
    while hashers and (data := os.pread(fd, _STEP, offset)):
        for hasher in hashers:
            hasher.update(data)
        offset += len(data)


def _copy_through(disk: Disk, source: IReader, fd: int) -> None:
    offset = 0
    while data := source.read(offset, _STEP):
        disk.write(fd, [data])
        offset += len(data)
