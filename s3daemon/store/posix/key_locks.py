"""One lock for each key, between all threads, processes and nodes that serve a root.

Who replaces or removes the object of a key holds its lock while the name changes hands: *shared*
where nothing was demanded of the object, *exclusive* where a condition was.  So nobody comes
between holding a condition against an object and putting another in its place, and writers without
conditions never wait for each other.  Who gives a free name to a new object needs no lock: link(2)
fails if the name is taken, and then the lock is taken.

The files lie in ``.s3gate/locks`` beneath the root, where no bucket's removal touches them.  They
are empty, their number is fixed, and they are never removed: a lock on a file that has lost its
name would exclude nobody.  What a key's lock is follows from the key alone, whatever form its names
have on disk; a bucket in a bucket (``a:b``) and its key ``c`` share the lock of ``b/c`` in ``a``.
"""

from __future__ import annotations

import os
import time
import zlib
from types import TracebackType

from s3daemon.store.interfaces import Busy, Condition, ConditionConflict, ConditionUnsupported
from s3daemon.store.posix import lock_kinds, private
from s3daemon.store.posix.descriptors import release
from s3daemon.store.posix.durable import Disk
from s3daemon.store.posix.names import PRIVATE_DIR, decode, dir_name, needs_record

_LOCKS = PRIVATE_DIR + b"/locks"
#: How many files there are: with ``ofd`` each key has a byte of its own, with ``flock`` keys share.
_FILES = {lock_kinds.OFD: 1, lock_kinds.FLOCK: 64}
_OPEN = os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW

#: Seconds between two looks at a lock that is held, at first and at most, and seconds in all.
#: Holders are done within one rename(2) or two, or a sync.
_FIRST_PAUSE = 0.0002
_LONGEST_PAUSE = 0.01
_PATIENCE = 10.0


class Held:
    """A lock that is held until the end of a ``with`` statement."""

    __slots__ = ("_fd",)

    def __init__(self, fd: int = -1) -> None:
        self._fd = fd

    def __enter__(self) -> Held:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        fd, self._fd = self._fd, -1
        if fd >= 0:
            release(fd)


class KeyLocks:
    """The locks of the keys beneath a root.

    :param root_fd: descriptor of the root; it stays the caller's.
    :ivar kind: of :mod:`lock_kinds`, as the probe has proved it; "" where none is.
    """

    def __init__(self, disk: Disk, root_fd: int, kind: str) -> None:
        self._disk = disk
        self._root_fd = root_fd
        self.kind = kind

    def __bool__(self) -> bool:
        """Whether there are any: whether the probe has proved a kind."""
        return bool(self.kind)

    def prepare(self) -> None:
        """Make the files, so that a full disk finds them there.  Without it they are made late.

        :raises OSError:
        """
        if self.kind:
            for number in range(_FILES[self.kind]):
                os.close(self._open(_path(number)))

    def require(self, condition: Condition) -> None:
        """Return if a condition can be kept.

        :raises ConditionUnsupported: it compares, and no lock holds here.
        """
        if condition.compares and not self.kind:
            raise ConditionUnsupported("no lock between processes has been proved on this root")

    def shared(self, place: tuple[bytes, ...], segments: tuple[bytes, ...]) -> Held:
        """Hold the lock of a key, beside others that do.  Where there are no locks, nothing.

        :param place: of the bucket, from the root.
        :raises Busy: somebody holds it exclusively, and does not let go.
        :raises OSError:
        """
        if not self.kind:
            return Held()
        held = self._lock(place, segments, exclusive=False)
        if held is None:
            raise Busy("somebody holds the lock of the key and does not let go")
        return held

    def exclusive(self, place: tuple[bytes, ...], segments: tuple[bytes, ...]) -> Held:
        """Hold the lock of a key alone.

        :raises ConditionConflict: others hold it all the while.
        :raises ConditionUnsupported: there are no locks.
        :raises OSError:
        """
        if not self.kind:
            raise ConditionUnsupported("no lock between processes has been proved on this root")
        held = self._lock(place, segments, exclusive=True)
        if held is None:
            raise ConditionConflict("others hold the lock of the key all the while")
        return held

    def _lock(
        self, place: tuple[bytes, ...], segments: tuple[bytes, ...], exclusive: bool
    ) -> Held | None:
        number = lock_number(place, segments)
        fd = self._open(_path(number % _FILES[self.kind]))
        try:
            if self._wait(fd, exclusive, number):
                return Held(fd)
        except BaseException:
            os.close(fd)
            raise
        os.close(fd)
        return None

    def _wait(self, fd: int, exclusive: bool, number: int) -> bool:
        pause, waited = _FIRST_PAUSE, 0.0
        while not lock_kinds.take(self.kind, fd, exclusive, number):
            if waited > _PATIENCE:
                return False
            time.sleep(pause)
            waited += pause
            pause = min(pause * 2, _LONGEST_PAUSE)
        return True

    def _open(self, path: bytes) -> int:
        try:
            return os.open(path, _OPEN, dir_fd=self._root_fd)
        except FileNotFoundError:
            private.make(self._disk, self._root_fd, _LOCKS)
            return self._disk.open_lock(path, self._root_fd)


def _path(number: int) -> bytes:
    return b"%s/%02x" % (_LOCKS, number)


def lock_number(place: tuple[bytes, ...], segments: tuple[bytes, ...]) -> int:
    """What tells the lock of a key from those of nearly all other keys: 32 bits."""
    if len(place) == 1 and not any(map(needs_record, segments)):
        return zlib.crc32(b"/".join((*place, *segments)))
    below = (_segment(name) for name in place[1:])
    return zlib.crc32(b"/".join((place[0], *below, *map(_canonical, segments))))


def _segment(name: bytes) -> bytes:
    """What the name of a directory on disk stands for; a digest where the name is one."""
    decoded = decode(name)
    if decoded is None or decoded.segment is None:
        return name
    return _canonical(decoded.segment)


def _canonical(segment: bytes) -> bytes:
    return dir_name(segment) if needs_record(segment) else segment
