"""The file of users, as it lies on disk.  What may stand in it: :mod:`s3daemon.auth.user_tables`.

There are secrets in it, so it is refused when anybody but its owner may use it, and when its owner
is neither root nor the daemon's own user: who can put a file of theirs in its place must not be
able to say who gets in.  Links are followed, since mounted secrets are links; what they lead to is
judged.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

from s3daemon.auth.user_tables import users
from s3daemon.auth.users import User
from s3daemon.toml_file import SettingError, decode


def load(path: Path, kept: bool = False) -> tuple[User, ...]:
    """The users in a file.  Blocks.

    :param kept: its directory keeps others out, as that of systemd's credentials does.  Those carry
        their reader in an access control list, which the mode shows as the group's right to read.
    :raises SettingError: it cannot be read, others may use it, or something is wrong in it.
    """
    return users(decode(read(path, kept), str(path)))


def read(path: Path, kept: bool = False, whosever: bool = False) -> bytes:
    """The bytes of a file with secrets.  Blocks.

    :param kept: see :func:`load`.
    :param whosever: it may belong to anybody, for root who looks after the files of others.
    :raises SettingError: it cannot be read, or others may use it.
    """
    try:
        # A pipe would keep the thread until somebody writes.
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        with open(fd, "rb") as file:
            # Asked of what was opened: the name may lead elsewhere by now.
            _judge(path, os.fstat(fd), kept, whosever)
            return file.read()
    except OSError as error:
        raise SettingError(str(path), "", f"cannot be read: {error.strerror}") from error


def _judge(path: Path, found: os.stat_result, kept: bool, whosever: bool) -> None:
    def refuse(problem: str) -> SettingError:
        return SettingError(str(path), "", problem)

    if not stat.S_ISREG(found.st_mode):
        raise refuse("is no regular file")
    mode = stat.S_IMODE(found.st_mode)
    if mode & (0o037 if kept else 0o077):
        raise refuse(
            f"others than its owner may use it (mode {mode:04o}), and there are secrets in it:"
            f" chmod 600 {path}"
        )
    if not whosever and found.st_uid not in (0, os.geteuid()):
        raise refuse(
            f"belongs to the user with number {found.st_uid}, who could let anybody in: it has to"
            f" belong to the user that runs this, or to root: chown {os.geteuid()} {path}"
        )
