"""Whether the store's root is still the directory it was, has room, and keeps what is written."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path

from s3daemon.store.health import Fact, Health
from s3daemon.store.interfaces import StorageError
from s3daemon.store.posix.space import free_bytes, free_inodes

#: Files that can still be made, below which a file system that counts them is full.
_FEW_INODES = 100

#: Units of sizes, as settings write them.
_UNITS = ((1 << 40, "TiB"), (1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB"))


class RootCheck:
    """Blocking; a call that hangs says as much as one that fails.

    A file system that was unmounted leaves its mount point, an empty directory that would happily
    take objects: so the root must be the same directory as when the daemon started.

    After an fsync has failed, or a request has found the store failing in whatever way, something
    has to be written, synced and read again before the root counts as good: writers have had their
    error, and a balancer should not send more of them here.  One file that cannot be read does not
    make the root bad.

    :param min_free: bytes that have to be free for a user who is not root; 0: however few.
    :param failed_syncs: how many fsyncs have failed since the start.
    :param troubles: how many requests have found the store failing.
    :param try_sync: writes, syncs and reads; raises a StorageError.
    :param about: what the store is like, for :attr:`Health.facts`.
    """

    def __init__(
        self,
        root: Path,
        min_free: int = 0,
        failed_syncs: Callable[[], int] = lambda: 0,
        troubles: Callable[[], int] = lambda: 0,
        try_sync: Callable[[], None] = lambda: None,
        about: Mapping[str, Mapping[str, Fact]] | None = None,
    ) -> None:
        self._root = root
        self._min_free = min_free
        self._failed_syncs = failed_syncs
        self._troubles = troubles
        self._try_sync = try_sync
        self._about = about or {}
        self._forgiven = (0, 0)
        self._identity = self._look()

    def __call__(self) -> Health:
        """What is the matter, if anything is."""
        now: dict[str, Fact] = {
            "failed_syncs": self._failed_syncs(),
            "failed_requests": self._troubles(),
        }
        try:
            reason = self._reason(now)
        except OSError as error:
            reason = f"the root: {error.strerror}"
        except StorageError as error:
            cause = error.__cause__
            why = cause.strerror if isinstance(cause, OSError) else error
            reason = f"what is written does not reach the device: {why}"
        return Health(reason, {"now": now, **self._about})

    def _reason(self, now: dict[str, Fact]) -> str:
        identity = self._look()
        st = os.statvfs(self._root)
        free, inodes = free_bytes(st), free_inodes(st)
        now["free_bytes"], now["free_inodes"] = free, inodes
        now["read_only"] = bool(st.f_flag & os.ST_RDONLY)
        if identity != self._identity:
            return "the root is not the directory it was: is it still mounted?"
        if now["read_only"]:
            return "the root is mounted read-only"
        if free < self._min_free:
            return f"{_size(free)} are free, less than store.min_free = {_size(self._min_free)}"
        if self._min_free and inodes is not None and inodes < _FEW_INODES:
            return f"{inodes} inodes are free"
        failed = self._failed_syncs(), self._troubles()
        if failed != self._forgiven:
            self._try_sync()
            self._forgiven = failed
        return ""

    def _look(self) -> tuple[int, int]:
        found = os.stat(self._root)
        return found.st_dev, found.st_ino


def _size(size: int) -> str:
    for unit, name in _UNITS:
        if size >= unit:
            return f"{size / unit:.1f} {name}".replace(".0 ", " ")
    return f"{size} bytes"
