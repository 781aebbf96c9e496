"""The gateway's own directory in every top-level bucket and beneath the root, ``.s3gate``.

Buckets that lie in a bucket (``a:b``) use that of the top-level one, so that a directory that
objects have come and gone in holds nothing of ours and can be removed.

Paths here are relative to the descriptor of the directory that holds ``.s3gate`` (the *home*).
"""

from __future__ import annotations

import errno
import os
import re
import secrets
from contextlib import suppress

from s3daemon.store.posix.durable import Disk
from s3daemon.store.posix.names import PRIVATE_DIR

#: Files that are not published yet, where they must have a name.
STAGING = PRIVATE_DIR + b"/staging"
#: Records that are too long for an extended attribute.
SPILL = PRIVATE_DIR + b"/spill"
#: Records of entries whose file system keeps no extended attributes.
RECORDS = PRIVATE_DIR + b"/records"
STAMPED = PRIVATE_DIR + b"/stamped"
#: What is being removed.
TRASH = PRIVATE_DIR + b"/trash"

#: Beneath the root: what a gateway makes when it tries the file system, and removes right away.
TRIALS = re.compile(rb"(probe-|probe\.|sync-)[0-9a-f]+")

_OPEN_DIR = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC | os.O_NOFOLLOW


def unique() -> bytes:
    """A name that nobody else has, in whatever process or on whatever node."""
    return secrets.token_hex(16).encode()


def make(disk: Disk, home: int, path: bytes) -> None:
    """Make one of the directories above, durably.

    :raises FileNotFoundError: the home itself is gone.
    """
    for directory in (PRIVATE_DIR, path):
        try:
            disk.mkdir(directory, home)
        except FileExistsError:
            continue
    sync(disk, home, PRIVATE_DIR)
    disk.fsync(home)


def try_rmdir(disk: Disk, name: bytes, dir_fd: int) -> bool:
    """Remove a directory if it is empty; whether it was."""
    try:
        disk.rmdir(name, dir_fd)
    except OSError:
        return False
    return True


def rmdir_if_empty(disk: Disk, name: bytes, dir_fd: int) -> bool:
    """The same.  :raises OSError: that it is not empty, or not there, is not the reason."""
    try:
        disk.rmdir(name, dir_fd)
    except FileNotFoundError:
        return False
    except OSError as exc:
        if exc.errno not in (errno.ENOTEMPTY, errno.EEXIST):
            raise
        return False
    return True


def remove_tree(disk: Disk, name: bytes, dir_fd: int) -> None:
    """Remove a file, or a directory with everything in it; no link is followed.

    What others remove or have removed meanwhile is no error.
    """
    try:
        fd = os.open(name, _OPEN_DIR, dir_fd=dir_fd)
    except FileNotFoundError:
        return
    except OSError as exc:
        if exc.errno not in (errno.ENOTDIR, errno.ELOOP):
            raise
        with suppress(FileNotFoundError):
            disk.unlink(name, dir_fd)
        return
    try:
        for entry in os.listdir(fd):
            remove_tree(disk, os.fsencode(entry), fd)
    finally:
        os.close(fd)
    with suppress(FileNotFoundError):
        disk.rmdir(name, dir_fd)


def move_back(disk: Disk, name: bytes, dir_fd: int, new: bytes, new_dir_fd: int) -> None:
    """Move a directory to a name where by now another one may be, and then into that."""
    try:
        disk.rename(name, dir_fd, new, new_dir_fd)
        return
    except OSError as exc:
        if exc.errno not in (errno.ENOTEMPTY, errno.EEXIST):
            raise
    fd = os.open(name, _OPEN_DIR, dir_fd=dir_fd)
    try:
        into = os.open(new, _OPEN_DIR, dir_fd=new_dir_fd)
        try:
            for entry in os.listdir(fd):
                move_back(disk, os.fsencode(entry), fd, os.fsencode(entry), into)
            disk.fsync(into)
        finally:
            os.close(into)
    finally:
        os.close(fd)
    disk.rmdir(name, dir_fd)


def sync(disk: Disk, home: int, path: bytes) -> None:
    """Make what was done in a directory durable, as something else is going to rely on it."""
    if disk.durability == "relaxed":
        return
    fd = os.open(path, _OPEN_DIR, dir_fd=home)
    try:
        disk.fsync(fd)
    finally:
        os.close(fd)


def sync_names(disk: Disk, home: int, path: bytes) -> None:
    """Make what was done in a directory durable, for an answer; see :meth:`Disk.sync_names`."""
    if not disk.syncs_names:
        return
    fd = os.open(path, _OPEN_DIR, dir_fd=home)
    try:
        disk.sync_names(fd)
    finally:
        os.close(fd)
