"""The gate: every call that changes the disk is a method of :class:`Disk`, and nothing else is.

So the promise "acknowledged means durable" can be read in one place and tested from one place: a
hook is called around every change, and may watch it, fail it, or kill the process there.

Methods raise OSError; :func:`fact` says what an error means as a fact of storage, and
:func:`facts` does so for a whole method.  EINTR is retried by Python itself (PEP 475); short writes
are completed here.

An fsync that fails is never tried again: the kernel may have dropped the pages and call them clean,
so that a second try would "succeed".  The file is to be thrown away.
https://www.usenix.org/conference/atc20/presentation/rebello
"""

from __future__ import annotations

import errno
import functools
import os
from collections.abc import Callable, Sequence
from typing import Any, Literal, ParamSpec, Protocol, TypeVar

from s3daemon.store.interfaces import (
    AccessRefused,
    Busy,
    KeyTooLong,
    OutOfSpace,
    ReadOnly,
    StorageError,
    Unavailable,
)
from s3daemon.store.posix import syscalls

P = ParamSpec("P")
T = TypeVar("T")

#: ``strict``: what is acknowledged survives a power cut.  ``relaxed``: only the end of the process.
Durability = Literal["strict", "relaxed"]

#: sysconf(3) _SC_IOV_MAX on Linux: the most pieces one writev(2) takes.
_IOV_MAX = 1024
#: The most bytes that one step of a copy moves, so that a fault or a stop is noticed in between.
_COPY_STEP = 64 * 1024 * 1024
_BUFFER = 1024 * 1024

#: Errors of copy_file_range(2) that mean "not between these two files".
_NO_COPY_RANGE = frozenset(
    (errno.EXDEV, errno.EINVAL, errno.EOPNOTSUPP, errno.ENOSYS, errno.EBADF, errno.ETXTBSY)
)

#: What a shared file system says of an open file that another node has removed or replaced: NFS and
#: GlusterFS the first, JuiceFS the second.
GONE = frozenset((errno.ESTALE, errno.ENOENT))

_FACTS: dict[int, type[StorageError]] = {
    errno.ENOSPC: OutOfSpace,
    errno.EDQUOT: OutOfSpace,
    errno.EMLINK: OutOfSpace,
    errno.EFBIG: OutOfSpace,
    errno.EROFS: ReadOnly,
    errno.EACCES: AccessRefused,
    errno.EPERM: AccessRefused,
    errno.EMFILE: Busy,
    errno.ENFILE: Busy,
    errno.EAGAIN: Busy,
    errno.EBUSY: Busy,
    errno.ENOMEM: Busy,
    errno.ENAMETOOLONG: KeyTooLong,
}


def fact(exc: OSError) -> StorageError:
    """What an error of the kernel says about the storage; unknown ones make it Unavailable."""
    kind = _FACTS.get(exc.errno or 0, Unavailable)
    name = errno.errorcode.get(exc.errno or 0, "no errno")
    return kind(f"{exc} ({name})")


def facts(method: Callable[P, T]) -> Callable[P, T]:
    """Decorator: errors of the kernel leave the method as facts of storage."""

    @functools.wraps(method)
    def translated(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return method(*args, **kwargs)
        except OSError as exc:
            raise fact(exc) from exc

    return translated


class Hook(Protocol):
    """Stands around each change: may do things before and after, alter it, or raise instead."""

    def __call__(self, name: str, call: Callable[..., Any], *args: Any) -> Any:
        """Usually ``return call(*args)``; ``name`` is that of the :class:`Disk` method."""


class Disk:
    """All changes of the disk.

    Names are bytes, relative to the directory descriptor next to them.

    :ivar durability: see :data:`Durability`.
    :ivar hooks: called around every change, the first one outermost; empty in production.
    :ivar failed_syncs: how many fsyncs have failed since the start.
    """

    def __init__(self, durability: Durability = "strict", hooks: Sequence[Hook] = ()) -> None:
        self.durability = durability
        self.hooks = list(hooks)
        self.failed_syncs = 0

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

    def settle(self, fd: int) -> None:
        """Bring a written file where its loss would be noticed: before it is published.

        Strict: onto the device.  Relaxed: to the file system, which on NFS and FUSE may refuse the
        bytes only when a descriptor is closed, so that one is.  On an error the file is lost.
        """
        if self.durability == "strict":
            self.fsync(fd)
        else:
            self._do("flush", syscalls.flush, fd)

    def fsync(self, fd: int) -> None:
        """Make a file or a directory durable (strict), or do nothing (relaxed).  fsync(2)

        After an error the caller throws the file away.
        """
        if self.durability != "strict":
            return
        try:
            self._do("fsync", os.fsync, fd)
        except OSError:
            self.failed_syncs += 1
            raise

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
