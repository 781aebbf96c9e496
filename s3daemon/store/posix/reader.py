"""Reading: one open descriptor, from which the facts, the record and the bytes all come."""

from __future__ import annotations

import os
import time

from zope.interface import implementer

from s3daemon.store.interfaces import IReader, ObjectInfo, Replaced, WouldBlock
from s3daemon.store.posix import metadata
from s3daemon.store.posix.descriptors import release
from s3daemon.store.posix.errnos import GONE, fact

#: Who writes into a file now and then does it in less than this, or is unlucky.
_QUIET_NS = 2_000_000_000


def was_rewritten(info: ObjectInfo, st: os.stat_result) -> bool:
    """Whether a file was written into since its facts were taken.

    One that is not as S3 has put it, and so has no ETag of its own, may have grown: logs do.
    """
    if st.st_size > info.size and metadata.is_token(info.etag):
        return False
    return (st.st_size, st.st_mtime_ns) != (info.size, info.modified_ns)


@implementer(IReader)
class PosixReader:
    """One version of one object.

    :ivar info: its facts.
    """

    __slots__ = ("_fd", "info")

    closes_at_once = False

    def __init__(self, info: ObjectInfo, fd: int) -> None:
        self.info = info
        self._fd = fd

    def fileno(self) -> int | None:
        """See :meth:`IReader.fileno`; None for a directory, which has no bytes."""
        return None if self._fd < 0 else self._fd

    def read(self, offset: int, size: int) -> bytes:
        """See :meth:`IReader.read`.

        What another program writes into the file, or cuts off, makes it another version, which the
        facts do not speak of.
        """
        try:
            size = min(size, self.info.size - offset)
            if size <= 0:
                return b""
            data = self._read(offset, size)
            if len(data) < size or was_rewritten(self.info, os.fstat(self._fd)):
                raise Replaced("another program is writing into the file")
            return data
        except OSError as exc:
            if exc.errno in GONE:
                raise Replaced(f"another node has replaced or removed it: {exc}") from exc
            raise fact(exc) from exc

    def is_quiet(self) -> bool:
        """See :meth:`IReader.is_quiet`; what is to be changed some day has not been so far."""
        return abs(time.time_ns() - self.info.modified_ns) > _QUIET_NS

    def read_at_once(self, offset: int, size: int) -> bytes:
        """See :meth:`IReader.read_at_once`: preadv2(2) with RWF_NOWAIT, which only file systems on
        local devices know."""
        size = min(size, self.info.size - offset)
        if size <= 0:
            return b""
        buffer = bytearray(size)
        try:
            count = os.preadv(self._fd, [buffer], offset, os.RWF_NOWAIT)
        except OSError:
            raise WouldBlock from None
        if count != size or was_rewritten(self.info, os.fstat(self._fd)):
            raise WouldBlock
        return bytes(buffer)

    def patient(self) -> IReader:
        """See :meth:`IReader.patient`."""
        return self

    def _read(self, offset: int, size: int) -> bytes:
        data = os.pread(self._fd, size, offset)
        if len(data) == size:
            return data
        pieces = [data]
        done = len(data)
        while data and done < size:
            data = os.pread(self._fd, size - done, offset + done)
            pieces.append(data)
            done += len(data)
        return b"".join(pieces)

    def close(self) -> None:
        """See :meth:`IReader.close`."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            release(fd)
