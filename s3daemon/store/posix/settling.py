"""After removing: the directories that lost a name are synced, each once, and pruned.

Any number of removals may wait for that, and are done only then.  A directory is remembered by its
open descriptor, for another may have its name by then.
"""

from __future__ import annotations

import os
from types import TracebackType

from s3daemon.store.posix import pruning
from s3daemon.store.posix.descriptors import release
from s3daemon.store.posix.paths import Place
from s3daemon.store.posix.volume import Bucket, Volume

#: Directories that are kept open at the most.
_MOST = 64


class _Changed:
    """A directory, open, and the removals that changed it."""

    __slots__ = ("fd", "numbers", "place", "prune")

    def __init__(self, fd: int, place: Place) -> None:
        self.fd = fd
        self.place = place
        self.prune = False
        self.numbers: set[int] = set()


class Settling:
    """What has been removed in a bucket, and is not done yet.  Use it as a context manager.

    :param prune: remove directories that are left empty and are implicit, and those above.
    :ivar failed: removals, by number, that nobody knows to be durable, and why.
    """

    def __init__(self, volume: Volume, bucket: Bucket, prune: bool) -> None:
        self._volume = volume
        self._bucket = bucket
        self._prune = prune
        self._changed: dict[tuple[int, int], _Changed] = {}
        self.failed: dict[int, OSError] = {}

    def add(self, fd: int, place: Place, number: int, prune: bool = True) -> None:
        """A removal has changed a directory, or needs what others have changed in it.

        :param fd: stays the caller's.
        :param prune: it may be empty now.
        """
        prune = prune and self._prune and bool(place)
        if not prune and not self._bucket.disk.syncs_names:
            return  # there is nothing to do
        status = os.fstat(fd)
        identity = status.st_dev, status.st_ino
        if identity not in self._changed:
            if len(self._changed) >= _MOST:
                self.settle()
            self._changed[identity] = _Changed(os.dup(fd), place)
        changed = self._changed[identity]
        changed.numbers.add(number)
        changed.prune = changed.prune or prune

    def settle_below(self, place: Place) -> None:
        """Settle all, if a directory in this one is waiting: it can then be seen to be empty."""
        if any(one.place[: len(place)] == place for one in self._changed.values()):
            self.settle()

    def settle(self) -> None:
        """Sync what waits, and prune it; see :attr:`failed`."""
        changed = sorted(self._changed.values(), key=lambda one: len(one.place), reverse=True)
        durable = [one for one in changed if self._sync(one)]
        for one in durable:
            gone = (
                one.prune
                and one.place
                and pruning.remove_open(
                    self._volume, self._bucket, one.place, one.fd, pruning.IMPLICIT
                )
            )
            fd, one.fd = one.fd, -1
            release(fd)  # and its lock
            if gone:
                pruning.prune(self._volume, self._bucket, one.place[:-1])
        self._close()

    def check(self, number: int) -> None:
        """:raises OSError: this removal has failed."""
        if number in self.failed:
            raise self.failed[number]

    def _sync(self, one: _Changed) -> bool:
        try:
            self._bucket.disk.sync_names(one.fd)
        except OSError as exc:
            for number in one.numbers:
                self.failed.setdefault(number, exc)
            return False
        return True

    def _close(self) -> None:
        for one in self._changed.values():
            if one.fd >= 0:
                release(one.fd)
        self._changed.clear()

    def __enter__(self) -> Settling:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._close()
