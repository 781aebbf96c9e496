"""Directories on the way down a tree: opened one below the other, few of them open at a time.

Every directory is opened relative to the one above it and never through a symbolic link, so the way
cannot lead out of where it began.  However deep it goes, only the nearest few stay open.  One that
was closed is opened again by the same way, and counts as vanished if another is found there.
"""

from __future__ import annotations

import errno
import os

from s3daemon.store.posix.descriptors import release
from s3daemon.store.posix.paths import DIRECTORY, NOTHING_THERE

#: Directories that one way down keeps open.
MAX_OPEN = 16

_OPEN = DIRECTORY | os.O_NOFOLLOW


class Place:
    """A directory below another; ``fd`` is -1 while it is closed."""

    __slots__ = ("fd", "identity", "name", "parent", "vanished")

    def __init__(self, parent: Place | None, name: bytes, fd: int = -1) -> None:
        self.parent = parent
        self.name = name
        self.fd = fd
        self.identity: tuple[int, int] | None = None
        self.vanished = False

    def path(self) -> bytes:
        """The path from the top, with a slash behind it; "" for the top itself."""
        parts = [b""]
        place = self
        while place.parent is not None:
            parts.append(place.name)
            place = place.parent
        return b"/".join(reversed(parts))


class Places:
    """The open directories of one walk.

    :ivar top: where the ways begin; it stays open.
    """

    def __init__(self, directory: int) -> None:
        # Opened anew: threads may share the caller's descriptor but not its directory offset, and
        # NFS looks for changes when a directory is opened (close-to-open consistency, nfs(5)).
        self.top = Place(None, b"", os.open(b".", _OPEN, dir_fd=directory))
        self._open: list[Place] = []

    def below(self, parent: Place, name: bytes) -> Place | None:
        """Open a directory; None if it is gone.

        :raises OSError: it cannot be opened.
        """
        above = self.descriptor(parent)
        if above < 0:
            return None
        place = Place(parent, name)
        return place if self._enter(place, above) else None

    def descriptor(self, place: Place) -> int:
        """The descriptor of a directory, opened again if need be; -1 if it has vanished."""
        if place.fd >= 0:
            return place.fd
        way = []
        while place.fd < 0:
            way.append(place)
            assert place.parent is not None, "the top stays open"
            place = place.parent
        for below in reversed(way):
            if below.vanished or not self._enter(below, place.fd):
                below.vanished = True
                return -1
            if _identity(below.fd) != below.identity:
                below.vanished = True
                self.leave(below)
                return -1
            place = below
        return place.fd

    def leave(self, place: Place) -> None:
        """Close a directory below the top; one that is closed may be left too."""
        if place.fd >= 0:
            self._open.remove(place)
            release(place.fd)
            place.fd = -1

    def close(self) -> None:
        """Close all."""
        for place in (*self._open, self.top):
            release(place.fd)
            place.fd = -1
        self._open.clear()

    def _enter(self, place: Place, above: int) -> bool:
        try:
            place.fd = os.open(place.name, _OPEN, dir_fd=above)
        except OSError as failed:
            # "lost+found" is the file system's own, at the root of a volume.
            hidden = failed.errno == errno.EACCES and place.name == b"lost+found"
            if hidden or failed.errno in NOTHING_THERE:
                return False
            raise
        self._open.append(place)
        if len(self._open) > MAX_OPEN:
            farthest = self._open[0]
            farthest.identity = _identity(farthest.fd)
            self.leave(farthest)
        return True


def _identity(fd: int) -> tuple[int, int]:
    status = os.fstat(fd)
    return status.st_dev, status.st_ino
