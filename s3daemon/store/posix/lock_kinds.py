"""Locks that a kernel keeps between processes, and a program that takes them for the probe.

Both kinds belong to the open file, not to the process: threads that open the file on their own
exclude each other, and the kernel lets go when the descriptor is closed or its process ends,
however that comes about.

``ofd``
    Open file description locks, fcntl(2), on one byte of a file.  NFS, CephFS, Lustre (with
    ``-o flock``), GPFS and JuiceFS carry them between nodes.
``flock``
    flock(2), on a whole file.

This module needs the standard library only: the probe runs it as a program of its own.
"""

from __future__ import annotations

import errno
import fcntl
import os
import struct
import sys

OFD = "ofd"
FLOCK = "flock"

#: All kinds, the one that is used where both hold first.
KINDS = (OFD, FLOCK)

#: fcntl(2); the module fcntl has no name for it on every C library.
_F_OFD_SETLK = 37
#: struct flock: type, whence, start, length, and a process id that has to be 0.
_STRUCT_FLOCK = struct.Struct("hhqqi4x")
_HELD_ELSEWHERE = frozenset((errno.EAGAIN, errno.EACCES))


def take(kind: str, fd: int, exclusive: bool, offset: int = 0) -> bool:
    """Lock an open file, or with kind ``ofd`` one byte of it, without waiting.

    :param fd: open for reading and writing.
    :return: False where somebody else holds a lock that excludes this one.
    :raises OSError: there are no such locks here.
    """
    try:
        if kind == FLOCK:
            fcntl.flock(fd, (fcntl.LOCK_EX if exclusive else fcntl.LOCK_SH) | fcntl.LOCK_NB)
        else:
            how = fcntl.F_WRLCK if exclusive else fcntl.F_RDLCK
            fcntl.fcntl(fd, _F_OFD_SETLK, _STRUCT_FLOCK.pack(how, os.SEEK_SET, offset, 1, 0))
    except OSError as exc:
        if exc.errno in _HELD_ELSEWHERE:
            return False
        raise
    return True


def main() -> None:
    """Answer a line for each line: ``exclusive`` or ``shared`` takes the lock of a file.

    Arguments: the path of the file, and the kind.  The lock is held until the next line, or the
    end.  The answers are ``taken``, ``held`` and ``none``; before them all, ``ready``.
    """
    path, kind = sys.argv[1:]
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    fd = -1
    for line in sys.stdin:
        if fd >= 0:
            os.close(fd)
        fd = os.open(path, os.O_RDWR)
        try:
            answer = "taken" if take(kind, fd, line.strip() == "exclusive") else "held"
        except OSError:
            answer = "none"
        sys.stdout.write(answer + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
