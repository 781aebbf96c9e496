"""Which store of records a root has.

A root that had no extended attributes when it was first used has sidecars.  It may gain attributes
later: it is mounted with other options, or the kernel is another.  From then on records are written
into attributes, and those that are only in sidecars are read from there until they are written
again.  So where there are both, the attribute is the newer one, and counts.  The other way round a
root is refused, for its records would be out of sight: see :mod:`probe`.
"""

from __future__ import annotations

import os

from s3daemon.store.posix import metadata
from s3daemon.store.posix.durable import Disk
from s3daemon.store.posix.identities import HANDLES, KINDS, STAMPS
from s3daemon.store.posix.metadata import Record
from s3daemon.store.posix.probed import SIDECAR, STAMPED, Probe
from s3daemon.store.posix.records import MetadataStore, XattrMetadata
from s3daemon.store.posix.sidecars import SidecarMetadata


def store_of(disk: Disk, root: int, probe: Probe) -> MetadataStore:
    """The store of records of a root, whose descriptor stays the caller's."""
    if probe.metadata in (SIDECAR, STAMPED):
        sidecars = SidecarMetadata(root, STAMPS if probe.metadata == STAMPED else HANDLES)
        sidecars.prepare(disk)
        return sidecars
    attributes = XattrMetadata(probe.xattr_bytes)
    for kind in KINDS:
        if _exists(kind.directory, root):
            return BothMetadata(attributes, SidecarMetadata(root, kind))
    return attributes


def _exists(path: bytes, root: int) -> bool:
    try:
        os.stat(path, dir_fd=root)
    except FileNotFoundError:
        return False
    return True


class BothMetadata:
    """Records in attributes, and those that are in sidecars still."""

    def __init__(self, attributes: XattrMetadata, sidecars: SidecarMetadata) -> None:
        self._attributes = attributes
        self._sidecars = sidecars

    def load(self, fd: int, home: int) -> Record:
        """See :meth:`MetadataStore.load`."""
        record = self._attributes.load(fd, home)
        return self._sidecars.load(fd, home) if record is metadata.EMPTY else record

    def save(
        self, disk: Disk, fd: int, home: int, record: Record, old: Record = metadata.EMPTY
    ) -> None:
        """See :meth:`MetadataStore.save`."""
        # With an old record that is elsewhere, the attribute is on the device afterwards.
        self._attributes.save(disk, fd, home, record, old)
        self._sidecars.forget(disk, home, old)

    def forget(self, disk: Disk, home: int, record: Record) -> None:
        """See :meth:`MetadataStore.forget`."""
        self._attributes.forget(disk, home, record)
        self._sidecars.forget(disk, home, record)

    moves_along = True

    def mark(self, disk: Disk, fd: int, home: int) -> None:
        """See :meth:`MetadataStore.mark`."""

    def keeps_apart(self, home: int) -> bool:
        """See :meth:`MetadataStore.keeps_apart`."""
        return True
