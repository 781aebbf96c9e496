"""Where records are kept: in an extended attribute, and what is too long for it in a spill file.

File systems differ in what an attribute may hold (ext4: 4 KiB of all attributes together, XFS and
tmpfs: 64 KiB).  A record over the limit is written into a file of its own, durably, before the
attribute names it; so at every moment the attribute speaks of a whole record.
"""

from __future__ import annotations

import errno
import os
import re
from functools import lru_cache
from typing import Protocol

import attrs

from s3daemon.store.posix import metadata, packing, private
from s3daemon.store.posix.durable import Disk
from s3daemon.store.posix.metadata import Record
from s3daemon.store.posix.paths import READ, open_quietly
from s3daemon.store.posix.syscalls import XattrReader

#: The one attribute.
ATTRIBUTE = "user.s3gate"
_ATTRIBUTE = ATTRIBUTE.encode()

#: Records of this size fit into every attribute: if they do not, the device is full.
_ALWAYS_FITS = 512

#: How many records are remembered, and up to which size.
_REMEMBERED = 2048
_SHORT = 1024

_TOO_LONG = frozenset((errno.ENOSPC, errno.E2BIG, errno.ERANGE))
#: What says that there is no such attribute.
ABSENT = frozenset((errno.ENODATA, errno.ENOTSUP))
_SPILL_NAME = re.compile(r"[0-9a-f]{32}")
_MAX_SPILL_BYTES = 16 * 1024 * 1024


class MetadataStore(Protocol):
    """Keeps one record for a file or a directory.

    ``home`` is the descriptor of the directory whose ``.s3gate`` belongs to the entry: its
    top-level bucket.
    """

    def load(self, fd: int, home: int) -> Record:
        """The record of an open entry; an empty one where there is none or no legible one.

        A damaged record with a ``spill`` is one whose long form is gone; it has what the attribute
        holds.  Either the entry itself has just been removed, or somebody removed or damaged our
        file.
        """

    def save(
        self, disk: Disk, fd: int, home: int, record: Record, old: Record = metadata.EMPTY
    ) -> None:
        """Replace the record of an open entry in one step; ``old`` is the one that it takes the
        place of.  It is durable when the entry is synced.

        :param disk: on the level of the bucket.
        """

    def forget(self, disk: Disk, home: int, record: Record) -> None:
        """The entry of this record is gone: remove what was kept outside it."""


class XattrMetadata:
    """Records in extended attributes.

    :ivar limit: longest value that an attribute may hold, as far as is known.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._reader = XattrReader()
        self._parse_again = lru_cache(maxsize=_REMEMBERED)(packing.parse)

    def load(self, fd: int, home: int) -> Record:
        """See :meth:`MetadataStore.load`."""
        try:
            raw = self._reader.read(fd, _ATTRIBUTE)
        except OSError as exc:
            if exc.errno in ABSENT:
                return metadata.EMPTY
            raise
        # What is read again and again is parsed once: the attribute itself is read every time.
        record = self._parse_again(raw) if len(raw) <= _SHORT else packing.parse(raw)
        while record.spill is not None:
            whole = _read_spill(home, record.spill)
            if whole is not None and not whole.damaged:
                # What the attribute says is newer, should a restored copy disagree.
                return attrs.evolve(whole, stamp=record.stamp, etag=record.etag, spill=record.spill)
            # Replaced meanwhile?  Then the attribute names another one.
            again = os.getxattr(fd, ATTRIBUTE)
            if again == raw:
                return attrs.evolve(record, damaged=True)
            raw, record = again, packing.parse(again)
        return record

    def save(
        self, disk: Disk, fd: int, home: int, record: Record, old: Record = metadata.EMPTY
    ) -> None:
        """See :meth:`MetadataStore.save`."""
        raw = packing.dump(attrs.evolve(record, spill=None) if record.spill else record)
        if len(raw) > self.limit or not self._fits(disk, fd, raw):
            name = private.unique()
            self._write_spill(disk, home, name, raw)
            try:
                brief = packing.dump(metadata.core(record, name.decode()))
                disk.set_xattr(fd, ATTRIBUTE, brief)
            except OSError:
                disk.unlink(private.SPILL + b"/" + name, home)
                raise
        if old.spill is not None:
            # The new attribute must reach the device before the old spill leaves it.
            disk.fsync(fd)
            self.forget(disk, home, old)

    def forget(self, disk: Disk, home: int, record: Record) -> None:
        """See :meth:`MetadataStore.forget`."""
        if record.spill is None or not _SPILL_NAME.fullmatch(record.spill):
            return
        try:
            disk.unlink(private.SPILL + b"/" + record.spill.encode(), home)
        except FileNotFoundError:
            pass  # somebody else was faster

    def _fits(self, disk: Disk, fd: int, raw: bytes) -> bool:
        try:
            disk.set_xattr(fd, ATTRIBUTE, raw)
        except OSError as exc:
            if exc.errno in _TOO_LONG and len(raw) > _ALWAYS_FITS:
                return False
            raise
        return True

    def _write_spill(self, disk: Disk, home: int, name: bytes, raw: bytes) -> None:
        path = private.SPILL + b"/" + name
        try:
            fd = disk.create(path, home)
        except FileNotFoundError:
            private.make(disk, home, private.SPILL)
            fd = disk.create(path, home)
        try:
            try:
                disk.write(fd, [raw])
                disk.settle(fd)
            finally:
                os.close(fd)
            private.sync(disk, home, private.SPILL)
        except OSError:
            disk.unlink(path, home)
            raise


def _read_spill(home: int, name: str) -> Record | None:
    if not _SPILL_NAME.fullmatch(name):
        return None
    try:
        fd = open_quietly(private.SPILL + b"/" + name.encode(), READ | os.O_NOFOLLOW, home)
    except FileNotFoundError:
        return None
    try:
        raw = b""
        while piece := os.pread(fd, _MAX_SPILL_BYTES, len(raw)):
            raw += piece
            if len(raw) > _MAX_SPILL_BYTES:
                return None
        return packing.parse(raw)
    finally:
        os.close(fd)
