"""Directories that are on the device, with all that leads to them from the root.

Who puts something into a directory answers for the way there as well.  What a writer has made
itself it knows; but a directory that it finds may have been made a moment ago by another, which has
not come to syncing it, or has died before.  So the way to a directory is synced when it is first
seen, and remembered; a directory that has the inode of one that was removed is told from it by the
time at which it was made.
"""

from __future__ import annotations

from s3daemon.store.posix import syscalls

#: How many directories are remembered.
_MOST = 65536

Identity = tuple[int, int, int]


class Lasting:
    """What is known of a root; for any thread."""

    def __init__(self) -> None:
        self._known: set[Identity] = set()

    def knows(self, fd: int) -> Identity | None:
        """None if the way to a directory is on the device, else what to remember it by."""
        identity = syscalls.identity(fd)
        return None if identity in self._known else identity

    def add(self, found: list[Identity]) -> None:
        """Remember directories, all of whose parents are known by now."""
        if len(self._known) > _MOST:
            self._known.clear()
        self._known.update(found)

    def forget(self, fd: int) -> None:
        """A directory is being removed: where no time of making is kept, one that is made in its
        place looks the same.  Never fails."""
        try:
            self._known.discard(syscalls.identity(fd))
        except OSError:
            self._known.clear()
