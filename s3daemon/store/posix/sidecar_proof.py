"""Which sidecars a file system can hold: found out by trying, as all else."""

from __future__ import annotations

import os

from s3daemon.store.posix import syscalls
from s3daemon.store.posix.durable import Disk
from s3daemon.store.posix.handles import handle_of
from s3daemon.store.posix.probed import SIDECAR, STAMPED

#: f_type of statfs(2) of file systems whose handles and inode numbers hold for one mount at most:
#: they are made up by the kernel's side of them (linux/magic.h).
_MADE_UP = {0x65735546: "FUSE", 0x4D44: "FAT", 0x2011BAB0: "exFAT"}

#: A time that no coarser clock can keep: odd in each of its digits.
_ODD_NS = 1_234_567_891_357_913_579


class NoSidecars(Exception):
    """There can be none; the text says why."""


def kind(disk: Disk, dir_fd: int) -> str:
    """The kind that can be had: :data:`SIDECAR` or :data:`STAMPED`.

    Tries it in a directory that is removed with all that is in it.

    :raises NoSidecars:
    """
    why_no_handles = _handles(disk, dir_fd)
    if why_no_handles is None:
        return SIDECAR
    why_no_stamps = _stamps(disk, dir_fd)
    if why_no_stamps is None:
        return STAMPED
    raise NoSidecars(f"{why_no_handles}, and {why_no_stamps}")


def _handles(disk: Disk, dir_fd: int) -> str | None:
    """What is wrong with handles; None if nothing is."""
    made_up = _MADE_UP.get(syscalls.file_system_type(dir_fd))
    if made_up is not None:
        return f"on {made_up} a file has another handle when it is mounted again"
    try:
        fd = disk.create(b"handle", dir_fd)
        try:
            first = handle_of(fd)
            disk.stamp_changed(fd)
            disk.rename(b"handle", dir_fd, b"renamed", dir_fd)
            same = handle_of(fd) == first == handle_of(dir_fd, b"renamed")
            disk.unlink(b"renamed", dir_fd)
        finally:
            os.close(fd)
        # It may well get the same inode.
        os.close(disk.create(b"handle", dir_fd))
        other = handle_of(dir_fd, b"handle") != first != handle_of(dir_fd)
    except OSError as exc:
        return f"files have no handles (name_to_handle_at: {exc.strerror})"
    return None if same and other else "handles of files are not theirs alone"


def _stamps(disk: Disk, dir_fd: int) -> str | None:
    """What is wrong with the times of files; None if nothing is."""
    fd = disk.create(b"stamp", dir_fd)
    try:
        disk.write(fd, [b"x"])
        disk.set_modified(fd, _ODD_NS)
        disk.fsync(fd)
        kept = os.fstat(fd).st_mtime_ns == _ODD_NS
        disk.stamp_changed(fd)
    except OSError as exc:
        return f"the time of a file cannot be set ({exc.strerror})"
    finally:
        os.close(fd)
    disk.rename(b"stamp", dir_fd, b"stamped", dir_fd)
    kept = kept and os.stat(b"stamped", dir_fd=dir_fd).st_mtime_ns == _ODD_NS
    disk.unlink(b"stamped", dir_fd)
    return None if kept else "it does not keep times to the nanosecond"
