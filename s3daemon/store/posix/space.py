"""What statvfs(3) says of room."""

from __future__ import annotations

import os


def free_bytes(st: os.statvfs_result) -> int:
    """For a user who is not root."""
    return st.f_bavail * st.f_frsize


def free_inodes(st: os.statvfs_result) -> int | None:
    """The same; None where files are limited by space only.

    Btrfs says that there are no inodes at all, and CephFS that -1 of them are free.
    """
    return st.f_favail if 0 <= st.f_favail <= st.f_files and st.f_files else None
