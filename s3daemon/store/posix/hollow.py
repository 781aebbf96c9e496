"""Empty directories that were made on the way to an object that never came.

A writer that dies between making the directories of a key and publishing in them leaves these
behind, and so does one that cannot remove them.  Nobody sees them in S3, but they take inodes.
Nothing points to them, so they are looked for: a bucket's tree is walked once a day, and of that
only so many directories in a round; the next round goes on where the last one ended.  A directory
is removed as a writer removes it (:mod:`pruning`), so whoever is about to use it finds it gone,
and makes it anew.
"""

from __future__ import annotations

import os
import time
from bisect import bisect_left
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, suppress
from threading import Lock

import attrs

from s3daemon.store.posix import metadata, places, pruning
from s3daemon.store.posix.names import ESCAPE, RESERVED, UPLOADS_DIR
from s3daemon.store.posix.paths import Place
from s3daemon.store.posix.volume import Bucket, Volume

_DAY_NS = 86_400 * 10**9
#: Directories that are looked at in one round.
_ROUND = 10_000
#: Links of a directory without directories in it, on file systems that count them (inode(7)).
_NO_SUBDIRECTORIES = 2


@attrs.define
class _Progress:
    """How far the walk of a bucket is.

    :ivar after: the last directory that was looked at; None: the walk begins.
    :ivar next_ns: when the next walk may begin.
    """

    after: Place | None = None
    next_ns: int = 0


class Hollow:
    """Sweeps the empty directories of buckets; for any thread.

    :param interval_ns: between two walks through one bucket.
    :param most: directories to look at in one round.
    """

    def __init__(self, interval_ns: int = _DAY_NS, most: int = _ROUND) -> None:
        self._interval_ns = interval_ns
        self._most = most
        self._lock = Lock()
        self._progress: dict[str, _Progress] = {}

    def sweep(
        self,
        volume: Volume,
        bucket: Bucket,
        before_ns: int,
        limit: int,
        should_stop: Callable[[], bool],
    ) -> int:
        """Remove some that are older than that; how many there were.

        :raises OSError: a directory cannot be read; the next round goes on behind it.
        """
        now = time.monotonic_ns()
        with self._lock:
            progress = self._progress.setdefault(bucket.name, _Progress())
            if progress.after is None and now < progress.next_ns:
                return 0
        removed = 0
        failed: OSError | None = None
        with closing(_walk(bucket, progress.after)) as found:
            for looked, one in enumerate(found, 1):
                progress.after = one.place
                try:
                    if one.look(before_ns) and _remove(volume, bucket, one):
                        removed += 1
                except OSError as exc:
                    failed = failed or exc
                if removed >= limit or looked >= self._most or should_stop():
                    break
            else:
                progress.after, progress.next_ns = None, now + self._interval_ns
        if failed is not None:
            raise failed
        return removed


@attrs.define
class _Level:
    """A directory on the way down.

    :ivar place: where it is, from the bucket.
    :ivar after: where an earlier round has ended.
    :ivar left: the directories in it that are still to be looked at.
    """

    at: places.Place
    place: Place
    fd: int
    after: Place | None
    left: Iterator[bytes] = iter(())

    def look(self, before_ns: int) -> bool:
        """Read the directory; whether it is empty, and older than that.  :raises OSError:"""
        st = os.fstat(self.fd)
        if st.st_nlink == _NO_SUBDIRECTORIES:
            with os.scandir(self.fd) as entries:
                empty = next(entries, None) is None
        else:
            names = []
            empty = True
            with os.scandir(self.fd) as entries:
                for entry in entries:
                    name = os.fsencode(entry.name)
                    empty = empty and name == UPLOADS_DIR
                    if name not in RESERVED and entry.is_dir(follow_symlinks=False):
                        names.append(name)
            names.sort()
            self.left = iter(names[self._begin(names) :])
        return empty and max(st.st_mtime_ns, st.st_ctime_ns) < before_ns

    def _begin(self, names: list[bytes]) -> int:
        """The first name that was not done in an earlier round, or not wholly."""
        after, depth = self.after, len(self.place)
        if after is None or len(after) <= depth or after[:depth] != self.place:
            return 0
        return bisect_left(names, after[depth])


def _walk(bucket: Bucket, after: Place | None) -> Generator[_Level, None, None]:
    """All directories below that of the bucket that come behind one of them.

    Whoever is given one looks into it, or else nothing below it is found.
    """
    way = places.Places(bucket.fd)
    try:
        top = _Level(way.top, (), way.top.fd, after)
        top.look(0)
        stack = [top]
        while stack:
            level = stack[-1]
            name = next(level.left, None)
            if name is None:
                stack.pop()
                if level.place:
                    way.leave(level.at)
                continue
            at = _open(way, level.at, name)
            if at is None:
                continue
            below = _Level(at, (*level.place, name), way.descriptor(at), after)
            stack.append(below)
            if after is None or below.place > after:
                yield below
            else:
                with suppress(OSError):  # it was said when it was met
                    below.look(0)
    finally:
        way.close()


def _open(way: places.Places, above: places.Place, name: bytes) -> places.Place | None:
    """Open a directory on the way down; None where it cannot be: it is gone, or not for us."""
    try:
        return way.below(above, name)
    except OSError:
        return None


def _remove(volume: Volume, bucket: Bucket, found: _Level) -> bool:
    """Remove a directory, if it is one of ours, and those above it that get empty by that."""
    bare = volume.metadata.load(found.fd, bucket.home) == metadata.EMPTY
    # Nobody but a gateway makes an escaped name.  It gets its record later, if its maker lives.
    ours = bare and found.place[-1].startswith(ESCAPE)
    which = pruning.NO_BUCKET if ours else pruning.IMPLICIT
    if not pruning.remove(volume, bucket, found.place, which):
        return False
    pruning.prune(volume, bucket, found.place[:-1])
    return True
