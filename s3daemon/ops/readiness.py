"""Whether the store's root is still the directory it was."""

from __future__ import annotations

import os
from pathlib import Path

from s3daemon.store.interfaces import ReadOnly, Unavailable


class RootCheck:
    """Blocking; a call that hangs says as much as one that fails.

    A file system that was unmounted leaves its mount point, an empty directory that would happily
    take objects: so the root must be the same directory as when the daemon started.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._identity = self._look()

    def __call__(self) -> None:
        """Return when the root can serve.

        :raises Unavailable: it is gone, or another directory is in its place.
        :raises ReadOnly: it takes no writes.
        """
        try:
            identity = self._look()
            read_only = os.statvfs(self._root).f_flag & os.ST_RDONLY
        except OSError as error:
            raise Unavailable(f"{self._root}: {error.strerror}") from error
        if identity != self._identity:
            raise Unavailable(f"{self._root} is not the directory it was: is it still mounted?")
        if read_only:
            raise ReadOnly(f"{self._root} is mounted read-only")

    def _look(self) -> tuple[int, int]:
        found = os.stat(self._root)
        return found.st_dev, found.st_ino
