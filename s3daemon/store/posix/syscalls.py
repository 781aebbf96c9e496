"""System calls by directory descriptor and name, all bytes, with positional arguments.

Some of them, openat2(2) and renameat2(2), the standard library lacks, and one it is slow at.  All
raise OSError like the functions of :mod:`os`, with ENOSYS where the kernel or the C library
does not have them.  As in :mod:`os` (PEP 475), what a signal has interrupted is made again, but
changes of names are not: one that was made all the same would then find its own result in the way.
The interpreter lock is released meanwhile.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import stat
import struct
import threading
from functools import lru_cache

#: openat2(2): no ``..``, absolute path or symbolic link leads out of the starting directory.
RESOLVE_BENEATH = 0x08
#: openat2(2): links like those in /proc/PID/fd are not followed.
RESOLVE_NO_MAGICLINKS = 0x02
#: openat2(2): no symbolic link is followed at all.
RESOLVE_NO_SYMLINKS = 0x04
#: openat2(2): only as far as the kernel has it in memory; else EAGAIN.
RESOLVE_CACHED = 0x20

#: openat2(2) is newer than the point where all architectures took the same numbers.
_SYS_OPENAT2 = 437
_RENAME_NOREPLACE = 1

_libc = ctypes.CDLL(None, use_errno=True)
_syscall_openat2 = ctypes.CFUNCTYPE(
    ctypes.c_long,
    ctypes.c_long,
    ctypes.c_int,
    ctypes.c_char_p,
    ctypes.c_void_p,
    ctypes.c_size_t,
    use_errno=True,
)(("syscall", _libc))


_fgetxattr = ctypes.CFUNCTYPE(
    ctypes.c_ssize_t,
    ctypes.c_int,
    ctypes.c_char_p,
    ctypes.c_void_p,
    ctypes.c_size_t,
    use_errno=True,
)(("fgetxattr", _libc))


#: fallocate(2), FALLOC_FL_KEEP_SIZE and FALLOC_FL_PUNCH_HOLE.
_KEEP_SIZE = 0x01
_PUNCH_HOLE = 0x02
_fallocate = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64, use_errno=True
)(("fallocate64", _libc))


#: statx(2): AT_EMPTY_PATH, and STATX_INO with STATX_BTIME.
_EMPTY_PATH = 0x1000
_INO_AND_BTIME = 0x100 | 0x800


class _OpenHow(ctypes.Structure):
    _fields_ = (("flags", ctypes.c_uint64), ("mode", ctypes.c_uint64), ("resolve", ctypes.c_uint64))


@lru_cache(maxsize=64)
def _how(flags: int, resolve: int) -> tuple[_OpenHow, int]:
    """The argument block, which the kernel only reads, and its address."""
    how = _OpenHow(flags, 0, resolve)
    return how, ctypes.addressof(how)


def openat2(dir_fd: int, path: bytes, flags: int, resolve: int) -> int:
    """Open a path relative to a directory; the descriptor is close-on-exec.  openat2(2)."""
    _, address = _how(flags | os.O_CLOEXEC, resolve)
    while (fd := _syscall_openat2(_SYS_OPENAT2, dir_fd, path, address, 24)) < 0:
        _again_or_raise(path)
    return int(fd)


def _again_or_raise(*names: bytes) -> None:
    """What to do about a call that has failed.  :raises OSError: it was not interrupted."""
    code = ctypes.get_errno()
    if code != errno.EINTR:
        raise OSError(code, os.strerror(code), *names)


def punch_hole(fd: int, offset: int, size: int) -> None:
    """Give the blocks of a range of a file back; it reads as zeros.  fallocate(2)"""
    while _fallocate(fd, _KEEP_SIZE | _PUNCH_HOLE, offset, size) < 0:
        _again_or_raise()


class _Statx(ctypes.Structure):
    """struct statx, as far as it is read; the kernel fills 256 bytes."""

    _fields_ = (
        ("_before", ctypes.c_uint8 * 32),
        ("ino", ctypes.c_uint64),
        ("_between", ctypes.c_uint8 * 40),
        ("born_s", ctypes.c_int64),
        ("born_ns", ctypes.c_uint32),
        ("_after", ctypes.c_uint8 * 44),
        ("dev_major", ctypes.c_uint32),
        ("dev_minor", ctypes.c_uint32),
        ("_rest", ctypes.c_uint8 * 112),
    )


def identity(fd: int) -> tuple[int, int, int]:
    """Device, inode, and when it was made, of an open file: so that one that has got the inode of
    another is told from it.  statx(2)

    The time is 0 where the file system does not keep it.
    """
    try:
        call = _libc.statx
    except AttributeError:
        status = os.fstat(fd)
        return status.st_dev, status.st_ino, 0
    found = _Statx()
    if call(fd, b"", _EMPTY_PATH, _INO_AND_BTIME, ctypes.byref(found)) < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    device = os.makedev(found.dev_major, found.dev_minor)
    return device, found.ino, found.born_s * 10**9 + found.born_ns


class XattrReader(threading.local):
    """Reads extended attributes; made once and used from any thread.

    :func:`os.getxattr` tries with 128 bytes and then with 64 KiB; this one has a buffer for each
    thread that nearly every value fits.
    """

    def __init__(self, size: int = 4096) -> None:
        self._size = size
        self._buffer = ctypes.create_string_buffer(size)
        self._address = ctypes.addressof(self._buffer)

    def read(self, fd: int, name: bytes) -> bytes:
        """The value of an attribute of an open file.  fgetxattr(2)"""
        while (size := _fgetxattr(fd, name, self._address, self._size)) < 0:
            if ctypes.get_errno() == errno.ERANGE:
                return os.getxattr(fd, name)
            _again_or_raise()
        return ctypes.string_at(self._address, size)


def stamp_changed(fd: int) -> None:
    """Set the time of the last change of status (ctime), and nothing else.  fchmod(2)"""
    os.fchmod(fd, stat.S_IMODE(os.fstat(fd).st_mode))


def rename_noreplace(source: bytes, source_dir: int, target: bytes, target_dir: int) -> None:
    """Rename, and fail with EEXIST where the new name is taken.  renameat2(2), RENAME_NOREPLACE."""
    try:
        call = _libc.renameat2
    except AttributeError:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS)) from None
    if call(source_dir, source, target_dir, target, ctypes.c_uint(_RENAME_NOREPLACE)) < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code), target)


def open_at(name: bytes, flags: int, dir_fd: int) -> int:
    """Open a name in a directory; the descriptor is close-on-exec.  openat(2)"""
    return os.open(name, flags | os.O_CLOEXEC | os.O_NOCTTY, 0o666, dir_fd=dir_fd)


def flush(fd: int) -> None:
    """Make the file system take what was written, as closing a file does on NFS and FUSE."""
    os.close(os.dup(fd))


def syncfs(fd: int) -> None:
    """Write back all of the file system that holds an open file.  syncfs(2)"""
    while _libc.syncfs(fd) < 0:
        _again_or_raise()


def set_mtime(fd: int, modified_ns: int) -> None:
    """Set the times of modification and access.  futimens(3)"""
    os.utime(fd, ns=(modified_ns, modified_ns))


def link_fd(fd: int, name: bytes, dir_fd: int) -> None:
    """Give an open file a name.  linkat(2), AT_SYMLINK_FOLLOW through /proc."""
    # Python follows the link in /proc only when it is given a source directory as well.
    os.link(
        b"/proc/self/fd/%d" % fd, name, src_dir_fd=dir_fd, dst_dir_fd=dir_fd, follow_symlinks=True
    )


def link(name: bytes, dir_fd: int, new: bytes, new_dir_fd: int) -> None:
    """Give a file a further name.  linkat(2)"""
    os.link(name, new, src_dir_fd=dir_fd, dst_dir_fd=new_dir_fd, follow_symlinks=False)


def rename(name: bytes, dir_fd: int, new: bytes, new_dir_fd: int) -> None:
    """Rename, in place of what has the new name.  renameat(2)"""
    os.rename(name, new, src_dir_fd=dir_fd, dst_dir_fd=new_dir_fd)


def unlink(name: bytes, dir_fd: int) -> None:
    """Remove a name of a file.  unlinkat(2)"""
    os.unlink(name, dir_fd=dir_fd)


def mkdir(name: bytes, dir_fd: int) -> None:
    """Make a directory.  mkdirat(2)"""
    os.mkdir(name, 0o777, dir_fd=dir_fd)


def rmdir(name: bytes, dir_fd: int) -> None:
    """Remove an empty directory.  unlinkat(2), AT_REMOVEDIR"""
    os.rmdir(name, dir_fd=dir_fd)


def file_system_type(fd: int) -> int:
    """The number of the kind of file system that an open file or directory lies on.  fstatfs(2)"""
    buffer = (ctypes.c_long * 64)()  # struct statfs begins with f_type, of this width
    while _libc.fstatfs(fd, buffer) < 0:
        _again_or_raise()
    return int(buffer[0]) & 0xFFFFFFFF


#: ioctl(2) FS_IOC_FIEMAP, and flags of linux/fiemap.h.
_FS_IOC_FIEMAP = 0xC020660B
_FIEMAP = struct.Struct("=QQLLLL")
_FIEMAP_EXTENT = struct.Struct("=QQQQQLLLL")
_SHARED = 0x2000
_EXTENTS = 32


def shares_blocks(fd: int) -> bool:
    """Whether a file shares blocks with another one, as far as the file system says so.

    ioctl_fiemap(2); only the first extents are looked at.
    """
    block = bytearray(_FIEMAP.pack(0, 2**64 - 1, 0, 0, _EXTENTS, 0))
    block += bytes(_FIEMAP_EXTENT.size * _EXTENTS)
    try:
        fcntl.ioctl(fd, _FS_IOC_FIEMAP, block)
    except OSError:
        return False
    mapped = min(_FIEMAP.unpack_from(block)[3], _EXTENTS)
    extents = _FIEMAP_EXTENT.iter_unpack(bytes(block[_FIEMAP.size :]))
    return any(flags & _SHARED for *_, flags, _, _, _ in list(extents)[:mapped])
