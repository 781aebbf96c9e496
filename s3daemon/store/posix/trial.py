"""A directory beneath a root to try things in, which is removed again."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import attrs

from s3daemon.store.posix import private
from s3daemon.store.posix.durable import Disk
from s3daemon.store.posix.names import PRIVATE_DIR

_PREFIX = b"probe-"
_OPEN = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC | os.O_NOFOLLOW

#: Signals that end a program, for which it may have handlers.
_ENDING = (signal.SIGINT, signal.SIGTERM)

#: Nanoseconds after which such a directory belongs to nobody any more: trying takes minutes at
#: most, and whoever tries makes entries all the while.
_LEFT_BEHIND = 3600 * 10**9


@attrs.frozen
class Trial:
    """The directory, open.

    :ivar disk: the gate for changes.
    :ivar root: path of the root; :ivar root_fd: its descriptor.
    :ivar name: the directory's name, from the root; :ivar fd: its descriptor.
    """

    disk: Disk
    root: Path
    root_fd: int
    name: bytes
    fd: int

    @property
    def path(self) -> Path:
        """The directory's path."""
        return self.root / os.fsdecode(self.name)


@contextmanager
def trial(disk: Disk, root: Path, root_fd: int) -> Iterator[Trial]:
    """Make a directory to try things in, and remove it with everything in it.

    Removes those that a killed process left behind, too.

    :raises OSError: it cannot be made.
    """
    name = PRIVATE_DIR + b"/" + _PREFIX + private.unique()
    # A signal whose handler raises must not come between making it and remembering to remove it.
    held = signal.pthread_sigmask(signal.SIG_BLOCK, _ENDING)
    try:
        try:
            disk.mkdir(PRIVATE_DIR, root_fd)
        except FileExistsError:
            pass
        disk.mkdir(name, root_fd)
        try:
            fd = os.open(name, _OPEN, dir_fd=root_fd)
            try:
                with suppress(OSError):  # whoever tries next has to do it then
                    _clear_away(disk, root_fd, os.fstat(fd).st_mtime_ns)
                signal.pthread_sigmask(signal.SIG_SETMASK, held)
                try:
                    yield Trial(disk, root, root_fd, name, fd)
                finally:
                    signal.pthread_sigmask(signal.SIG_BLOCK, _ENDING)
            finally:
                os.close(fd)
        finally:
            private.remove_tree(disk, name, root_fd)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, held)


def _clear_away(disk: Disk, root_fd: int, now_ns: int) -> None:
    """:param now_ns: by the clock of the file system, which dates the directories."""
    fd = os.open(PRIVATE_DIR, _OPEN, dir_fd=root_fd)
    try:
        for entry in os.listdir(fd):
            name = os.fsencode(entry)
            if not name.startswith(_PREFIX):
                continue
            st = os.stat(name, dir_fd=fd, follow_symlinks=False)
            if now_ns - st.st_mtime_ns > _LEFT_BEHIND:
                private.remove_tree(disk, name, fd)
    finally:
        os.close(fd)
