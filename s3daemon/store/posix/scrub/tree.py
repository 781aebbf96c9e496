"""The walk through a bucket's tree, in an order that can be taken up again anywhere.

Unlike a listing it meets every entry, under the name that it has on disk: also those that no key
leads to, and all forms of a key.  The order is that of the names, byte by byte, and a directory
comes before what is in it; so the place of the last entry says what has been done.
"""

from __future__ import annotations

import errno
import os
from bisect import bisect_left
from collections.abc import Callable, Iterator

import attrs

from s3daemon.store.interfaces import MAX_KEY_BYTES
from s3daemon.store.posix import names, places
from s3daemon.store.posix.names import ESCAPE, PRIVATE_DIR, Decoded
from s3daemon.store.posix.paths import Place, open_quietly
from s3daemon.store.posix.scrub import entries, uploads
from s3daemon.store.posix.scrub.findings import BAD_NAME, STRANGE
from s3daemon.store.posix.scrub.pacing import ENTRY
from s3daemon.store.posix.scrub.round import QUIET_DIR, Round
from s3daemon.store.posix.volume import Bucket

_FILE, _DIR, _LINK, _OTHER = b"f", b"d", b"l", b"o"


@attrs.define
class _Level:
    """A directory on the way down.

    :ivar place: where it is, from the bucket.
    :ivar segments: what its names stand for.
    :ivar escaped: whether one of its names is an escape.
    :ivar left: what is still to be looked at: names, each with a NUL and its type behind it.
    """

    at: places.Place
    place: Place
    segments: Place
    escaped: bool
    left: Iterator[bytes]


