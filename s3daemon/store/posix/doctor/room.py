"""Room, and whose it is."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator

from s3daemon.store.posix.doctor.findings import Finding, Verdict
from s3daemon.store.posix.space import free_bytes, free_inodes
from s3daemon.store.posix.trial import Trial

#: Below this part of all of it there is little left.
_LITTLE = 0.05


def space(trial: Trial) -> Iterator[Finding]:
    """Free bytes and inodes, for a user who is not root."""
    st = os.fstatvfs(trial.fd)
    free, total = free_bytes(st), st.f_blocks * st.f_frsize
    yield _left("bytes", free, total, f"{free / 2**30:,.1f} of {total / 2**30:,.1f} GiB free")
    inodes = free_inodes(st)
    if inodes is not None:
        yield _left("inodes", inodes, st.f_files, f"{inodes:,} of {st.f_files:,} free")
    else:
        means = "files are limited by space only"
        yield Finding("room", "inodes", None, "not counted", means)


def _left(what: str, free: int, total: int, found: str) -> Finding:
    little = free < total * _LITTLE
    means = "little is left" if little else "a quota may allow less"
    return Finding("room", what, free, found, means, Verdict.WARN if little else Verdict.OK)


def ownership(trial: Trial) -> Iterator[Finding]:
    """Whose the root is, and for whom new files are."""
    st = os.fstat(trial.root_fd)
    mine = st.st_uid == os.geteuid()
    mode = stat.S_IMODE(st.st_mode)
    open_to_all = bool(mode & stat.S_IWOTH)
    yield Finding(
        "owner",
        "root",
        f"{st.st_uid}:{st.st_gid} {mode:04o}",
        f"{st.st_uid}:{st.st_gid}, mode {mode:04o}, tried as {os.geteuid()}",
        "anybody on this machine may put buckets there and change .s3gate: chmod o-w"
        if open_to_all
        else "the daemon has to run as the user who tried"
        if mine
        else "it is another user's; the daemon has to run as the user who tried",
        Verdict.WARN if open_to_all else Verdict.OK,
    )
    fd = trial.disk.create(b"mine", trial.fd)
    try:
        made = os.fstat(fd)
    finally:
        os.close(fd)
        trial.disk.unlink(b"mine", trial.fd)
    mode = stat.S_IMODE(made.st_mode)
    squashed = made.st_uid != os.geteuid()
    unreadable = not mode & stat.S_IRUSR
    yield Finding(
        "owner",
        "new files",
        f"{made.st_uid}:{made.st_gid} {mode:04o}",
        f"{made.st_uid}:{made.st_gid}, mode {mode:04o}",
        "they are another user's (root_squash, or a mount with uid=)"
        if squashed
        else "the umask leaves the daemon itself no right to read them"
        if unreadable
        else "other programs see objects like that; the umask decides",
        Verdict.FAIL if unreadable else Verdict.OK,
    )
