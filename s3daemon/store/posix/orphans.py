"""Sidecars that belong to no entry: what a crash leaves, or another program that removes files.

A sidecar says whose it is only by its name, which is the handle of its entry; and nobody can be
asked who has a handle.  So once a day all entries beneath the root are looked at, and what is old
and nobody's is removed.  It would be worse to remove one that is in use, should another program
move its file about just when that is looked for: so what is missing is looked for a second time.
"""

from __future__ import annotations

import errno
import hashlib
import os
import re
import time
from array import array
from bisect import bisect_left
from collections.abc import Callable, Iterator
from contextlib import suppress
from threading import Lock

from s3daemon.store.posix.durable import Disk
from s3daemon.store.posix.identities import KINDS, Identity
from s3daemon.store.posix.names import PRIVATE_DIR
from s3daemon.store.posix.paths import DIRECTORY
from s3daemon.store.posix.places import Place, Places
from s3daemon.store.posix.sidecars import is_sidecar, path_of

#: The least time between two searches.
_DAY_NS = 86_400 * 10**9
#: Entries between two looks whether to stop.
STEP = 200
#: Sidecars that one search knows, at nine bytes each; with more, some wait for the next.
_MOST = 4_000_000

_SHARD = re.compile("[0-9a-f]{2}")
_OPEN = DIRECTORY | os.O_NOFOLLOW
_SKIPPED = frozenset(kind.directory.rpartition(b"/")[2] for kind in KINDS)


class Orphans:
    """Sweeps sidecars; for any thread.

    :param interval_ns: between two searches beneath one directory.
    """

    def __init__(self, disk: Disk, interval_ns: int = _DAY_NS) -> None:
        self._disk = disk
        self._interval_ns = interval_ns
        self._lock = Lock()
        self._searched: dict[int, int] = {}

    def sweep(self, base: int, before_ns: int, limit: int, should_stop: Callable[[], bool]) -> int:
        """Remove what is nobody's and has not changed since then; how many there were.

        :param base: descriptor of the directory whose ``.s3gate`` holds the sidecars.
        :raises OSError: an entry cannot be looked at, so nobody knows; nothing was removed.
        """
        if not kinds_in(base) or not self._is_due(base):
            return 0
        removed = 0
        for name in (find(base, before_ns, should_stop) or ())[:limit]:
            with suppress(FileNotFoundError):  # another gateway was faster
                self._disk.unlink(path_of(name), base)
                removed += 1
        return removed

    def _is_due(self, base: int) -> bool:
        now, device = time.monotonic_ns(), os.fstat(base).st_dev
        with self._lock:
            last = self._searched.get(device)
            if last is not None and now - last < self._interval_ns:
                return False
            self._searched[device] = now
            return True


def find(base: int, before_ns: int, should_stop: Callable[[], bool]) -> list[str] | None:
    """The sidecars of a directory that are nobody's and have not changed since then.

    :return: None if it was told to stop.
    :raises OSError: an entry cannot be looked at.
    """
    found: list[str] = []
    for kind in kinds_in(base):
        more = _find(base, kind, before_ns, should_stop)
        if more is None:
            return None
        found += more
    return found


def _find(
    base: int, kind: Identity, before_ns: int, should_stop: Callable[[], bool]
) -> list[str] | None:
    missing = array("Q", sorted(_digest(name) for name in _old(base, kind, before_ns)))[:_MOST]
    for _ in range(2):
        if not missing:
            return []
        seen = bytearray(len(missing))
        for count, name in enumerate(_entries(base, kind), 1):
            if count % STEP == 0 and should_stop():
                return None
            digest = _digest(name)
            at = bisect_left(missing, digest)
            if at < len(missing) and missing[at] == digest:
                seen[at] = 1
        missing = array("Q", (one for at, one in enumerate(missing) if not seen[at]))
    nobodys = frozenset(missing)
    return [name for name in _old(base, kind, before_ns) if _digest(name) in nobodys]


def _digest(name: str) -> int:
    """Two names may have one: then the sidecar of one that is gone stays while the other lives."""
    return int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest(), "big")


def kinds_in(base: int) -> list[Identity]:
    """The kinds of sidecars that a directory may hold."""
    found = []
    for kind in KINDS:
        with suppress(FileNotFoundError):
            os.stat(kind.directory, dir_fd=base, follow_symlinks=False)
            found.append(kind)
    return found


def _old(base: int, kind: Identity, before_ns: int) -> Iterator[str]:
    """The names of all sidecars that have not changed since then."""
    for shard in _names(kind.directory, base):
        if not _SHARD.fullmatch(shard):
            continue
        path = kind.directory + b"/" + shard.encode()
        for name in _names(path, base):
            if is_sidecar(name):
                with suppress(FileNotFoundError):
                    st = os.stat(path + b"/" + name.encode(), dir_fd=base, follow_symlinks=False)
                    if max(st.st_mtime_ns, st.st_ctime_ns) < before_ns:
                        yield name


def _names(path: bytes, base: int) -> list[str]:
    fd = os.open(path, _OPEN, dir_fd=base)
    try:
        return sorted(os.listdir(fd))
    finally:
        os.close(fd)


def _entries(base: int, kind: Identity) -> Iterator[str]:
    """What the sidecars of all entries beneath a directory would be called, and its own."""
    way = Places(base)
    try:
        yield kind.of(base, base, b"")
        left: list[Place] = [way.top]
        todo: list[list[bytes]] = [[]]
        yield from _names_in(kind, base, way.top.fd, todo[-1], b"")
        while left:
            if not todo[-1]:
                todo.pop()
                place = left.pop()
                if place.parent is not None:
                    way.leave(place)
                continue
            name = todo[-1].pop()
            below = way.below(left[-1], name)
            if below is None:
                continue  # gone since
            left.append(below)
            todo.append([])
            yield from _names_in(kind, base, below.fd, todo[-1], name)
    finally:
        way.close()


def _names_in(
    kind: Identity, base: int, directory: int, below: list[bytes], name: bytes
) -> Iterator[str]:
    """The same for what is in one directory, called so; the directories in it go on the list."""
    with os.scandir(directory) as entries:
        for entry in entries:
            raw = os.fsencode(entry.name)
            try:
                yield kind.of(base, directory, raw)
            except OSError as exc:
                # Gone since, or on a file system mounted here that knows no handles.
                if exc.errno not in (errno.ENOENT, errno.EOPNOTSUPP):
                    raise
                continue
            if name == PRIVATE_DIR and raw in _SKIPPED:
                continue
            if entry.is_dir(follow_symlinks=False):
                below.append(raw)
