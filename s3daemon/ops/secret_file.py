"""Files with secrets in them: changed by one at a time, and whole or not at all."""

from __future__ import annotations

import contextlib
import fcntl
import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

#: For nobody but the owner.
MODE = 0o600


@contextlib.contextmanager
def locked(path: Path, create: bool, wait: Callable[[], None]) -> Iterator[Path]:
    """Keep the file for oneself, among all who ask here for it.  Blocks.

    The lock, flock(2), is on the file itself, so that nothing is left behind; when the file was
    replaced while we waited, it is the new one that counts.

    :param create: make an empty one where there is none.
    :param wait: is called when somebody else has it and we shall wait.
    :returns: where the file is, at the end of all links; :func:`replace` that.
    :raises OSError: it cannot be opened.
    """
    path = Path(os.path.realpath(path))
    flags = os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW | (os.O_CREAT if create else 0)
    while True:
        fd = os.open(path, flags, MODE)
        try:
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                wait()
                fcntl.flock(fd, fcntl.LOCK_EX)
            if _is_at(fd, path):
                yield path
                return
        finally:
            os.close(fd)


def _is_at(fd: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(fd), os.stat(path))
    except FileNotFoundError:
        return False


def replace(path: Path, data: bytes) -> None:
    """Put other content in place of a file, or make it: at once, durably, and for its owner alone.

    Owner and mode stay what they were; a new file is for whoever runs this.

    :raises OSError: nothing has changed.
    """
    temporary = path.with_name(f".{path.name}.new")
    temporary.unlink(missing_ok=True)
    fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, MODE)
    try:
        with open(fd, "wb") as file:
            with contextlib.suppress(FileNotFoundError):
                _take_after(fd, os.stat(path))
            file.write(data)
            file.flush()
            os.fsync(fd)
        os.rename(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def _take_after(fd: int, before: os.stat_result) -> None:
    now = os.fstat(fd)
    if (now.st_uid, now.st_gid) != (before.st_uid, before.st_gid):
        os.fchown(fd, before.st_uid, before.st_gid)
    os.fchmod(fd, stat.S_IMODE(before.st_mode) & 0o700)
