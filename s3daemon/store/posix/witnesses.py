"""Whether a directory holds a file: told by a witness, the name of one that was seen there.

A listing with a delimiter asks this of every directory on the page, again and again.  Reading a
directory only to find that it is not empty costs more than all the rest, so the name of one file is
remembered.  Nothing depends on its being remembered truly: the file is looked for each time.
"""

from __future__ import annotations

import os
import stat
from collections import OrderedDict
from threading import Lock

from s3daemon.store.posix.dirnames import plain_file

#: Directories that are remembered, at some 300 bytes each.
_MAX_WITNESSES = 20_000


class Witnesses:
    """One file in each of the directories last asked for; for any thread."""

    def __init__(self, limit: int = _MAX_WITNESSES) -> None:
        self._limit = limit
        self._lock = Lock()
        self._names: OrderedDict[tuple[int, int], bytes] = OrderedDict()

    def __len__(self) -> int:
        return len(self._names)

    def holds_file(self, directory: int, room: int) -> bool:
        """Whether an open directory (not shared with another thread) holds a regular file.

        Only files count whose name is a segment of at most ``room`` bytes, verbatim; False does not
        mean that there is no object.

        :raises OSError: it cannot be read.
        """
        status = os.fstat(directory)
        place = (status.st_dev, status.st_ino)
        with self._lock:
            name = self._names.get(place)
            if name is not None:
                self._names.move_to_end(place)
        if name is not None and len(name) <= room and _is_file(directory, name):
            return True
        name = plain_file(directory, room)
        with self._lock:
            if name is None:
                self._names.pop(place, None)
                return False
            self._names[place] = name
            while len(self._names) > self._limit:
                self._names.popitem(last=False)
        return True


def _is_file(directory: int, name: bytes) -> bool:
    try:
        status = os.stat(name, dir_fd=directory, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return stat.S_ISREG(status.st_mode)
