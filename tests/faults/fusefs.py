"""A file system that passes everything through to a directory, and fails as a table says.

    /usr/bin/python3 fusefs.py DIRECTORY MOUNTPOINT TABLE

It runs in the foreground as a program of its own, with fusepy (Debian: python3-fusepy), and needs
nothing of this project.  TABLE is a file of JSON that is read again when it has changed:

    {"read": {"errno": 5, "chance": 0.01}, "fsync": {"hang": true}, "*": {"delay": 0.1},
     "read_bytes": {"flip": true}}

Keys are the operations of FUSE below, or ``*``; ``chance`` is 1 where it is not given.  What hangs
goes on when the table does not say so any more.
"""

from __future__ import annotations

import errno
import json
import os
import random
import sys
import threading
import time

import fusepy

#: Seconds between two looks of a call that hangs.
PAUSE = 0.02


class Table:
    """What is to go wrong now."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._stamp = (0, 0)
        self._faults: dict = {}
        self._lock = threading.Lock()

    def of(self, operation: str) -> dict:
        """The fault of an operation; empty where there is none."""
        with self._lock:
            st = os.stat(self._path)
            if self._stamp != (st.st_mtime_ns, st.st_ino):
                with open(self._path) as file:
                    self._faults = json.load(file)
                self._stamp = (st.st_mtime_ns, st.st_ino)
            fault = self._faults.get(operation) or self._faults.get("*") or {}
        if random.random() >= fault.get("chance", 1):
            return {}
        return fault


class Through(fusepy.LoggingMixIn, fusepy.Operations):
    """Everything below a directory."""

    use_ns = True

    def __init__(self, top: str, table: Table) -> None:
        self._top = os.path.realpath(top)
        self._table = table

    def __call__(self, operation: str, path: str, *args):
        """Wait, fail, or do it."""
        fault = self._table.of(operation)
        if fault.get("delay"):
            time.sleep(fault["delay"])
        while fault.get("hang"):
            time.sleep(PAUSE)
            fault = self._table.of(operation)
        if fault.get("errno"):
            raise fusepy.FuseOSError(fault["errno"])
        method = getattr(self, operation, None)
        if method is None:
            raise fusepy.FuseOSError(errno.ENOSYS)
        try:
            return method(self._top + path, *args)
        except OSError as error:
            raise fusepy.FuseOSError(error.errno) from None

    def init(self, path: str) -> None:
        """Nothing to do."""

    destroy = init

    # -- names

    def getattr(self, path: str, fd: int | None = None) -> dict:
        st = os.lstat(path) if fd is None else os.fstat(fd)
        times = {
            "st_atime": st.st_atime_ns,
            "st_mtime": st.st_mtime_ns,
            "st_ctime": st.st_ctime_ns,
        }
        names = ("st_mode", "st_nlink", "st_uid", "st_gid", "st_size", "st_blocks", "st_ino")
        return {**times, **{name: getattr(st, name) for name in names}}

    def access(self, path: str, mode: int) -> int:
        return 0

    def readdir(self, path: str, fd: int) -> list[str]:
        return [".", "..", *os.listdir(path)]

    def readlink(self, path: str) -> str:
        return os.readlink(path)

    def mkdir(self, path: str, mode: int) -> int:
        os.mkdir(path, mode)
        return 0

    def rmdir(self, path: str) -> int:
        os.rmdir(path)
        return 0

    def unlink(self, path: str) -> int:
        os.unlink(path)
        return 0

    def rename(self, old: str, new: str) -> int:
        os.rename(old, self._top + new)
        return 0

    def link(self, target: str, source: str) -> int:
        os.link(self._top + source, target, follow_symlinks=False)
        return 0

    def chmod(self, path: str, mode: int) -> int:
        os.chmod(path, mode)
        return 0

    def chown(self, path: str, uid: int, gid: int) -> int:
        os.lchown(path, uid, gid)
        return 0

    def utimens(self, path: str, times: tuple[int, int] | None = None) -> int:
        os.utime(path, ns=times, follow_symlinks=False)
        return 0

    def statfs(self, path: str) -> dict:
        st = os.statvfs(path)
        names = (
            *("f_bavail", "f_bfree", "f_blocks", "f_bsize", "f_favail", "f_ffree", "f_files"),
            *("f_flag", "f_frsize", "f_namemax"),
        )
        return {name: getattr(st, name) for name in names}

    # -- attributes

    def getxattr(self, path: str, name: str, position: int = 0) -> bytes:
        return os.getxattr(path, name, follow_symlinks=False)

    def listxattr(self, path: str) -> list[str]:
        return os.listxattr(path, follow_symlinks=False)

    def setxattr(self, path: str, name: str, value: bytes, options: int, position: int = 0) -> int:
        os.setxattr(path, name, value, options, follow_symlinks=False)
        return 0

    def removexattr(self, path: str, name: str) -> int:
        os.removexattr(path, name, follow_symlinks=False)
        return 0

    # -- bytes

    def open(self, path: str, flags: int) -> int:
        return os.open(path, flags & ~os.O_NOFOLLOW)

    def create(self, path: str, mode: int, info=None) -> int:
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, mode)

    def read(self, path: str, size: int, offset: int, fd: int) -> bytes:
        data = os.pread(fd, size, offset)
        if data and self._table.of("read_bytes").get("flip"):
            at = random.randrange(len(data))
            data = data[:at] + bytes([data[at] ^ 1 << random.randrange(8)]) + data[at + 1 :]
        return data

    def write(self, path: str, data: bytes, offset: int, fd: int) -> int:
        return os.pwrite(fd, data, offset)

    def truncate(self, path: str, length: int, fd: int | None = None) -> int:
        os.truncate(path if fd is None else fd, length)
        return 0

    def fsync(self, path: str, datasync: int, fd: int) -> int:
        os.fsync(fd)
        return 0

    def fsyncdir(self, path: str, datasync: int, fd: int) -> int:
        directory = os.open(path, os.O_RDONLY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)
        return 0

    def flush(self, path: str, fd: int) -> int:
        return 0

    def release(self, path: str, fd: int) -> int:
        os.close(fd)
        return 0


def main() -> None:
    """See the module."""
    top, mountpoint, table = sys.argv[1:]
    fusepy.FUSE(
        Through(top, Table(table)),
        mountpoint,
        foreground=True,
        fsname="faults",
        attr_timeout=0,
        entry_timeout=0,
        negative_timeout=0,
        use_ino=True,
        big_writes=True,
    )


if __name__ == "__main__":
    main()
