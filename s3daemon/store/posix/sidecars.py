"""Records in files of their own, for file systems that keep no extended attributes.

The sidecar of an entry is a file beneath ``.s3gate/records`` of the root; its name is the handle of
the entry (see :mod:`handles`).  So it belongs to the entry whatever that is called, it is found
from an open descriptor, and nobody else is ever taken for it, also who gets its inode number later.
A new object gets its sidecar, durably, before it gets its name; who replaces an object makes
another sidecar, and removes that of the old one when the old one is durably gone.  What a crash
leaves behind belongs to nobody, and is swept: see :mod:`orphans`.

Replacing a record is a rename.  It does not show in the stamps of the entry, by which caches tell
whether what they know is still true; so the entry is stamped, before, that nobody goes by what he
has known so far, and after, should anybody have read the old record in between, for long.
"""

from __future__ import annotations

import errno
import os
import re
import stat
import zlib
from contextlib import suppress
from functools import lru_cache

import attrs

from s3daemon.store.posix import metadata, packing, private
from s3daemon.store.posix.durable import Disk
from s3daemon.store.posix.handles import handle_of
from s3daemon.store.posix.metadata import Record
from s3daemon.store.posix.records import is_gone, read_whole

#: How many records are remembered.
_REMEMBERED = 2048

#: Names of sidecars: no spill file has one like that.
_NAME = re.compile(r"h[0-9a-f]{2,}")


class SidecarMetadata:
    """Records in sidecar files.

    A top-level bucket that is another file system, mounted there, has its sidecars in its own
    ``.s3gate``: handles mean something on one file system only.

    :param root: descriptor of the root; it stays the caller's.
    """

    def __init__(self, root: int) -> None:
        self._root = root
        self._device = os.fstat(root).st_dev
        self._parse_again = lru_cache(maxsize=_REMEMBERED)(_parse)

    def load(self, fd: int, home: int) -> Record:
        """See :meth:`MetadataStore.load`."""
        base, device = self._base(home)
        if not _is_on(device, os.fstat(fd)):
            return metadata.EMPTY
        name = name_of(fd)
        raw = read_whole(path_of(name), base)
        if raw is not None:
            return self._parse_again(raw, name)
        if is_gone(fd):
            return Record(spill=name, damaged=True)
        return metadata.EMPTY

    def save(
        self, disk: Disk, fd: int, home: int, record: Record, old: Record = metadata.EMPTY
    ) -> None:
        """See :meth:`MetadataStore.save`.  It is durable on return.

        :raises OSError: EXDEV: a directory is another file system.
        """
        base, device = self._base(home)
        st = os.fstat(fd)
        if not _is_on(device, st):
            raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))
        staged = self._write(disk, base, packing.dump(attrs.evolve(record, spill=None)))
        try:
            if st.st_nlink:
                disk.stamp_changed(fd)
            path = path_of(name_of(fd))  # an overlay may have another file by now
            try:
                disk.rename(staged, base, path, base)
            except FileNotFoundError:
                _make_shard(disk, base, path)
                disk.rename(staged, base, path, base)
        except OSError:
            with suppress(OSError):  # with the other leftovers, then
                disk.unlink(staged, base)
            raise
        private.sync(disk, base, os.path.dirname(path))
        if st.st_nlink:
            disk.stamp_changed(fd)

    def forget(self, disk: Disk, home: int, record: Record) -> None:
        """See :meth:`MetadataStore.forget`."""
        if record.spill is None or not is_sidecar(record.spill):
            return
        with suppress(FileNotFoundError):  # there was none, or somebody else was faster
            disk.unlink(path_of(record.spill), self._base(home)[0])

    def keeps_apart(self, home: int) -> bool:
        """See :meth:`MetadataStore.keeps_apart`."""
        return True

    def prepare(self, disk: Disk) -> None:
        """Make the directory, by which it is known that a root has sidecars."""
        with suppress(OSError):  # then with the first record
            private.make(disk, self._root, private.RECORDS)

    def _base(self, home: int) -> tuple[int, int]:
        """The directory whose ``.s3gate`` has the sidecars, and its device."""
        device = os.fstat(home).st_dev
        return (self._root if device == self._device else home), device

    def _write(self, disk: Disk, base: int, raw: bytes) -> bytes:
        staged = private.STAGING + b"/" + private.unique()
        try:
            fd = disk.create(staged, base)
        except FileNotFoundError:
            private.make(disk, base, private.STAGING)
            fd = disk.create(staged, base)
        try:
            disk.write(fd, [raw])
            disk.settle(fd)
        except OSError:
            with suppress(OSError):
                disk.unlink(staged, base)
            raise
        finally:
            os.close(fd)
        return staged


def name_of(fd: int, name: bytes = b"") -> str:
    """What the sidecar is called of an open entry, or of one with a name in an open directory."""
    return "h" + handle_of(fd, name)


def is_sidecar(name: str | None) -> bool:
    """Whether the file that holds a whole record is a sidecar, and no spill file."""
    return name is not None and _NAME.fullmatch(name) is not None


def path_of(name: str) -> bytes:
    """Where a sidecar is, from the base."""
    raw = name.encode()
    return b"%s/%02x/%s" % (private.RECORDS, zlib.crc32(raw) & 0xFF, raw)


def _make_shard(disk: Disk, base: int, path: bytes) -> None:
    private.make(disk, base, private.RECORDS)
    with suppress(FileExistsError):
        disk.mkdir(os.path.dirname(path), base)
    private.sync(disk, base, private.RECORDS)


def _is_on(device: int, st: os.stat_result) -> bool:
    """Whether an entry is on a device.  Files say otherwise on some file systems (overlay)."""
    return not stat.S_ISDIR(st.st_mode) or st.st_dev == device


def _parse(raw: bytes, name: str) -> Record:
    return attrs.evolve(packing.parse(raw), spill=name)
