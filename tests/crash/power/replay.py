"""Disks as they were, or may have been, at points of a log, one after the other."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from tests.crash.power.writelog import SECTOR, Entry, Point, last_flush

_STEP = 1024 * 1024


class Replay:
    """Makes images of points, which are asked for in rising order.

    :param base: the image before the first entry; it is changed.
    :param atom: see :meth:`Point.kept`.
    """

    def __init__(self, base: Path, log: Sequence[Entry], atom: int = SECTOR) -> None:
        self._base = base
        self._log = log
        self._atom = atom
        self._done = 0

    def image(self, point: Point, target: Path) -> None:
        """Write the image of a point."""
        flushed = last_flush(self._log, point.entries)
        assert flushed >= self._done, "points are asked for in rising order"
        with self._base.open("r+b") as file:
            for entry in self._log[self._done : flushed]:
                os.pwrite(file.fileno(), entry.data, entry.offset)
        self._done = flushed
        copy_sparse(self._base, target)
        with target.open("r+b") as file:
            for entry in point.kept(self._log, self._atom):
                os.pwrite(file.fileno(), entry.data, entry.offset)


def copy_sparse(source: Path, target: Path) -> None:
    """Copy a file, leaving out what is in no block of it."""
    with source.open("rb") as old, target.open("wb") as new:
        size = os.fstat(old.fileno()).st_size
        new.truncate(size)
        at = 0
        while at < size:
            try:
                start = os.lseek(old.fileno(), at, os.SEEK_DATA)
            except OSError:
                return  # nothing but a hole
            at = os.lseek(old.fileno(), start, os.SEEK_HOLE)
            for offset in range(start, at, _STEP):
                data = os.pread(old.fileno(), min(_STEP, at - offset), offset)
                os.pwrite(new.fileno(), data, offset)
