"""Records in files of their own, for file systems that keep no extended attributes.

The sidecar of an entry is a file beneath ``.s3gate/records`` of the root, called by what the entry
is known by (see :mod:`identities`): its handle, where there are handles.  So it belongs to the
entry whatever that is called, it is found from an open descriptor, and nobody else is ever taken
for it, also who gets its inode number later.
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
import secrets
import stat
import zlib
from contextlib import suppress
from functools import lru_cache

import attrs

from s3daemon.store.posix import anchors, metadata, packing, private
from s3daemon.store.posix.durable import Disk
from s3daemon.store.posix.errnos import GONE
from s3daemon.store.posix.identities import (
    HANDLES,
    SPAN_NS,
    STAMPS,
    Identity,
    is_replaced,
    is_stamped,
)
from s3daemon.store.posix.metadata import Record
from s3daemon.store.posix.records import is_gone, read_whole

#: How many records are remembered.
_REMEMBERED = 2048

#: Inode numbers that hold for one mount are not written down.
_ANY_INODE = 0

#: Names of sidecars: no spill file has one like that.
_NAME = re.compile(r"h[0-9a-f]{2,}|d[0-9a-f]{40}|s[0-9a-f]+-[0-9a-f]+")


class SidecarMetadata:
    """Records in sidecar files.

    A top-level bucket that is another file system, mounted there, has its sidecars in its own
    ``.s3gate``: handles mean something on one file system only.

    :param root: descriptor of the root; it stays the caller's.
    :param identity: by what they are found.
    """

    def __init__(self, root: int, identity: Identity = HANDLES) -> None:
        self._root = root
        self._identity = identity
        self._marked: set[str] = set()
        self._device = os.fstat(root).st_dev
        self._parse_again = lru_cache(maxsize=_REMEMBERED)(_parse)

    def load(self, fd: int, home: int) -> Record:
        """See :meth:`MetadataStore.load`."""
        base, device = self._base(home)
        if not _is_on(device, os.fstat(fd)):
            return metadata.EMPTY
        name = self._identity.of(base, fd, b"")
        raw = read_whole(path_of(name), base)
        if raw is not None:
            record = self._parse_again(raw, name)
            return _with_inode(record, os.fstat(fd).st_ino) if self._identity.chosen else record
        if is_gone(fd) or (is_stamped(name) and is_replaced(fd)):
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
        record = attrs.evolve(record, spill=None)
        if self._identity.chosen:
            if stat.S_ISREG(st.st_mode) and not self._is_own(base, fd):
                self.mark(disk, fd, home)
            record = _with_inode(record, _ANY_INODE)
        staged = self._write(disk, base, packing.dump(record))
        try:
            if st.st_nlink:
                disk.stamp_changed(fd)
            name = self._identity.of(base, fd, b"")  # an overlay may have another file by now
            path = path_of(name)
            self._marked.discard(name)
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

    def mark(self, disk: Disk, fd: int, home: int) -> None:
        """See :meth:`MetadataStore.mark`."""
        if not self._identity.chosen:
            return
        base = self._base(home)[0]
        while True:
            modified_ns = os.fstat(fd).st_mtime_ns
            disk.set_modified(fd, modified_ns - modified_ns % SPAN_NS + secrets.randbelow(SPAN_NS))
            name = self._identity.of(base, fd, b"")
            if not _exists(path_of(name), base):
                self._marked.add(name)
                return

    def _is_own(self, base: int, fd: int) -> bool:
        """Whether a file has been given its time for its record."""
        name = self._identity.of(base, fd, b"")
        return name in self._marked or _exists(path_of(name), base)

    @property
    def moves_along(self) -> bool:
        """See :meth:`MetadataStore.moves_along`."""
        return not self._identity.chosen

    def keeps_apart(self, home: int) -> bool:
        """See :meth:`MetadataStore.keeps_apart`."""
        return True

    def prepare(self, disk: Disk) -> None:
        """Make the directory, by which it is known that a root has sidecars."""
        with suppress(OSError):  # then with the first record
            private.make(disk, self._root, self._identity.directory)
            if self._identity is HANDLES:
                anchors.drop(disk, self._root)

    def _base(self, home: int) -> tuple[int, int]:
        """The directory whose ``.s3gate`` has the sidecars, and its device."""
        try:
            device = os.fstat(home).st_dev
        except OSError as exc:
            if exc.errno not in GONE:
                raise
            device = self._device  # of a bucket that was deleted, on FUSE
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


def is_sidecar(name: str | None) -> bool:
    """Whether the file that holds a whole record is a sidecar, and no spill file."""
    return name is not None and _NAME.fullmatch(name) is not None


def path_of(name: str) -> bytes:
    """Where a sidecar is, from the base."""
    raw = name.encode()
    directory = (HANDLES if name.startswith("h") else STAMPS).directory
    return b"%s/%02x/%s" % (directory, zlib.crc32(raw) & 0xFF, raw)


def _make_shard(disk: Disk, base: int, path: bytes) -> None:
    shard = os.path.dirname(path)
    directory = os.path.dirname(shard)
    private.make(disk, base, directory)
    with suppress(FileExistsError):
        disk.mkdir(shard, base)
    private.sync(disk, base, directory)


def _exists(path: bytes, base: int) -> bool:
    try:
        os.stat(path, dir_fd=base, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return True


def _with_inode(record: Record, inode: int) -> Record:
    """The record, saying so of a content that it speaks of."""
    if record.stamp is None:
        return record
    return attrs.evolve(record, stamp=(*record.stamp[:2], inode))


def _is_on(device: int, st: os.stat_result) -> bool:
    """Whether an entry is on a device.  Files say otherwise on some file systems (overlay)."""
    return not stat.S_ISDIR(st.st_mode) or st.st_dev == device


def _parse(raw: bytes, name: str) -> Record:
    return attrs.evolve(packing.parse(raw), spill=name)
