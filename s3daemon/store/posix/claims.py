"""Claims: who holds that of a part may write at its place in a ``data`` file, and nobody else may.

A claim is a file that only one can create.  Its holder keeps it locked for as long as it may write;
afterwards the record of the part says that the place is in use no more.  So a claim without a
record that nobody holds the lock of was left by a writer that is no more, and may be broken: it is
removed, under its lock.  A writer that gets the lock only then finds its claim without a name, and
writes elsewhere.

Where no lock between processes has been proved no claim is ever broken.
"""

from __future__ import annotations

import os
from contextlib import suppress

import attrs

from s3daemon.store.posix import lock_kinds
from s3daemon.store.posix.descriptors import has_name, release
from s3daemon.store.posix.durable import Disk
from s3daemon.store.posix.upload_names import Scan, claim_name
from s3daemon.store.posix.upload_state import UploadDir

#: Claims that are broken at the most: each holds a descriptor meanwhile.
_MOST = 256


class Claim:
    """The claim of a part, which is ours.

    :param fd: descriptor whose lock is held, or -1.
    """

    __slots__ = ("_fd",)

    def __init__(self, fd: int = -1) -> None:
        self._fd = fd

    def close(self) -> None:
        """Let go of the lock; the file stays.  May be called twice."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            release(fd)


def take(disk: Disk, directory: int, number: int, kind: str) -> Claim | None:
    """Claim the place of a part; None where somebody has, or it is not to be had.

    :param directory: of the upload.
    :param kind: of the locks that hold here (:mod:`lock_kinds`); "" for none.
    :raises OSError:
    """
    name = claim_name(number)
    try:
        fd = disk.create(name, directory)
    except FileExistsError:
        return None
    if not kind:
        os.close(fd)
        return Claim()
    try:
        locked = lock_kinds.take(kind, fd, exclusive=True) and has_name(fd)
    except OSError:
        # Whoever completes the upload would take us for dead.
        release(fd)
        disk.unlink(name, directory)
        return None
    if locked:
        return Claim(fd)
    release(fd)  # it was broken before it was locked
    return None


def break_dead(disk: Disk, upload: UploadDir, scan: Scan, kind: str) -> Scan:
    """Break the claims whose holders are no more; what the names say afterwards.

    :param upload: locked, and sealed, so that no place is claimed any more.
    """
    held: dict[int, int] = {}
    try:
        if kind:
            for number in sorted(scan.unfinished)[:_MOST]:
                with suppress(OSError):  # then it stays
                    fd = _lock(upload.fd, claim_name(number), kind)
                    if fd >= 0:
                        held[number] = fd
        if not held:
            return scan
        # Only now: a writer that was still there has made its record, and then let go of its lock.
        scan = upload.scan()
        broken = {
            number
            for number in scan.unfinished.intersection(held)
            if _remove(disk, upload.fd, claim_name(number), held[number])
        }
        return attrs.evolve(scan, claims=scan.claims - broken)
    finally:
        for fd in held.values():
            os.close(fd)


def _lock(directory: int, name: bytes, kind: str) -> int:
    """A descriptor of a claim whose lock is ours, or -1.  :raises OSError:"""
    fd = os.open(name, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW, dir_fd=directory)
    try:
        if lock_kinds.take(kind, fd, exclusive=True):
            return fd
    except BaseException:
        os.close(fd)
        raise
    os.close(fd)
    return -1


def _remove(disk: Disk, directory: int, name: bytes, fd: int) -> bool:
    """Remove a claim that is locked, unless the name is that of a later one by now."""
    try:
        now = os.stat(name, dir_fd=directory, follow_symlinks=False)
        if not os.path.samestat(now, os.fstat(fd)):
            return False
        disk.unlink(name, directory)
    except OSError:
        return False
    return True
