"""Which names of a directory have changed, told by the kernel.

Stamps say only *that* a directory has changed; for a large one that changes all the time that would
mean reading it anew for every page.  inotify(7) says *what*: the kernel queues the event before the
system call that made the change returns.  So whoever looks into the queue after a change was
acknowledged finds it there, if the change was made on this machine: by whatever process, in
whatever container, or through a server (NFS, SMB) that runs here.  That all changes are made here
holds for file systems on local devices only; elsewhere there is no watch.
"""

from __future__ import annotations

import ctypes
import os
import struct
import weakref

from s3daemon.store.posix import syscalls

#: f_type of statfs(2): file systems that one kernel at a time has mounted (linux/magic.h).
_LOCAL = frozenset(
    (
        0xEF53,  # ext2, ext3, ext4
        0x58465342,  # XFS
        0x9123683E,  # Btrfs
        0x01021994,  # tmpfs
        0xF2F52010,  # F2FS
        0x2FC12FC1,  # ZFS
    )
)

#: Those that put a renamed file into the very entry of the one that it replaces, so that who
#: reads the directory meanwhile does not pass over the name: ext4_rename, xfs_dir_replace.
_IN_PLACE = frozenset((0xEF53, 0x58465342))

_IN_MOVED_FROM, _IN_MOVED_TO, _IN_CREATE, _IN_DELETE = 0x40, 0x80, 0x100, 0x200
_IN_DELETE_SELF, _IN_ONLYDIR = 0x400, 0x1000000
_NAMES = _IN_MOVED_FROM | _IN_MOVED_TO | _IN_CREATE | _IN_DELETE
_EVENT = struct.Struct("=iIII")
_BUFFER = 256 * 1024


class Watch:
    """The changes of one directory, since it began or since the last look.

    One thread at a time.  It closes itself when it is no longer referenced.
    """

    def __init__(self, queue: int) -> None:
        self._queue = queue
        self.close = weakref.finalize(self, os.close, queue)

    @classmethod
    def of(cls, directory: int) -> Watch | None:
        """Begin to watch an open directory; None where changes may be made unseen."""
        libc = ctypes.CDLL(None, use_errno=True)
        if not is_local(directory):
            return None
        queue = libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        if queue < 0:
            return None  # the user's limit of instances
        watch = cls(queue)
        mask = ctypes.c_uint32(_NAMES | _IN_DELETE_SELF | _IN_ONLYDIR)
        path = b"/proc/self/fd/%d" % directory
        return watch if libc.inotify_add_watch(queue, path, mask) >= 0 else None

    def changes(self) -> set[bytes] | None:
        """The names that have been made, removed or renamed; None if they are not all known.

        That is so when there were more than the queue holds, and when the directory is gone.
        """
        names: set[bytes] = set()
        complete = True
        while True:
            try:
                raw = os.read(self._queue, _BUFFER)
            except BlockingIOError:
                return names if complete else None
            at = 0
            while at < len(raw):
                _, mask, _, size = _EVENT.unpack_from(raw, at)
                at += _EVENT.size
                if mask & _NAMES:
                    names.add(raw[at : at + size].rstrip(b"\0"))
                else:
                    complete = False
                at += size


def replaces_in_place(fd: int) -> bool:
    """Whether a name that is overwritten keeps its place in a directory on this file system."""
    return syscalls.file_system_type(fd) in _IN_PLACE


def is_local(fd: int) -> bool:
    """Whether an open file or directory lies on a file system that only this kernel changes."""
    return syscalls.file_system_type(fd) in _LOCAL
