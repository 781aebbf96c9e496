"""Spill files that no record names: what a crash leaves between writing one and naming it.

Only records say which spill files are in use, so those in doubt are looked for in the whole bucket.
That is costly, and what it is for is rare.  So a spill file carries where it was found in use, in
an extended attribute of its own; as long as the record there names it, it is not in doubt.  And it
would be worse to remove one that is in use, should another program move the object about just when
it is looked for: one that is not found is only marked, and goes if the next search, a day later,
does not find it either.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from threading import Lock

from s3daemon.store.posix import packing, private
from s3daemon.store.posix.durable import Disk
from s3daemon.store.posix.paths import DIRECTORY, READ, open_quietly
from s3daemon.store.posix.records import ABSENT, ATTRIBUTE
from s3daemon.store.posix.volume import Bucket

#: Where a spill file was found in use: a path from the top-level bucket; empty: it was not found.
FOUND = "user.s3gate.found"

#: The least time between two searches of a bucket.
_DAY_NS = 86_400 * 10**9
#: Entries between two looks whether to stop.
STEP = 200

#: The name of a spill file.
SPILL_NAME = re.compile(rb"[0-9a-f]{32}")


class Spills:
    """Sweeps the spill files of buckets; for any thread.

    :param interval_ns: between two searches of one bucket.
    """

    def __init__(self, disk: Disk, interval_ns: int = _DAY_NS) -> None:
        self._disk = disk
        self._interval_ns = interval_ns
        self._lock = Lock()
        self._searched: dict[str, int] = {}

    def sweep(
        self, bucket: Bucket, before_ns: int, limit: int, should_stop: Callable[[], bool]
    ) -> int:
        """Remove what has not been in use since before then; how many there were.

        :param bucket: a top-level one.
        :raises OSError: an entry cannot be looked at, so nobody knows; nothing was removed.
        """
        doubtful = dict(_doubtful(bucket, before_ns))
        if not doubtful or not self._is_due(bucket.name):
            return 0
        found = search(bucket, frozenset(doubtful), should_stop)
        if found is None:
            return 0
        removed = 0
        for name, was_missing in doubtful.items():
            where = found.get(name, b"")
            if where or not was_missing:
                self._mark(bucket, name, where)
            elif removed < limit:
                with suppress(FileNotFoundError):  # another gateway was faster
                    self._disk.unlink(private.SPILL + b"/" + name, bucket.fd)
                    removed += 1
        return removed

    def _is_due(self, name: str) -> bool:
        now = time.monotonic_ns()
        with self._lock:
            last = self._searched.get(name)
            if last is not None and now - last < self._interval_ns:
                return False
            self._searched[name] = now
            return True

    def _mark(self, bucket: Bucket, name: bytes, where: bytes) -> None:
        # What cannot be marked stays in doubt: too long a path, a spill file that is gone.
        with suppress(OSError):
            fd = os.open(private.SPILL + b"/" + name, READ | os.O_NOFOLLOW, dir_fd=bucket.fd)
            try:
                self._disk.set_xattr(fd, FOUND, where)
            finally:
                os.close(fd)


def _doubtful(bucket: Bucket, before_ns: int) -> Iterator[tuple[bytes, bool]]:
    """Old spill files that are not where they were found in use; whether the last search missed
    them."""
    try:
        spills = os.open(private.SPILL, DIRECTORY | os.O_NOFOLLOW, dir_fd=bucket.fd)
    except (FileNotFoundError, NotADirectoryError):
        return
    try:
        for entry in os.listdir(spills):
            name = os.fsencode(entry)
            if not SPILL_NAME.fullmatch(name):
                continue
            with suppress(FileNotFoundError):
                fd = os.open(name, READ | os.O_NOFOLLOW, dir_fd=spills)
                try:
                    st = os.fstat(fd)
                    where = _attribute(fd, FOUND)
                finally:
                    os.close(fd)
                if st.st_mtime_ns >= before_ns:
                    continue
                if where is None:
                    # It was moved here, or restored from a backup.  Marking sets this time too.
                    if st.st_ctime_ns < before_ns:
                        yield name, False
                elif not where:
                    yield name, True
                elif _named_at(bucket, where) != name:
                    yield name, False
    finally:
        os.close(spills)


def _named_at(bucket: Bucket, path: bytes) -> bytes | None:
    """The spill file that the record of an entry names; None where there is none."""
    try:
        fd = os.open(path, READ | os.O_NOFOLLOW, dir_fd=bucket.fd)
    except OSError:
        return None  # so it is in doubt
    try:
        return _named(fd)
    finally:
        os.close(fd)


def search(
    bucket: Bucket, wanted: frozenset[bytes], should_stop: Callable[[], bool]
) -> dict[bytes, bytes] | None:
    """Where the records are that name these spill files: name -> path from the bucket.

    :return: None if it was told to stop.
    :raises OSError: an entry cannot be looked at.
    """
    found: dict[bytes, bytes] = {}
    left = [b"."]
    looked = 0
    while left:
        path = left.pop()
        try:
            directory = open_quietly(path, DIRECTORY | os.O_NOFOLLOW, bucket.fd)
        except (FileNotFoundError, NotADirectoryError):
            continue
        try:
            _note(found, wanted, directory, path)
            with os.scandir(directory) as entries:
                for entry in entries:
                    looked += 1
                    if looked % STEP == 0 and should_stop():
                        return None
                    name = os.fsencode(entry.name)
                    below = name if path == b"." else path + b"/" + name
                    if entry.is_dir(follow_symlinks=False):
                        left.append(below)
                    elif entry.is_file(follow_symlinks=False):
                        with suppress(FileNotFoundError):
                            fd = os.open(name, READ | os.O_NOFOLLOW, dir_fd=directory)
                            try:
                                _note(found, wanted, fd, below)
                            finally:
                                os.close(fd)
        finally:
            os.close(directory)
    return found


def _note(found: dict[bytes, bytes], wanted: frozenset[bytes], fd: int, path: bytes) -> None:
    name = _named(fd)
    if name in wanted:
        found[name] = path


def _named(fd: int) -> bytes | None:
    raw = _attribute(fd, ATTRIBUTE)
    spill = None if raw is None else packing.parse(raw).spill
    return None if spill is None else spill.encode("utf-8", "surrogatepass")


def _attribute(fd: int, name: str) -> bytes | None:
    try:
        return os.getxattr(fd, name)
    except OSError as exc:
        if exc.errno in ABSENT:
            return None
        raise
