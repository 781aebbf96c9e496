"""File handles: what a file system knows its entries by.

A handle stays the same for as long as the entry lives, whatever is done to its name and content,
also over restarts; and no later entry has it, even where it gets the inode number of one that is
gone.  Servers of NFS hand handles out and rely on that.  name_to_handle_at(2)

Some file systems that cannot be exported tell their entries apart all the same, since Linux 6.5
(AT_HANDLE_FID).  Whether that is as good is to be tried: see :mod:`sidecar_proof`.
"""

from __future__ import annotations

import ctypes
import errno
import os

_MAX_HANDLE = 128
_AT_EMPTY_PATH = 0x1000
_AT_HANDLE_FID = 0x200

_libc = ctypes.CDLL(None, use_errno=True)
_name_to_handle_at = ctypes.CFUNCTYPE(
    ctypes.c_int,
    ctypes.c_int,
    ctypes.c_char_p,
    ctypes.c_void_p,
    ctypes.c_void_p,
    ctypes.c_int,
    use_errno=True,
)(("name_to_handle_at", _libc))


class _Handle(ctypes.Structure):
    # struct file_handle (fcntl.h), with as many bytes as there can be: MAX_HANDLE_SZ.
    _fields_ = (
        ("size", ctypes.c_uint32),
        ("kind", ctypes.c_int32),
        ("raw", ctypes.c_ubyte * _MAX_HANDLE),
    )


def handle_of(fd: int, name: bytes = b"") -> str:
    """The handle, in hex, of an open entry, or of one that has a name in an open directory.

    Links are not followed.

    :raises OSError: EOPNOTSUPP where the file system has none.
    """
    flags = 0 if name else _AT_EMPTY_PATH
    handle = _Handle(_MAX_HANDLE)
    code = _ask(fd, name, handle, flags)
    if code == errno.EOPNOTSUPP and not _ask(fd, name, handle, flags | _AT_HANDLE_FID):
        code = 0
    if code:
        raise OSError(code, os.strerror(code), name)
    return f"{handle.kind & 0xFF:02x}{bytes(handle.raw[: handle.size]).hex()}"


def _ask(fd: int, name: bytes, handle: _Handle, flags: int) -> int:
    """The error; 0: there is a handle."""
    mount = ctypes.c_int()
    if _name_to_handle_at(fd, name, ctypes.byref(handle), ctypes.byref(mount), flags) < 0:
        return ctypes.get_errno()
    return 0
