"""The clock of a file system, beside that of this machine."""

from __future__ import annotations

import os
import time
from collections.abc import Callable

from s3daemon.store.posix import private
from s3daemon.store.posix.durable import Disk

#: Nanoseconds by which the kernel's stamps may be behind its clock: a tick at 100 Hz.
_TICK = 10_000_000


def skew_ms(disk: Disk, dir_fd: int, now_ns: Callable[[], int] = time.time_ns) -> float | None:
    """Milliseconds by which stamps of new files are ahead of this machine's clock; 0 if not at all.

    None where it cannot be found out, because no file can be made.
    """
    name = b"clock-" + private.unique()
    before = now_ns()
    try:
        fd = disk.create(name, dir_fd)
    except OSError:
        return None
    try:
        stamp = os.fstat(fd).st_mtime_ns
        after = now_ns()
    finally:
        os.close(fd)
        disk.unlink(name, dir_fd)
    if stamp > after:
        return (stamp - after) / 1e6
    if stamp < before - _TICK:
        return (stamp - before) / 1e6
    return 0.0
