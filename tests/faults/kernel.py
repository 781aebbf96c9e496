"""A kernel that fails: every system call that the store makes, by name, on one thread.

The calls that change the disk go through one gate and could be failed there; those that look do
not.  So this stands one step lower, in place of the functions of :mod:`os`, :mod:`fcntl` and
:mod:`s3daemon.store.posix.syscalls` that the store calls, as long as a test wants it.
"""

from __future__ import annotations

import builtins
import errno
import fcntl
import functools
import os
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any

import attrs

from s3daemon.store.posix import expiring, identities, probed, syscalls, upload_state
from s3daemon.store.posix.syscalls import XattrReader

#: No error: the call does only a part of what it was asked for.
SHORT = 0

#: What any call that reaches the file system may say, as different stores behind it do.
_ANY = (errno.EIO, errno.ESTALE, errno.EACCES, errno.ENOMEM, errno.ETIMEDOUT)
_DESCRIPTORS = (errno.EMFILE, errno.ENFILE)
_ROOM = (errno.ENOSPC, errno.EDQUOT)
_NAMES = (
    *_ROOM,
    errno.EINTR,
    errno.EROFS,
    errno.EMLINK,
    errno.EPERM,
    errno.EBUSY,
    errno.ENAMETOOLONG,
)

#: Name of a call -> the errors that it is made to give.
ERRORS: dict[str, tuple[int, ...]] = {
    "open": (*_ANY, *_DESCRIPTORS),
    "create": (*_ANY, *_DESCRIPTORS, *_ROOM, errno.EROFS, errno.EPERM, errno.ENAMETOOLONG),
    "openat2": (*_ANY, *_DESCRIPTORS),
    "stat": (*_ANY, errno.EINTR),
    "fstat": (errno.EIO, errno.ESTALE, errno.ETIMEDOUT),
    "statvfs": (errno.EIO,),
    "getxattr": (errno.EIO, errno.ESTALE, errno.EACCES, errno.ETIMEDOUT),
    "read": (errno.EIO, errno.ESTALE, errno.ETIMEDOUT, SHORT),
    "scandir": (*_ANY, *_DESCRIPTORS),
    "readdir": (errno.EIO, errno.ESTALE, errno.ETIMEDOUT),
    "listdir": (*_ANY, *_DESCRIPTORS),
    "readlink": (errno.EIO, errno.EACCES),
    "lock": (errno.ENOLCK, errno.EIO, errno.ESTALE),
    "write": (SHORT, *_ROOM, errno.EIO, errno.EFBIG, errno.EROFS, errno.ESTALE),
    "truncate": (*_ROOM, errno.EIO, errno.EROFS),
    "punch": (*_ROOM, errno.EIO, errno.EROFS, errno.EOPNOTSUPP),
    "copy_range": (SHORT, *_ROOM, errno.EIO, errno.ENOMEM, errno.ESTALE, errno.EROFS),
    "setxattr": (
        *_ROOM,
        errno.EINTR,
        errno.EIO,
        errno.EROFS,
        errno.EPERM,
        errno.EACCES,
        errno.ESTALE,
    ),
    "utime": (errno.EIO, errno.EROFS, errno.EPERM),
    "chmod": (errno.EIO, errno.EROFS, errno.EPERM, errno.ESTALE),
    "handle": (errno.EIO, errno.ESTALE, errno.ENOMEM),
    "fsync": (errno.EIO, *_ROOM, errno.EROFS, errno.ESTALE),
    "mkdir": (*_ANY, *_NAMES),
    "link": (*_ANY, *_NAMES),
    "rename": (*_ANY, *_NAMES),
    "unlink": (
        errno.EIO,
        errno.EINTR,
        errno.ESTALE,
        errno.EACCES,
        errno.EROFS,
        errno.EBUSY,
        *_ROOM,
    ),
    "rmdir": (errno.EIO, errno.EINTR, errno.ESTALE, errno.EACCES, errno.EROFS, errno.EBUSY, *_ROOM),
    "dup": (errno.EMFILE, errno.ENFILE),
    "close": (errno.EIO, *_ROOM, errno.ESTALE),
}

#: Calls that change something, so that a disk that takes nothing refuses them ...
CHANGES = frozenset(
    {
        *("create", "write", "truncate", "punch", "copy_range", "setxattr", "utime", "chmod"),
        *("mkdir", "link", "rename", "unlink", "rmdir"),
    }
)
#: ... and those that need room.
GROWS = CHANGES - {"truncate", "punch", "unlink", "rmdir", "utime", "chmod"}


@attrs.define
class Fault:
    """What is to go wrong.

    :ivar number: the call that fails, counted from 0.
    :ivar code: how.
    :ivar kinds: with these, every later call of such a kind fails too.
    :ivar fired: the name of the first call that failed; "" before.
    :ivar at: the lines of the store that led to it, innermost first.
    """

    number: int
    code: int
    kinds: frozenset[str] = frozenset()
    fired: str = ""
    at: tuple[str, ...] = ()


