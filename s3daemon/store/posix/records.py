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
from s3daemon.store.posix.errnos import GONE
from s3daemon.store.posix.identities import is_replaced, is_stamped
from s3daemon.store.posix.metadata import Record
from s3daemon.store.posix.paths import READ, open_quietly
from s3daemon.store.posix.syscalls import XattrReader, file_system_type

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
#: Names that NFS and FUSE (libfuse) give to what is removed while it is open ...
_HIDDEN = (b".nfs", b".fuse_hidden")
#: ... and f_type of statfs(2) of these (linux/magic.h).
_HIDING = frozenset((0x6969, 0x65735546))
_SPILL_NAME = re.compile(r"[0-9a-f]{32}")
_STEP = 64 * 1024
_MAX_BYTES = 16 * 1024 * 1024


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

    def mark(self, disk: Disk, fd: int, home: int) -> None:
        """Prepare an open file that is about to get its first record; its time may change."""

    @property
    def moves_along(self) -> bool:
        """Whether a directory that is renamed keeps its record."""

    def keeps_apart(self, home: int) -> bool:
        """Whether anything may be kept outside the entries that have this home."""


def is_gone(fd: int, name: bytes = b"", stale: bool = True) -> bool:
    """Whether a file has no name any more, or only one that hides it until it is closed.

    NFS and FUSE rename what is removed while it is open.

    :param name: one that it had, which is none of that kind.
    :param stale: whether one that is stale counts as gone.  A reader had better look again; but an
        export that is away for a while is stale as well, so nothing may be removed for that.
    """
    try:
        if not os.fstat(fd).st_nlink:
            return True
    except OSError as exc:
        if exc.errno not in GONE:
            raise
        return stale or exc.errno != errno.ESTALE
    if file_system_type(fd) not in _HIDING:
        return False
    try:
        path = os.readlink(b"/proc/self/fd/%d" % fd)
    except OSError:
        return False
    now = path.rpartition(b"/")[2]
    return now != name and now.startswith(_HIDDEN)


def is_lost(record: Record, fd: int) -> bool:
    """Whether the record of an open entry is incomplete because the entry has just been removed."""
    if not record.damaged or record.spill is None:
        return False
    return is_gone(fd) or (is_stamped(record.spill) and is_replaced(fd))


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

    moves_along = True

    def mark(self, disk: Disk, fd: int, home: int) -> None:
        """See :meth:`MetadataStore.mark`."""

    def keeps_apart(self, home: int) -> bool:
        """See :meth:`MetadataStore.keeps_apart`."""
        try:
            os.stat(private.SPILL, dir_fd=home)
        except OSError:
            return False
        return True

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
    raw = read_whole(private.SPILL + b"/" + name.encode(), home)
    return None if raw is None else packing.parse(raw)


def read_whole(path: bytes, home: int) -> bytes | None:
    """What a file of ours holds; None where it is not there, or is none of ours.

    :param path: from the home.
    """
    try:
        fd = open_quietly(path, READ | os.O_NOFOLLOW, home)
    except FileNotFoundError:
        return None
    try:
        raw = b""
        while piece := os.pread(fd, _STEP, len(raw)):
            raw += piece
            if len(raw) > _MAX_BYTES:
                return None
        return raw
    finally:
        os.close(fd)
