"""Advisory locks on directories and files: flock(2), never waited for long.

They keep the gateways of one node apart, and those of several nodes where the file system carries
flock between them (NFS, CephFS, JuiceFS do).  What would be lost without is said where they are
used.
"""

from __future__ import annotations

import errno
import fcntl
import time
from collections.abc import Callable
from contextlib import suppress

_HELD_ELSEWHERE = frozenset((errno.EWOULDBLOCK, errno.EAGAIN))
_TRIES = 50
_PAUSE = 0.002


def try_lock(fd: int, tries: int = 1) -> bool | None:
    """Lock a file or directory until its descriptor is closed.

    :return: True: it is locked; False: somebody else holds the lock; None: there are no locks here.
    """
    return patiently(lambda: _take(fd), tries)


def _take(fd: int) -> bool | None:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as exc:
        return False if exc.errno in _HELD_ELSEWHERE else None
    return True


def patiently(take: Callable[[], bool | None], tries: int = _TRIES) -> bool | None:
    """Try to take a lock until it is not held by somebody else; answers as :func:`try_lock`."""
    for left in reversed(range(tries)):
        taken = take()
        if taken is not False:
            return taken
        if left:
            time.sleep(_PAUSE)
    return False


def lock(fd: int) -> bool | None:
    """The same, with some patience: holders are done in microseconds."""
    return try_lock(fd, _TRIES)


def unlock(fd: int) -> None:
    """Let go of a lock without closing the descriptor."""
    with suppress(OSError):  # there are no locks here
        fcntl.flock(fd, fcntl.LOCK_UN)