class Kernel:
    """Counts the calls of one thread, and fails some.

    :ivar calls: the names of those made, in order, since it was last armed.
    """

    def __init__(self) -> None:
        self.calls: list[str] = []
        self._fault: Fault | None = None
        self._armed = False
        self._thread = threading.get_ident()

    @contextmanager
    def armed(self, fault: Fault | None = None) -> Iterator[None]:
        """Count, and fail as asked."""
        self.calls = []
        self._fault = fault
        self._armed = True
        try:
            yield
        finally:
            self._armed = False
            self._fault = None

    def _meet(self, name: str) -> bool:
        """A call is about to be made; whether it is to be short.  :raises OSError: it fails."""
        number = len(self.calls)
        self.calls.append(name)
        fault = self._fault
        if fault is None:
            return False
        if number == fault.number or (fault.fired and name in fault.kinds):
            if fault.code == SHORT and SHORT not in ERRORS[name]:
                return False  # caches know more by now, and the number is another call's
            if not fault.fired:
                fault.fired, fault.at = name, _lines()
            if fault.code == SHORT:
                return True
            raise OSError(fault.code, os.strerror(fault.code))
        return False

    def _is_met(self) -> bool:
        return self._armed and threading.get_ident() == self._thread

    def around(self, name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        """The call, or its failure."""

        @functools.wraps(call)
        def met(*args: Any, **kwargs: Any) -> Any:
            if not self._is_met():
                return call(*args, **kwargs)
            if self._meet(_kind(name, args)):
                args = _shortened(args)
            return call(*args, **kwargs)

        return met

    def close(self, fd: int) -> None:
        """close(2): whatever it says, the descriptor is gone."""
        _close(fd)
        if self._is_met():
            self._meet("close")

    def scandir(self, path: Any = ".") -> Any:
        """A directory whose reading may fail on the way."""
        if not self._is_met():
            return _scandir(path)
        self._meet("scandir")
        return _Entries(_scandir(path), self)

    def open_file(self, fd: int, mode: str) -> Any:
        """A file object over a descriptor, whose reading may fail."""
        return _File(builtins.open(fd, mode), self)

    def meet(self, name: str) -> None:
        """The same as a wrapped call, for what is none."""
        if self._is_met():
            self._meet(name)


def _lines() -> tuple[str, ...]:
    stack = reversed(traceback.extract_stack())
    return tuple(
        f"{os.path.basename(frame.filename)}:{frame.lineno}"
        for frame in stack
        if "/s3daemon/" in frame.filename
    )[:4]


_close = os.close
_scandir = os.scandir


class _Entries:
    def __init__(self, entries: Any, kernel: Kernel) -> None:
        self._entries = entries
        self._kernel = kernel

    def __enter__(self) -> _Entries:
        return self

    def __exit__(self, *args: object) -> None:
        self._entries.close()

    def __iter__(self) -> Iterator[Any]:
        # getdents64(2) fetches many entries at a time: one can fail before the first.
        self._kernel.meet("readdir")
        yield from self._entries


class _File:
    def __init__(self, file: Any, kernel: Kernel) -> None:
        self._file = file
        self._kernel = kernel

    def __enter__(self) -> _File:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.close()

    def read(self, size: int = -1) -> Any:
        self._kernel.meet("read")
        return self._file.read(size)


def _kind(name: str, args: tuple[Any, ...]) -> str:
    if name == "open" and args[1] & (os.O_CREAT | os.O_TMPFILE & ~os.O_DIRECTORY):
        return "create"
    return name


def _shortened(args: tuple[Any, ...]) -> tuple[Any, ...]:
    """The same call for one byte, or for one byte of the first piece."""
    first, second, *rest = args
    if isinstance(second, int):
        if len(args) > 3:
            return (first, second, min(rest[0], 1), *rest[1:])  # copy_file_range(2)
        return (first, min(second, 1), *rest)
    if isinstance(second, list):
        return (first, [memoryview(second[0])[:1]], *rest)
    return (first, memoryview(second)[:1], *rest)


_OS = {
    "open": "open",
    "stat": "stat",
    "fstat": "fstat",
    "statvfs": "statvfs",
    "getxattr": "getxattr",
    "setxattr": "setxattr",
    "pread": "read",
    "preadv": "read",
    "read": "read",
    "listdir": "listdir",
    "readlink": "readlink",
    "write": "write",
    "writev": "write",
    "pwrite": "write",
    "ftruncate": "truncate",
    "copy_file_range": "copy_range",
    "utime": "utime",
    "fchmod": "chmod",
    "fsync": "fsync",
    "mkdir": "mkdir",
    "link": "link",
    "rename": "rename",
    "unlink": "unlink",
    "rmdir": "rmdir",
    "dup": "dup",
}
_FCNTL = {"flock": "lock", "fcntl": "lock"}
_OURS = {"openat2": "openat2", "punch_hole": "punch", "rename_noreplace": "rename"}


@contextmanager
def installed() -> Iterator[Kernel]:
    """Stand in the way of all calls; only while armed does it make a difference."""
    kernel = Kernel()
    patched: list[tuple[Any, str, Any]] = []

    def patch(owner: Any, name: str, value: Any) -> None:
        patched.append((owner, name, owner.__dict__.get(name)))
        setattr(owner, name, value)

    for owner, names in ((os, _OS), (fcntl, _FCNTL), (syscalls, _OURS)):
        for name, kind in names.items():
            patch(owner, name, kernel.around(kind, getattr(owner, name)))
    patch(os, "close", kernel.close)
    patch(os, "scandir", kernel.scandir)
    patch(identities, "handle_of", kernel.around("handle", identities.handle_of))
    patch(XattrReader, "read", kernel.around("getxattr", XattrReader.read))
    for module in (expiring, probed, upload_state):
        patch(module, "open", kernel.open_file)
    try:
        yield kernel
    finally:
        for owner, name, value in reversed(patched):
            if value is None:
                delattr(owner, name)
            else:
                setattr(owner, name, value)
