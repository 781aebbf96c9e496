"""Which process sweeps: the one that holds the lock on ``.s3gate/janitor`` beneath the root.

The lock is flock(2): it goes with the process that has it, however that ends, and keeps apart the
processes of one node, and those of several where the file system carries it between them.  Where it
does not, or where there are no locks, there is more than one janitor, which costs work and no more
(see :mod:`s3daemon.store.posix.expiring`).
"""

from __future__ import annotations

import os
import threading
from contextlib import suppress

from s3daemon.store.posix import locks
from s3daemon.store.posix.names import PRIVATE_DIR
from s3daemon.store.posix.volume import Volume

#: An empty file; nothing is ever written into it.
JANITOR = PRIVATE_DIR + b"/janitor"


class Election:
    """Stands for the office of the janitor.

    :param volume: of the root; open for as long as this is used.
    """

    def __init__(self, volume: Volume) -> None:
        self._volume = volume
        self._fd = -1
        self._guard = threading.Lock()

    def won(self) -> bool:
        """Whether this process is to sweep; who has won keeps the office until it resigns.

        True as well where nobody can tell: a file system that is full takes no new file, and
        sweeping is what makes room.
        """
        with self._guard:
            if self._holds():
                return True
            self._drop()
            try:
                fd = self._volume.disk.open_or_create(JANITOR, self._volume.fd)
            except OSError:
                return True
            locked = locks.try_lock(fd)
            if locked:
                self._fd = fd
                # Else somebody has removed the file between opening and locking it.
                return self._holds()
            os.close(fd)
            return locked is None

    def resign(self) -> None:
        """Let somebody else have it."""
        with self._guard:
            self._drop()

    def _holds(self) -> bool:
        if self._fd == -1:
            return False
        try:
            named = os.stat(JANITOR, dir_fd=self._volume.fd, follow_symlinks=False)
        except OSError:
            return False
        return os.path.samestat(named, os.fstat(self._fd))

    def _drop(self) -> None:
        if self._fd != -1:
            with suppress(OSError):
                os.close(self._fd)
            self._fd = -1
