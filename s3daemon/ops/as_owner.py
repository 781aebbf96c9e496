"""Changing a store as the user whose gateway serves it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from s3daemon.store.posix.names import PRIVATE_DIR


@contextmanager
def as_owner(root: Path) -> Iterator[None]:
    """While this lasts, root is that user: what root would make, the gateway could not read.

    Anybody else stays who they are.  :raises OSError: there is no such directory.
    """
    user, group = os.geteuid(), os.getegid()
    if user == 0:
        try:
            owner = os.stat(root / os.fsdecode(PRIVATE_DIR))
        except FileNotFoundError:
            owner = os.stat(root)
        os.setegid(owner.st_gid)
        os.seteuid(owner.st_uid)
    try:
        yield
    finally:
        os.seteuid(user)
        os.setegid(group)
