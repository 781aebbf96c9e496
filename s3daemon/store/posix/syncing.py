"""Syncs of a disk: counted when they fail, and never tried again."""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock


class Syncs:
    """The fsyncs of one disk; for any thread.

    :ivar failed: how many have failed.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self.failed = 0

    def alone(self, sync: Callable[[int], None], fd: int) -> None:
        """Sync a descriptor.  :raises OSError: that failed."""
        try:
            sync(fd)
        except OSError:
            with self._lock:
                self.failed += 1
            raise
