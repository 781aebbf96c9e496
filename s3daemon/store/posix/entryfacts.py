"""What listings show of an entry: its status and its record, made into the facts of an object."""

from __future__ import annotations

import errno
import os
import stat

from s3daemon.store.interfaces import ObjectInfo
from s3daemon.store.posix import metadata
from s3daemon.store.posix.paths import NOTHING_THERE, READ, open_place
from s3daemon.store.posix.records import MetadataStore, is_lost

#: What says that an entry cannot be an object: it is gone, no file, or not for the daemon.
_NONE = NOTHING_THERE | {errno.EACCES}
#: How often an entry may be replaced while its record is read.
TRIES = 20


class EntryFacts:
    """The facts of the entries of one bucket.

    :param records: where the records are.
    :param home: descriptor of the directory whose ``.s3gate`` the bucket uses.
    """

    __slots__ = ("_home", "_records")

    def __init__(self, records: MetadataStore, home: int) -> None:
        self._records = records
        self._home = home

    def file(self, key: str, fd: int, status: os.stat_result) -> ObjectInfo:
        """The facts of a regular file that is open for reading.

        :raises OSError: ESTALE: it was replaced, or removed, and its record with it.
        """
        record = self._records.load(fd, self._home)
        if is_lost(record, fd):
            raise OSError(errno.ESTALE, os.strerror(errno.ESTALE))
        return metadata.object_info(key, status, record)

    def unreadable(self, key: str, status: os.stat_result) -> ObjectInfo:
        """The facts of a regular file that the daemon may not open, and so without a record."""
        return metadata.object_info(key, status, metadata.EMPTY)

    def directory(self, key: str, fd: int, status: os.stat_result) -> ObjectInfo:
        """The facts of an open directory; ``folder`` tells whether nobody put it as an object."""
        return metadata.folder_info(key, status, self._records.load(fd, self._home))

    def is_object(self, fd: int) -> bool:
        """Whether an open directory was put as an object, ``name/``."""
        return self._records.load(fd, self._home).put_ns is not None

    def segment(self, directory: int, name: bytes) -> bytes | None:
        """The segment that the record of an entry holds, whose name holds only a digest.

        None where there is none, or the entry is gone or not readable.
        """
        for _ in range(TRIES):
            try:
                fd = os.open(name, READ | os.O_NOFOLLOW, dir_fd=directory)
            except OSError as failed:
                if failed.errno in _NONE:
                    return None
                raise
            try:
                mode = os.fstat(fd).st_mode
                if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
                    return None
                record = self._records.load(fd, self._home)
                if is_lost(record, fd):
                    continue  # replaced meanwhile, by one that has the same segment
            finally:
                os.close(fd)
            return None if record.name is None else record.name.encode("utf-8", "surrogatepass")
        return None

    def open_link(self, bucket: int, path: bytes) -> int:
        """Open for reading what a path leads to, following links but never out of the bucket.

        -1 where it leads to nothing, or outside.
        """
        try:
            return open_place(bucket, path.split(b"/"), READ)
        except OSError as failed:
            if failed.errno in _NONE:
                return -1
            raise
