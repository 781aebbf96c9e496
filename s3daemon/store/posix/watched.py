"""Snapshots of large directories that keep changing, brought up to date instead of read anew."""

from __future__ import annotations

from collections import OrderedDict
from threading import Lock

import attrs

from s3daemon.store.posix.chunks import Chunks
from s3daemon.store.posix.dirnames import Snapshot
from s3daemon.store.posix.entries import entries
from s3daemon.store.posix.watches import Watch

#: From so many names on, following the changes is cheaper than reading.
DEFAULT_LEAST = 4096

#: More changes than this share of the names make reading anew the cheaper way.
_MOST_CHANGED = 1 / 16

_MAX_WATCHED = 8
_MAX_WANTED = 64

Identity = tuple[int, int]


@attrs.define
class _Followed:
    watch: Watch
    chunks: Chunks


class Watched:
    """The large directories that were last found changing; for any thread.

    Calls for *one* directory come one at a time.

    :param budget: bytes of snapshots; one is held even if it is larger.
    :param least: names that make a directory large.
    """

    def __init__(self, budget: int, least: int = DEFAULT_LEAST) -> None:
        self._budget = budget
        self._least = least
        self._lock = Lock()
        self._followed: OrderedDict[Identity, _Followed] = OrderedDict()
        self._wanted: OrderedDict[Identity, None] = OrderedDict()

    @property
    def nbytes(self) -> int:
        """About how much memory is held now."""
        with self._lock:
            return sum(followed.chunks.nbytes for followed in self._followed.values())

    def now(self, directory: int, identity: Identity) -> Chunks | None:
        """The entries of an open directory as they are now, or None: then it is to be read.

        :raises OSError: an entry cannot be looked at.
        """
        with self._lock:
            followed = self._followed.get(identity)
            if followed is None:
                return None
            self._followed.move_to_end(identity)
        # A change can be seen by its name a moment before its event is queued.  From the one to the
        # other the kernel holds the lock of the directory, which reading from it takes.
        with entries(directory) as found:
            next(found, None)
        changed = followed.watch.changes()
        if changed is not None and len(changed) <= len(followed.chunks) * _MOST_CHANGED:
            patched = followed.chunks.patched(directory, changed)
            if patched is not None:
                followed.chunks = patched
                return patched
        with self._lock:
            self._followed.pop(identity, None)
            self._wanted[identity] = None
        return None

    def begin(self, directory: int, identity: Identity) -> Watch | None:
        """Before a directory is read: the watch on it, if it was found large and changing."""
        with self._lock:
            if identity not in self._wanted:
                return None
        return Watch.of(directory)

    def found(self, identity: Identity, watch: Watch | None, snapshot: Snapshot) -> None:
        """A directory that is changing was read, under this watch."""
        if len(snapshot) < self._least or not snapshot.complete:
            return
        chunks = Chunks.split(snapshot) if watch is not None else None
        with self._lock:
            self._wanted.pop(identity, None)
            if watch is None or chunks is None:
                self._wanted[identity] = None
                if len(self._wanted) > _MAX_WANTED:
                    self._wanted.popitem(last=False)
                return
            self._followed[identity] = _Followed(watch, chunks)
            size = sum(followed.chunks.nbytes for followed in self._followed.values())
            while len(self._followed) > 1 and (
                size > self._budget or len(self._followed) > _MAX_WATCHED
            ):
                _, dropped = self._followed.popitem(last=False)
                size -= dropped.chunks.nbytes
