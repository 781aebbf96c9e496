"""The sorted names of directories, kept for as long as they are certainly true.

A page of a listing must not cost a directory.  So the names of a directory are read and sorted
once, kept in a compact form, and used again while the directory has not changed.

When is that certain?  Every creation, removal and renaming in a directory stamps its mtime and its
ctime (POSIX, "File Times Update"), and nobody can set ctime back.  But stamps come from a coarse
clock: two changes within one tick leave the same stamp, and a snapshot read between them would
pass for the truth for ever (the problem git has with its index).  Therefore a snapshot is kept only
if the reading *began* more than a window after the stamp, with the same stamp at its end: then
every change it may have missed came later than the window, and carries another stamp.  The window
must exceed the resolution of the file system's stamps plus what its clock differs from ours.  What
is read of a directory that has changed within the window serves one caller, and those who came
before the reading began; unless the directory is large and the kernel can tell what has changed in
it since (see :mod:`watches`).  It is also what is asked for what has changed in a large one *while*
it was read, for that may have been passed over (see :mod:`dirnames`).
"""

from __future__ import annotations

import os
import time
from collections import OrderedDict
from collections.abc import Callable
from threading import Lock

import attrs

from s3daemon.store.posix.chunks import Chunks
from s3daemon.store.posix.dirnames import SegmentOf, Snapshot, read, read_through
from s3daemon.store.posix.factcache import FactCache
from s3daemon.store.posix.watched import DEFAULT_LEAST, Watched
from s3daemon.store.posix.watches import Watch, replaces_in_place
from s3daemon.store.posix.witnesses import Witnesses

#: Bytes of snapshots that one store keeps; and as many of directories that it watches.
DEFAULT_BUDGET = 64 * 1024 * 1024

#: Above the coarsest resolution in use (FAT: 2 s; ext3, HFS+ and old NFS servers: 1 s).
DEFAULT_WINDOW_NS = 2_000_000_000

#: st_size of a directory from which on it is expected to be large.
_LARGE_BYTES = 8192

Stamp = tuple[int, int]


@attrs.define
class _Reading:
    """Who waits for a directory to be read, and what came of it.

    :ivar begun: how many readings have begun; :ivar done: the number of the last finished one.
    """

    turn: Lock = attrs.field(factory=Lock)
    waiting: int = 0
    begun: int = 0
    done: int = 0
    snapshot: Snapshot | None = None


