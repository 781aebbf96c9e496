"""What a root's file system can do, without trying all of it each time a process starts.

What was found before holds for as long as program, user, kernel and mount are the same; and as a
mount may have been replaced by one that looks alike (JuiceFS shows none of its options), what
matters most is tried once more: that takes some system calls instead of some seconds.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from s3daemon.store.posix import lock_kinds
from s3daemon.store.posix.durable import Disk
from s3daemon.store.posix.probe import probe
from s3daemon.store.posix.probed import XATTR, Probe, recorded_within
from s3daemon.store.posix.records import ATTRIBUTE
from s3daemon.store.posix.surroundings import surroundings_of
from s3daemon.store.posix.trial import Trial, trial

#: With this much there are attributes.
_SOME = b"x"


def known(root: Path) -> Probe:
    """What was found before, if it still holds; else everything is tried.

    :raises s3daemon.store.posix.probe.ProbeError: see :func:`probe`.
    """
    with suppress(OSError):  # the probe says what is wrong
        root_fd = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            surroundings = surroundings_of(root_fd)
            before = recorded_within(root_fd, surroundings) if surroundings else None
            # No lock that was proved may mean a machine that was too busy for the proof.
            if before is not None and before.locks and _holds(root, root_fd, before):
                return before
        finally:
            os.close(root_fd)
    return probe(root)


def _holds(root: Path, root_fd: int, before: Probe) -> bool:
    """:raises OSError: nothing can be tried; a file system that is full is judged by the probe."""
    with trial(Disk("strict"), root, root_fd) as tried:
        fd = tried.disk.create(b"file", tried.fd)
        try:
            return _still(tried, fd, before)
        finally:
            os.close(fd)


def _still(tried: Trial, fd: int, before: Probe) -> bool:
    disk, here = tried.disk, tried.fd
    # A name more, while the attribute is as long as it may be.
    size = before.xattr_bytes if before.metadata == XATTR else 0
    if _can(lambda: disk.set_xattr(fd, ATTRIBUTE, b"x" * size if size else _SOME)) != bool(size):
        return False
    if size and os.getxattr(fd, ATTRIBUTE) != b"x" * size:
        return False
    if _can(lambda: disk.link(b"file", here, b"link", here)) != before.hard_links:
        return False
    if _can(lambda: disk.fsync(here)) != before.dir_sync:
        return False
    if before.tmpfile and not _can(lambda: os.close(disk.open_temp(here))):
        return False
    return _can(lambda: lock_kinds.take(before.locks, fd, exclusive=True))


def _can(call: Callable[[], object]) -> bool:
    """:raises OSError: there is no room, which says nothing."""
    try:
        call()
    except OSError as exc:
        if exc.errno in (errno.ENOSPC, errno.EDQUOT, errno.EIO):
            raise
        return False
    return True
