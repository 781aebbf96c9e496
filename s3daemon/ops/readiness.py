"""Whether the store's root is still the directory it was, and keeps what is written."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from s3daemon.store.interfaces import ReadOnly, Unavailable


class RootCheck:
    """Blocking; a call that hangs says as much as one that fails.

    A file system that was unmounted leaves its mount point, an empty directory that would happily
    take objects: so the root must be the same directory as when the daemon started.

    After an fsync has failed, one has to succeed before the root counts as good again: writers have
    had their error, and a balancer should not send more of them here.

    :param failed_syncs: how many fsyncs have failed since the start.
    :param try_sync: tries one; raises a StorageError.
    """

    def __init__(
        self,
        root: Path,
        failed_syncs: Callable[[], int] = lambda: 0,
        try_sync: Callable[[], None] = lambda: None,
    ) -> None:
        self._root = root
        self._failed_syncs = failed_syncs
        self._try_sync = try_sync
        self._forgiven = 0
        self._identity = self._look()

    def __call__(self) -> None:
        """Return when the root can serve.

        :raises Unavailable: it is gone, or another directory is in its place.
        :raises ReadOnly: it takes no writes.
        :raises StorageError: what is written cannot be brought onto the device.
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
        failed = self._failed_syncs()
        if failed != self._forgiven:
            self._try_sync()
            self._forgiven = failed

    def _look(self) -> tuple[int, int]:
        found = os.stat(self._root)
        return found.st_dev, found.st_ino
