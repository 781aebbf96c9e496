"""What a directory holds at this moment, read through a descriptor that was opened earlier."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from s3daemon.store.posix.paths import open_quietly

_OPEN = os.O_RDONLY | os.O_CLOEXEC | os.O_DIRECTORY


@contextmanager
def entries(directory: int) -> Iterator[Iterator[os.DirEntry[str]]]:
    """The entries of an open directory as they are now; none where it has been removed.

    It is opened once more for that.  Whoever reads through one open directory shares one position
    in it, so that each of two threads would see what the other one has not (getdents(2)); and some
    file systems, btrfs among them, show what there was when it was opened (readdir(3) leaves that
    open).

    :raises OSError: it cannot be opened or read.
    """
    try:
        fd = open_quietly(b".", _OPEN, directory)
    except FileNotFoundError:
        yield iter(())
        return
    try:
        with os.scandir(fd) as found:
            yield found
    finally:
        os.close(fd)


def names_in(directory: int) -> list[bytes]:
    """Their names; see :func:`entries`."""
    with entries(directory) as found:
        return [os.fsencode(entry.name) for entry in found]
