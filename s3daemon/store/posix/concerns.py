"""What whoever starts a gateway should know of the file system: each in a sentence."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from s3daemon.store.posix.clocks import skew_ms
from s3daemon.store.posix.doctor import mounting, stamps
from s3daemon.store.posix.doctor.findings import Verdict
from s3daemon.store.posix.durable import Disk
from s3daemon.store.posix.mounts import mount_of
from s3daemon.store.posix.names import MAX_NAME_BYTES, PRIVATE_DIR
from s3daemon.store.posix.probed import SIDECAR, Probe


def concerns(root: Path, probe: Probe) -> Iterator[str]:
    """What the probe, the mount and the clock give cause to say; takes some system calls.

    :param root: it has been probed, so that it has a ``.s3gate``.
    :raises OSError: it cannot be looked at any more.
    """
    fd = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for finding in mounting.describe(mount_of(fd)):
            if finding.verdict is not Verdict.OK:
                yield f"mount {finding.what}: {finding.found}: {finding.means}"
        yield from _of_clock(fd)
        if os.fstat(fd).st_mode & stat.S_IWOTH:
            yield "anybody on this machine may put buckets into the root: chmod o-w"
    finally:
        os.close(fd)
    yield from _of_probe(probe)


def _of_clock(root_fd: int) -> Iterator[str]:
    own = os.open(PRIVATE_DIR, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=root_fd)
    try:
        skew = skew_ms(Disk("relaxed"), own)
    finally:
        os.close(own)
    if skew is not None and abs(skew) >= stamps.SKEW:
        yield (
            f"the clock of the file system is {abs(skew) / 1000:.1f} seconds"
            f" {'ahead of' if skew > 0 else 'behind'} this machine's: synchronise them, for"
            " listings and the expiry of uploads go by both"
        )


def _of_probe(probe: Probe) -> Iterator[str]:
    if not probe.dir_sync:
        yield (
            "the file system does not sync directories: a power cut may lose objects that were"
            " acknowledged"
        )
    if probe.case_folding:
        yield "the file system folds case: keys that differ only in case are one object"
    if probe.unicode_folding:
        yield "the file system folds Unicode: keys that differ only in composition are one object"
    if probe.name_bytes < MAX_NAME_BYTES:
        yield f"names have {probe.name_bytes} bytes at most: keys with longer segments are refused"
    if probe.metadata == SIDECAR:
        yield (
            "there are no extended attributes: what S3 knows of objects is in files beneath"
            " .s3gate, which have to be copied and backed up along with them"
        )
