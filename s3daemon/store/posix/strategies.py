"""How the store does its work on a root: which way of several, by what the probe has found."""

from __future__ import annotations

import attrs

from s3daemon.store.posix.probed import SIDECAR, STAMPED, XATTR, Probe

_SIDECARS = {
    SIDECAR: "sidecar files, by handles",
    STAMPED: "sidecar files, by sizes and times",
}


@attrs.frozen
class Strategy:
    """One choice.

    :ivar purpose: what for.
    :ivar chosen: the way that is taken.
    :ivar best: it is the best one of those there are.
    """

    purpose: str
    chosen: str
    best: bool


def strategies(probe: Probe, local: bool) -> tuple[Strategy, ...]:
    """All choices.

    :param local: only this kernel changes the file system.
    """
    return (
        Strategy(
            "records",
            _SIDECARS.get(
                probe.metadata,
                "extended attributes, long ones in spill files"
                if probe.spills
                else "extended attributes",
            ),
            probe.metadata == XATTR,
        ),
        Strategy(
            "new objects",
            "unnamed files (O_TMPFILE)" if probe.tmpfile else "named files in .s3gate/staging",
            probe.tmpfile,
        ),
        Strategy("create-only writes", *_create(probe)),
        Strategy(
            "conditional writes",
            f"a lock for each key ({probe.locks})" if probe.locks else "refused: no lock holds",
            bool(probe.locks),
        ),
        Strategy(
            "staying in a bucket",
            "the kernel (openat2)" if probe.openat2 else "directory by directory",
            probe.openat2,
        ),
        Strategy(
            "copies",
            "the kernel (copy_file_range)" if probe.copy_range else "reading and writing",
            probe.copy_range,
        ),
        Strategy(
            "names on the device",
            "fsync of directories" if probe.dir_sync else "left to the file system",
            probe.dir_sync,
        ),
        Strategy(
            "small reads",
            "at once, when in memory" if local and probe.openat2 else "on a thread",
            local and probe.openat2,
        ),
        Strategy(
            "large directories",
            "followed (inotify)" if local else "read anew when they have changed",
            local,
        ),
    )


def _create(probe: Probe) -> tuple[str, bool]:
    if probe.tmpfile:
        return "linkat through /proc", True
    if probe.noreplace:
        return "renameat2, RENAME_NOREPLACE", True
    return "linkat", True
