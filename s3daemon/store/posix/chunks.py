"""A snapshot of a large directory in pieces, so that a few changes cost a few pieces."""

from __future__ import annotations

import os
import stat
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from itertools import accumulate

from s3daemon.store.posix import names
from s3daemon.store.posix.dirnames import Snapshot

#: Names in one piece.
CHUNK = 4096


class Chunks:
    """The same as a :class:`Snapshot`, and as immutable."""

    __slots__ = ("_chunks", "_firsts", "_starts", "links", "nbytes")

    def __init__(self, chunks: Sequence[Snapshot]) -> None:
        self._chunks = chunks
        self._firsts = [chunk.key(0) for chunk in chunks]
        self._starts = list(accumulate((len(chunk) for chunk in chunks), initial=0))
        self.links = frozenset(link for chunk in chunks for link in chunk.links)
        self.nbytes = sum(chunk.nbytes for chunk in chunks)

    @classmethod
    def split(cls, snapshot: Snapshot, size: int = CHUNK) -> Chunks:
        """A snapshot cut into pieces of so many names."""
        return cls(_cut([snapshot.key(index) for index in range(len(snapshot))], snapshot, size))

    def __len__(self) -> int:
        return self._starts[-1]

    def __contains__(self, key: bytes) -> bool:
        return bool(self._chunks) and key in self._chunks[self._holder(key)]

    def key(self, index: int) -> bytes:
        """See :class:`Snapshot`, as for all that follow."""
        holder = bisect_right(self._starts, index) - 1
        return self._chunks[holder].key(index - self._starts[holder])

    def find(self, at: bytes) -> int:
        """The index of the first entry with a sort key ``>= at``."""
        if not self._chunks:
            return 0
        holder = self._holder(at)
        return self._starts[holder] + self._chunks[holder].find(at)

    def names(self, key: bytes) -> tuple[bytes, ...]:
        """The names on disk of an entry."""
        return self._chunks[self._holder(key)].names(key)

    def patched(self, directory: int, changed: Iterable[bytes]) -> Chunks | None:
        """As it is after these names have changed; they are looked at in the open directory.

        None where that takes more than looking: an escaped name, or a piece of none, is involved.
        """
        added: dict[int, set[bytes]] = {}
        removed: dict[int, set[bytes]] = {}
        links = set(self.links)
        for name in changed:
            decoded = names.decode(name)
            if decoded is None:
                continue
            if decoded.kind != "natural" or not self._chunks:
                return None
            mode = _mode(directory, name)
            is_link = stat.S_ISLNK(mode)
            for key, there in (
                (name, is_link or stat.S_ISREG(mode)),
                (name + b"/", stat.S_ISDIR(mode)),
            ):
                holder = self._holder(key)
                chunk = self._chunks[holder]
                if chunk.has_escape(key):
                    return None
                if there != (key in chunk) or (there and is_link != (key in links)):
                    (added if there else removed).setdefault(holder, set()).add(key)
            links.discard(name)
            if is_link:
                links.add(name)
        if not added and not removed:
            return self
        chunks: list[Snapshot] = []
        for holder, chunk in enumerate(self._chunks):
            if holder not in added and holder not in removed:
                chunks.append(chunk)
                continue
            keys = {chunk.key(index) for index in range(len(chunk))}
            keys -= removed.get(holder, set())
            keys |= added.get(holder, set())
            ordered = sorted(keys)
            size = CHUNK if len(ordered) > 2 * CHUNK else max(len(ordered), 1)
            chunks += _cut(ordered, chunk, size, links)
        return Chunks(chunks)

    def _holder(self, key: bytes) -> int:
        """Which piece a key is in, or would be."""
        return max(bisect_right(self._firsts, key) - 1, 0)


def _cut(
    keys: Sequence[bytes], source: Snapshot, size: int, links: Iterable[bytes] | None = None
) -> list[Snapshot]:
    """Pieces of sorted keys, with the names that they have in the source."""
    marked = sorted(source.links if links is None else links)
    chunks = []
    for begin in range(0, len(keys), size):
        piece = keys[begin : begin + size]
        of_piece = marked[bisect_left(marked, piece[0]) : bisect_right(marked, piece[-1])]
        chunks.append(Snapshot(piece, source.escapes(piece), frozenset(of_piece), True))
    return chunks


def _mode(directory: int, name: bytes) -> int:
    """The type of an entry; 0 where there is none."""
    try:
        return os.stat(name, dir_fd=directory, follow_symlinks=False).st_mode
    except FileNotFoundError:
        return 0
