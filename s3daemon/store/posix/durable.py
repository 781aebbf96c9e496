"""The gate: every call that changes the disk is a method of :class:`Disk`, and nothing else is.

So the promise "acknowledged means durable" can be read in one place and tested from one place: a
hook is called around every change, and may watch it, fail it, or kill the process there.

Methods raise OSError; :mod:`s3daemon.store.posix.errnos` says what that means.  EINTR is retried by
Python itself (PEP 475); short writes are completed here.

An fsync that fails is never tried again: the kernel may have dropped the pages and call them clean,
so that a second try would "succeed".  The file is to be thrown away.
https://www.usenix.org/conference/atc20/presentation/rebello
"""

from __future__ import annotations

import copy
import errno
import functools
import os
from collections.abc import Callable, Sequence
from typing import Any, ParamSpec, Protocol, TypeVar

from s3daemon.store.levels import LEVELS, Durability
from s3daemon.store.posix import syscalls
from s3daemon.store.posix.syncing import Syncs

P = ParamSpec("P")
T = TypeVar("T")

#: sysconf(3) _SC_IOV_MAX on Linux: the most pieces one writev(2) takes.
_IOV_MAX = 1024
#: The most bytes that one step of a copy moves, so that a fault or a stop is noticed in between.
_COPY_STEP = 64 * 1024 * 1024
_BUFFER = 1024 * 1024

#: Errors of copy_file_range(2) that mean "not between these two files".
_NO_COPY_RANGE = frozenset(
    (errno.EXDEV, errno.EINVAL, errno.EOPNOTSUPP, errno.ENOSYS, errno.EBADF, errno.ETXTBSY)
)


class Hook(Protocol):
    """Stands around each change: may do things before and after, alter it, or raise instead."""

    def __call__(self, name: str, call: Callable[..., Any], *args: Any) -> Any:
        """Usually ``return call(*args)``; ``name`` is that of the :class:`Disk` method."""