class Tree:
    """The tree of one bucket.

    :param after: the last place that was done earlier; None to begin at the beginning.
    :param done: is told each place that is done.
    """

    def __init__(
        self, round_: Round, bucket: Bucket, after: Place | None, done: Callable[[Place], None]
    ) -> None:
        self._round = round_
        self._bucket = bucket
        self._after = after
        self._done = done
        self._places = places.Places(bucket.fd)
        self._stack: list[_Level] = []

    def scrub(self) -> None:
        """Look at everything.

        :raises Stopped: see :class:`Pacer`.
        """
        try:
            top = self._places.top
            self._enter(top, (), (), False)
            while self._stack:
                level = self._stack[-1]
                entry = next(level.left, None)
                if entry is None:
                    self._stack.pop()
                    if level.place:
                        self._places.leave(level.at)
                    continue
                self._look(level, *entry.split(b"\0"))
        finally:
            self._places.close()

    def _enter(self, at: places.Place, place: Place, segments: Place, escaped: bool) -> list[bytes]:
        found = self._read(at, place)
        begin, after = 0, self._after
        if after is not None and len(after) > len(place) and after[: len(place)] == place:
            begin = bisect_left(found, after[len(place)])
        self._stack.append(_Level(at, place, segments, escaped, iter(found[begin:])))
        return found

    def _read(self, at: places.Place, place: Place) -> list[bytes]:
        found: list[bytes] = []
        self._round.pacer.spend(ENTRY)
        try:
            fd = open_quietly(b".", QUIET_DIR, self._places.descriptor(at))
            try:
                with os.scandir(fd) as listed:
                    found = [os.fsencode(entry.name) + b"\0" + _type_of(entry) for entry in listed]
            finally:
                os.close(fd)
        except OSError as exc:
            if exc.errno != errno.EBADF:  # it has vanished
                self._round.failed(exc, self._bucket, place)
        found.sort()
        return found

    # ------------------------------------------------------------ one entry

    def _look(self, level: _Level, name: bytes, kind: bytes) -> None:
        place = (*level.place, name)
        if name in names.RESERVED:
            self._look_at_ours(level, name, place)
            return
        decoded = names.decode(name)
        if decoded is None or (
            decoded.kind != "natural"
            and (decoded.kind == "dir") != (kind == _DIR)
            and kind in (_FILE, _DIR)
        ):
            if self._is_new(place):
                if name.startswith(ESCAPE):
                    self._round.found(
                        BAD_NAME, self._bucket, place, None, "no key has a name like this"
                    )
                else:
                    self._round.totals.unreachable += 1
                self._done(place)
            return
        if kind == _DIR:
            self._look_at_directory(level, name, place, decoded)
        elif self._is_new(place):
            if kind == _FILE:
                self._look_at_file(level, name, place, decoded)
            elif kind == _LINK:
                self._round.totals.links += 1
            else:
                self._round.totals.unreachable += 1
            self._done(place)

    def _is_new(self, place: Place) -> bool:
        return self._after is None or place > self._after

    def _look_at_ours(self, level: _Level, name: bytes, place: Place) -> None:
        """A directory of ours; those of the bucket itself are looked at elsewhere."""
        if not level.place or not self._is_new(place):
            return
        if name == PRIVATE_DIR:
            self._round.found(STRANGE, self._bucket, place, None, "it belongs to no bucket")
        else:
            above = self._places.descriptor(level.at)
            if above >= 0:
                with self._within(level, above) as within:
                    path = b"".join(segment + b"/" for segment in level.segments)
                    uploads.scrub(self._round, within, path)
        self._done(place)

    def _within(self, level: _Level, fd: int) -> Bucket:
        """The bucket within this one that a directory is."""
        parts = [segment.decode() for segment in level.segments]
        return Bucket(
            self._round.volume,
            ":".join([self._bucket.name, *parts]),
            (*self._bucket.place, *level.place),
            os.dup(fd),
            os.dup(self._bucket.home),
        )

    def _look_at_file(self, level: _Level, name: bytes, place: Place, decoded: Decoded) -> None:
        prefix = self._round.scope.prefix
        path = b"".join(segment + b"/" for segment in level.segments)
        known = decoded.segment
        if known is not None and not (path + known).startswith(prefix):
            return
        above = self._places.descriptor(level.at)
        if above >= 0:
            escaped = level.escaped or decoded.kind != "natural"
            entry = entries.Entry(self._bucket, place, level.segments, known, escaped)
            entries.check_file(self._round, entry, above)

    def _look_at_directory(
        self, level: _Level, name: bytes, place: Place, decoded: Decoded
    ) -> None:
        below = self._open(level, name, place)
        if below is not None and not self._go_down(level, below, place, decoded):
            self._places.leave(below)
        if self._is_new(place):
            self._done(place)

    def _go_down(self, level: _Level, below: places.Place, place: Place, decoded: Decoded) -> bool:
        """Enter a directory, if keys that are looked for may lie in it."""
        fd = self._places.descriptor(below)
        segment = decoded.segment
        if segment is None:
            segment = entries.segment_of(self._round, self._bucket, place, fd)
        if segment is None or not self._is_wanted((*level.segments, segment)):
            return False
        escaped = level.escaped or decoded.kind != "natural"
        found = self._enter(below, place, (*level.segments, segment), escaped)
        if self._is_new(place):
            entry = entries.Entry(self._bucket, place, level.segments, segment, escaped)
            entries.check_directory(self._round, entry, fd, not found)
        return True

    def _open(self, level: _Level, name: bytes, place: Place) -> places.Place | None:
        try:
            return self._places.below(level.at, name)
        except OSError as exc:
            self._round.failed(exc, self._bucket, place)
            return None

    def _is_wanted(self, segments: Place) -> bool:
        """Whether keys that are looked for may lie in a directory."""
        path, prefix = b"".join(one + b"/" for one in segments), self._round.scope.prefix
        if len(path) > MAX_KEY_BYTES:
            self._round.totals.unreachable += 1
            return False
        return path.startswith(prefix) or prefix.startswith(path)


def _type_of(entry: os.DirEntry[str]) -> bytes:
    if entry.is_file(follow_symlinks=False):
        return _FILE
    if entry.is_dir(follow_symlinks=False):
        return _DIR
    return _LINK if entry.is_symlink() else _OTHER
