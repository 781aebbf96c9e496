"""Reading: one open descriptor, from which the facts, the record and the bytes all come."""

from __future__ import annotations

import os

from zope.interface import implementer

from s3daemon.store.interfaces import IReader, ObjectInfo, Replaced
from s3daemon.store.posix.durable import GONE, fact


@implementer(IReader)
class PosixReader:
    """One version of one object.

    :ivar info: its facts.
    """

    __slots__ = ("_fd", "info")

    def __init__(self, info: ObjectInfo, fd: int) -> None:
        self.info = info
        self._fd = fd

    def fileno(self) -> int | None:
        """See :meth:`IReader.fileno`; None for a directory, which has no bytes."""
        return None if self._fd < 0 else self._fd

    def read(self, offset: int, size: int) -> bytes:
        """See :meth:`IReader.read`.

        What another program appends meanwhile is not part of this version.
        """
        try:
            return self._read(offset, size)
        except OSError as exc:
            if exc.errno in GONE:
                raise Replaced(f"another node has replaced or removed it: {exc}") from exc
            raise fact(exc) from exc

    def _read(self, offset: int, size: int) -> bytes:
        size = min(size, self.info.size - offset)
        if size <= 0:
            return b""
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
            os.close(fd)