class Disk:
    """All changes of the disk.

    Names are bytes, relative to the directory descriptor next to them.

    :ivar durability: see :mod:`s3daemon.store.levels`.
    :ivar hooks: called around every change, the first one outermost; empty in production.
    """

    def __init__(self, durability: Durability = "strict", hooks: Sequence[Hook] = ()) -> None:
        self.durability = durability
        self.hooks = list(hooks)
        self._syncs = Syncs()
        self._levels: dict[Durability, Disk] = {durability: self}
        for level in LEVELS:
            if level != durability:
                other = self._levels[level] = copy.copy(self)
                other.durability = level

    def at(self, level: Durability) -> Disk:
        """The same disk on another level: hooks and counts are shared."""
        return self._levels[level]

    @property
    def failed_syncs(self) -> int:
        """How many fsyncs have failed since the start, on whatever level."""
        return self._syncs.failed

    @property
    def syncs_names(self) -> bool:
        """Whether :meth:`sync_names` does anything; else a directory need not even be opened."""
        return self.durability == "strict"

    def _do(self, name: str, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        if not self.hooks:
            return call(*args, **kwargs)
        around: Callable[..., Any] = call
        for hook in reversed(self.hooks):
            around = functools.partial(hook, name, around)
        result: T = around(*args, **kwargs)
        return result

    # -------------------------------------------------------- files

    def open_temp(self, dir_fd: int) -> int:
        """An unnamed file on the file system of a directory, open for both.  open(2), O_TMPFILE."""
        return self._do("open_temp", syscalls.open_at, b".", os.O_TMPFILE | os.O_RDWR, dir_fd)

    def create(self, name: bytes, dir_fd: int) -> int:
        """A new file, open for both.  :raises FileExistsError:"""
        flags = os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_NOFOLLOW
        return self._do("create", syscalls.open_at, name, flags, dir_fd)

    def create_empty(self, name: bytes, dir_fd: int) -> None:
        """A new file that says all by being there; what closing it says counts.

        :raises FileExistsError:
        """
        self.close(self.create(name, dir_fd))

    def open_or_create(self, name: bytes, dir_fd: int) -> int:
        """A file, open for both, made if it is missing."""
        flags = os.O_CREAT | os.O_RDWR | os.O_NOFOLLOW
        return self._do("open_or_create", syscalls.open_at, name, flags, dir_fd)

    def open_lock(self, name: bytes, dir_fd: int) -> int:
        """A file that is there to be locked and holds nothing: after a crash it is made anew."""
        flags = os.O_CREAT | os.O_RDWR | os.O_NOFOLLOW
        return self._do("open_lock", syscalls.open_at, name, flags, dir_fd)

    def write(self, fd: int, pieces: Sequence[bytes]) -> int:
        """Write all pieces at the file's position; how many bytes that was.  writev(2)"""
        written = 0
        if len(pieces) == 1:
            view = memoryview(pieces[0]).cast("B")
            while len(view):
                count = self._do("write", os.write, fd, view)
                written += count
                view = view[count:]
            return written
        rest = [memoryview(piece).cast("B") for piece in pieces if len(piece)]
        while rest:
            count = self._do("write", os.writev, fd, rest[:_IOV_MAX])
            written += count
            done = 0
            while done < len(rest) and count >= len(rest[done]):
                count -= len(rest[done])
                done += 1
            del rest[:done]
            if count:
                rest[0] = rest[0][count:]
        return written

    def pwrite(self, fd: int, pieces: Sequence[bytes], offset: int) -> int:
        """Write all pieces at an offset; how many bytes that was.  pwrite(2)"""
        at = offset
        for piece in pieces:
            view = memoryview(piece).cast("B")
            while len(view):
                count = self._do("pwrite", os.pwrite, fd, view, at)
                at += count
                view = view[count:]
        return at - offset

    def truncate(self, fd: int, size: int) -> None:
        """Set the size.  ftruncate(2)"""
        self._do("truncate", os.ftruncate, fd, size)

    def punch(self, fd: int, offset: int, size: int) -> None:
        """Give the blocks of a range back; it reads as zeros.  fallocate(2)"""
        self._do("punch", syscalls.punch_hole, fd, offset, size)

    def copy(
        self, source: int, target: int, size: int, source_offset: int = 0, target_offset: int = 0
    ) -> int:
        """Copy a range by the cheapest means, sharing blocks where the file system can.

        Fewer bytes than asked for come back only when the source ends before.
        copy_file_range(2), or pread(2) and pwrite(2) where it is impossible.
        """
        done = 0
        by_kernel = True
        while done < size:
            step = min(size - done, _COPY_STEP)
            if by_kernel:
                try:
                    count = self._do(
                        "copy_range",
                        os.copy_file_range,
                        source,
                        target,
                        step,
                        source_offset + done,
                        target_offset + done,
                    )
                except OSError as exc:
                    if exc.errno not in _NO_COPY_RANGE:
                        raise
                    by_kernel = False
                    continue
                # Some file systems answer 0 where they cannot: only a read proves the end.
                by_kernel = count > 0
            else:
                data = os.pread(source, min(step, _BUFFER), source_offset + done)
                count = self.pwrite(target, [data], target_offset + done)
                if not count:
                    break
            done += count
        return done

    def set_xattr(self, fd: int, name: str, value: bytes) -> None:
        """Set an extended attribute, in one step.  fsetxattr(2)"""
        self._do("set_xattr", os.setxattr, fd, name, value)

    def set_modified(self, fd: int, modified_ns: int) -> None:
        """Set the time of the last modification, and of the last access.  futimens(3)"""
        self._do("set_modified", syscalls.set_mtime, fd, modified_ns)

    def stamp_changed(self, fd: int) -> None:
        """Set the time of the last change of status, as setting an attribute does.  fchmod(2)

        :raises PermissionError: the file is somebody else's.
        """
        self._do("stamp_changed", syscalls.stamp_changed, fd)

    def settle(self, fd: int) -> None:
        """Bring a written file where its loss would be noticed: before it is published.

        To the file system, which on NFS and FUSE may refuse the bytes only when a descriptor is
        closed (fsync(2) says nothing where FUSE has none), so that one is; and, strict and data,
        onto the device.  On an error the file is lost.
        """
        self._do("flush", syscalls.flush, fd)
        self.fsync(fd)

    def fsync(self, fd: int) -> None:
        """Make a file's content and record durable, or, in a directory, what was done there before
        what comes next (strict and data); or do nothing (relaxed).  fsync(2)

        After an error the caller throws the file away.
        """
        if self.durability != "relaxed":
            self._syncs.alone(self._fsync, fd)

    def sync_names(self, fd: int) -> None:
        """Make durable what names a directory has (strict), or do nothing (data, relaxed).

        It is what an answer waits for, and nothing else: where a later change relies on the order,
        :meth:`fsync` is meant.  Threads that want the same at the same time share one fsync(2).
        """
        if self.durability == "strict":
            self._syncs.together(self._fsync, fd)

    def sync_all(self, fd: int) -> None:
        """Bring all that was written to a file system onto the device (strict and data).

        :param fd: of anything on it.  syncfs(2)
        """
        if self.durability != "relaxed":
            self._syncs.alone(self._syncfs, fd)

    def _syncfs(self, fd: int) -> None:
        self._do("syncfs", syscalls.syncfs, fd)

    def _fsync(self, fd: int) -> None:
        self._do("fsync", os.fsync, fd)

    # -------------------------------------------------------- names

    def link_fd(self, fd: int, name: bytes, dir_fd: int) -> None:
        """Give an open file, named or not, a (further) name.

        Needs /proc.  linkat(2), AT_SYMLINK_FOLLOW.  :raises FileExistsError:
        """
        self._do("link_fd", syscalls.link_fd, fd, name, dir_fd)

    def link(self, name: bytes, dir_fd: int, new: bytes, new_dir_fd: int) -> None:
        """Give a file a further name.  linkat(2).  :raises FileExistsError:"""
        self._do("link", syscalls.link, name, dir_fd, new, new_dir_fd)

    def rename(self, name: bytes, dir_fd: int, new: bytes, new_dir_fd: int) -> None:
        """Rename, in place of what has the new name.  renameat(2)"""
        self._do("rename", syscalls.rename, name, dir_fd, new, new_dir_fd)

    def rename_new(self, name: bytes, dir_fd: int, new: bytes, new_dir_fd: int) -> None:
        """Rename, if the new name is free.  renameat2(2).  :raises FileExistsError:

        With ENOSYS or EINVAL the kernel or the file system says that it cannot.
        """
        self._do("rename_new", syscalls.rename_noreplace, name, dir_fd, new, new_dir_fd)

    def unlink(self, name: bytes, dir_fd: int) -> None:
        """Remove a name of a file.  unlinkat(2)"""
        self._do("unlink", syscalls.unlink, name, dir_fd)

    def mkdir(self, name: bytes, dir_fd: int) -> None:
        """Make a directory.  mkdirat(2).  :raises FileExistsError:"""
        self._do("mkdir", syscalls.mkdir, name, dir_fd)

    def rmdir(self, name: bytes, dir_fd: int) -> None:
        """Remove a directory that is empty: the kernel looks and removes in one step.  rmdir(2)"""
        self._do("rmdir", syscalls.rmdir, name, dir_fd)

    def close(self, fd: int) -> None:
        """Close a file that was written; an error means that bytes may be missing.  close(2)"""
        self._do("close", os.close, fd)
