"""What a finding about a file system depends on: who found it, on which kernel, by which mount."""

from __future__ import annotations

import json
import os

import s3daemon
from s3daemon.store.posix.mounts import mount_of

_BOOT = "/proc/sys/kernel/random/boot_id"


def surroundings_of(root_fd: int) -> str:
    """One line that is the same for as long as nothing has changed; "" where nobody can tell.

    It holds the version of this program, its user, the kernel and its last start, the root's
    directory, and its mount with all options.
    """
    mount = mount_of(root_fd)
    try:
        with open(_BOOT, encoding="ascii") as file:
            boot = file.read().strip()
    except OSError:
        return ""
    if mount is None:
        return ""
    st = os.fstat(root_fd)
    return json.dumps(
        [
            s3daemon.__version__,
            os.geteuid(),
            os.uname().release,
            boot,
            st.st_dev,
            st.st_ino,
            mount.number,
            mount.kind,
            mount.source,
            mount.root,
            *mount.options,
        ]
    )
