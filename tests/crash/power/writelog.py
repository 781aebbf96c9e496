"""The write log of a block device: every write and flush in their order.

As qemu's driver ``blklogwrites`` and Linux's target ``log-writes`` of the device mapper write it:
a super block, and entries of one sector, each followed by what was written.
https://docs.kernel.org/admin-guide/device-mapper/log-writes.html

What a crash leaves of it: everything up to the last flush, and of what was written after that any
part, for a device may keep or lose each sector as it likes.
"""

from __future__ import annotations

import random
import struct
from collections.abc import Iterator, Sequence
from pathlib import Path

import attrs

MAGIC = 0x6A736677736872
_SUPER = struct.Struct("<QQQL")
_ENTRY = struct.Struct("<QQQQ")
FLUSH, FUA, DISCARD, MARK = 1, 2, 4, 8

#: What every device writes whole or not at all, in bytes.
SECTOR = 512


@attrs.frozen
class Entry:
    """A write, or a flush.

    :ivar offset: where on the device, in bytes.
    :ivar data: what was written; empty for a flush.
    :ivar flush: everything that was written before it is kept from now on.
    """

    offset: int
    data: bytes = attrs.field(repr=len)
    flush: bool = False


def read(path: Path) -> Iterator[Entry]:
    """The entries of a log.

    :raises ValueError: it is none, or has entries that are not known here.
    """
    with path.open("rb") as file:
        magic, version, _, sector = _SUPER.unpack(file.read(_SUPER.size))
        if magic != MAGIC or version != 1:
            raise ValueError(f"{path} is no write log of version 1")
        file.seek(sector)
        while len(head := file.read(sector)) == sector:
            number, count, flags, _ = _ENTRY.unpack_from(head)
            if not (count or flags):
                break  # room that was taken for entries and not used
            if flags & (FUA | DISCARD | MARK):
                raise ValueError(f"an entry with flags {flags}")
            data = file.read(count * sector)
            if len(data) < count * sector:
                break  # the end was being written when the log was closed
            yield Entry(number * sector, data, bool(flags & FLUSH))


@attrs.frozen
class Point:
    """What a device may hold after a crash.

    :ivar entries: how many entries of the log had been written by then, at most.
    :ivar seed: which of those after the last flush were kept; None: all.
    """

    entries: int
    seed: int | None = None

    def kept(self, log: Sequence[Entry], atom: int = SECTOR) -> Iterator[Entry]:
        """What was kept of what was written after the last flush.

        :param atom: what the device writes whole or not at all, in bytes.
        """
        pending = log[last_flush(log, self.entries) : self.entries]
        if self.seed is None:
            yield from pending
            return
        rng = random.Random(self.seed)
        share = rng.choice((0.0, 0.2, 0.5, 0.8))
        for entry in pending:
            if rng.random() >= share:
                continue
            if rng.random() < 0.8:
                yield entry
            else:
                yield from _torn(entry, rng, atom)


def _torn(entry: Entry, rng: random.Random, atom: int) -> Iterator[Entry]:
    at = 0
    while at < len(entry.data):
        end = at + atom - (entry.offset + at) % atom
        if rng.random() < 0.5:
            yield Entry(entry.offset + at, entry.data[at:end])
        at = end


def last_flush(log: Sequence[Entry], entries: int) -> int:
    """How many of the first entries are kept for certain."""
    for count in range(entries, 0, -1):
        if log[count - 1].flush:
            return count
    return 0
