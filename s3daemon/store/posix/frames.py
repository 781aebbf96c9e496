"""One path of a bucket's tree while it is walked: its directories and the entries in them."""

from __future__ import annotations

from bisect import bisect_left

from s3daemon.store.posix.chunks import Chunks
from s3daemon.store.posix.dirnames import Snapshot
from s3daemon.store.posix.places import Place


class Merged:
    """The entries of several directories that stand for the same path, as if they were one."""

    def __init__(self, snapshots: list[Snapshot | Chunks]) -> None:
        self._keys = sorted({one.key(index) for one in snapshots for index in range(len(one))})
        self.links = frozenset(link for one in snapshots for link in one.links)

    def __len__(self) -> int:
        return len(self._keys)

    def __contains__(self, sort_key: bytes) -> bool:
        index = self.find(sort_key)
        return index < len(self._keys) and self._keys[index] == sort_key

    def key(self, index: int) -> bytes:
        return self._keys[index]

    def find(self, at: bytes) -> int:
        return bisect_left(self._keys, at)


class Frame:
    """One path that is being walked, and how far.

    A path is one directory, or more where one segment has both its natural and its escaped
    directory; the first of them wins.
    """

    __slots__ = ("at", "listing", "path", "places", "snapshots")

    def __init__(
        self, path: bytes, places: list[Place], snapshots: list[Snapshot | Chunks]
    ) -> None:
        self.path = path
        self.places = places
        self.snapshots = snapshots
        self.listing: Snapshot | Chunks | Merged = (
            snapshots[0] if len(snapshots) == 1 else Merged(snapshots)
        )
        self.at = 0

    def candidates(self, sort_key: bytes) -> list[tuple[Place, bytes]]:
        """Where an entry may be, best first."""
        if len(self.places) == 1:
            place = self.places[0]
            return [(place, name) for name in self.snapshots[0].names(sort_key)]
        return [
            (place, name)
            for place, snapshot in zip(self.places, self.snapshots, strict=True)
            if sort_key in snapshot
            for name in snapshot.names(sort_key)
        ]