class Snapshots:
    """Snapshots of one store's directories: never stale, bounded in bytes, for any thread.

    The least recently used ones go first.  The last one that alone exceeds the budget is kept
    beside it, for reading such a directory anew for each page costs more than its memory.

    :ivar witnesses: what is remembered of directories that are not read whole.
    :ivar facts: what is remembered of files.
    :param window_ns: see the module; 0 or less trusts every stamp (for tests).
    :param now_ns: the clock that file stamps are compared with.
    :param watch_from: names from which on a changing directory is watched.
    """

    def __init__(
        self,
        budget: int = DEFAULT_BUDGET,
        window_ns: int = DEFAULT_WINDOW_NS,
        now_ns: Callable[[], int] = time.time_ns,
        watch_from: int = DEFAULT_LEAST,
    ) -> None:
        self._budget = budget
        self._window_ns = window_ns
        self._now_ns = now_ns
        self.witnesses = Witnesses()
        self.facts = FactCache(window_ns, now_ns)
        self._watched = Watched(budget, watch_from)
        self._lock = Lock()
        self._kept: OrderedDict[tuple[int, int], tuple[Stamp, Snapshot]] = OrderedDict()
        self._large: tuple[tuple[int, int], Stamp, Snapshot] | None = None
        self._size = 0
        self._readings: dict[tuple[int, int], _Reading] = {}

    @property
    def nbytes(self) -> int:
        """About how much memory is held now."""
        with self._lock:
            size = self._size + (self._large[2].nbytes if self._large else 0)
        return size + self._watched.nbytes

    def of(self, directory: int, segment_of: SegmentOf) -> Snapshot | Chunks:
        """The entries of an open directory, as they were at some moment after the call.

        ``directory`` is not shared with another thread; for ``segment_of`` see its type.

        :raises OSError: it cannot be read.
        """
        status = os.fstat(directory)
        place = (status.st_dev, status.st_ino)
        with self._lock:
            found = self._find(place, _stamp(status))
            if found is not None:
                return found
            reading = self._readings.setdefault(place, _Reading())
            reading.waiting += 1
            begun = reading.begun
        try:
            with reading.turn:
                return self._read(directory, segment_of, place, reading, begun)
        finally:
            with self._lock:
                reading.waiting -= 1
                if not reading.waiting:
                    del self._readings[place]

    def waiting(self, directory: int) -> int:
        """How many callers are waiting for a directory to be read, or reading it."""
        status = os.fstat(directory)
        with self._lock:
            reading = self._readings.get((status.st_dev, status.st_ino))
            return reading.waiting if reading else 0

    def _find(self, place: tuple[int, int], stamp: Stamp) -> Snapshot | None:
        held = self._kept.get(place)
        if held is not None and held[0] == stamp:
            self._kept.move_to_end(place)
            return held[1]
        if self._large is not None and self._large[:2] == (place, stamp):
            return self._large[2]
        return None

    def _read(
        self,
        directory: int,
        segment_of: SegmentOf,
        place: tuple[int, int],
        reading: _Reading,
        begun: int,
    ) -> Snapshot | Chunks:
        """Read a directory, unless somebody has done it since ``begun`` readings had begun."""
        if reading.done > begun and reading.snapshot is not None:
            return reading.snapshot
        now_ns = self._now_ns()
        before = os.fstat(directory)
        with self._lock:
            found = self._find(place, _stamp(before))
            if found is not None:
                return found
        followed = self._watched.now(directory, place)
        if followed is not None:
            return followed
        with self._lock:
            reading.begun += 1
            number = reading.begun
        old = self._window_ns <= 0 or now_ns - max(_stamp(before)) > self._window_ns
        watch = self._watched.begin(directory, place)
        steady = replaces_in_place(directory)
        if watch is None and not old and before.st_size >= _LARGE_BYTES and not steady:
            watch = Watch.of(directory)
        snapshot = _read(directory, segment_of, watch)
        stamp = _stamp(os.fstat(directory))
        unchanged = old and stamp == _stamp(before)
        if not unchanged and watch is None and snapshot.is_large and not steady:
            watch = Watch.of(directory)
            changes = _unknown if watch is None else watch.changes
            snapshot = read_through(directory, segment_of, changes)
        reading.done, reading.snapshot = number, snapshot
        if snapshot.complete and unchanged:
            self._keep(place, stamp, snapshot)
        else:
            self._watched.found(place, watch, snapshot)
        return snapshot

    def _keep(self, place: tuple[int, int], stamp: Stamp, snapshot: Snapshot) -> None:
        size = snapshot.nbytes
        with self._lock:
            _, old = self._kept.pop(place, (None, None))
            if old is not None:
                self._size -= old.nbytes
            if size > self._budget:
                self._large = (place, stamp, snapshot)
                return
            if self._large is not None and self._large[0] == place:
                self._large = None
            self._kept[place] = (stamp, snapshot)
            self._size += size
            while self._size > self._budget:
                _, (_, evicted) = self._kept.popitem(last=False)
                self._size -= evicted.nbytes


def _read(directory: int, segment_of: SegmentOf, watch: Watch | None) -> Snapshot:
    if watch is None:
        return read(directory, segment_of)
    return read_through(directory, segment_of, watch.changes)


def _unknown() -> set[bytes] | None:
    """The changes where nobody can watch."""
    return None


def _stamp(status: os.stat_result) -> Stamp:
    return (status.st_mtime_ns, status.st_ctime_ns)
