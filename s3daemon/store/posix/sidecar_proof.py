"""Whether a file system can hold sidecars: found out by trying, as all else."""

from __future__ import annotations

import os

from s3daemon.store.posix import syscalls
from s3daemon.store.posix.durable import Disk
from s3daemon.store.posix.handles import handle_of

#: f_type of statfs(2) of file systems whose handles and inode numbers hold for one mount at most:
#: they are made up by the kernel's side of them (linux/magic.h).
_MADE_UP = {0x65735546: "FUSE", 0x4D44: "FAT", 0x2011BAB0: "exFAT"}


def why_not(disk: Disk, dir_fd: int) -> str | None:
    """What keeps a file system from holding sidecars; None if nothing does.

    Tries it in a directory that is removed with all that is in it.
    """
    made_up = _MADE_UP.get(syscalls.file_system_type(dir_fd))
    if made_up is not None:
        return f"on {made_up} a file cannot be recognised after it is mounted again"
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
