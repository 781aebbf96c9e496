"""The store on disk."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import attrs
from zope.interface import implementer

from s3daemon.store.health import Fact
from s3daemon.store.interfaces import IAtOnce, IBuckets, IObjects, IStore, IUploads, Unavailable
from s3daemon.store.levels import Durability
from s3daemon.store.posix import private
from s3daemon.store.posix.at_once import AtOnce
from s3daemon.store.posix.buckets import PosixBuckets
from s3daemon.store.posix.durable import Disk, Hook
from s3daemon.store.posix.electing import Election
from s3daemon.store.posix.errnos import facts
from s3daemon.store.posix.known import known as find_out
from s3daemon.store.posix.mounts import mount_of
from s3daemon.store.posix.objects import PosixObjects
from s3daemon.store.posix.probed import Probe
from s3daemon.store.posix.strategies import strategies
from s3daemon.store.posix.uploads import PosixUploads
from s3daemon.store.posix.volume import Volume
from s3daemon.store.posix.watches import is_local


@implementer(IStore)
class PosixStore:
    """Buckets, objects and uploads as plain directories and files beneath a root.

    Any number of stores, in any number of processes and on any number of nodes, may serve one root.

    :param root: an existing directory.
    :param durability: the level of buckets that have none of their own.
    :param known: what the file system can do, where it has been tried already.
    :param locks: use the locks that were proved; not where other nodes serve the root and the file
        system does not carry locks between them, which cannot be seen from one.
    :param hooks: stand around every change of the disk; see :class:`Hook`.
    :raises ProbeError: the root cannot hold a store.
    :raises OSError: the root cannot be opened.

    :ivar buckets: :class:`IBuckets`.
    :ivar objects: :class:`IObjects`.
    :ivar uploads: :class:`IUploads`.
    :ivar at_once: what needs no waiting, on file systems that can tell; else None.
    :ivar probe: what the file system can do.
    :ivar disk: the gate for changes; counts what failed to reach the device.
    """

    def __init__(
        self,
        root: Path,
        durability: Durability = "strict",
        known: Probe | None = None,
        hooks: Sequence[Hook] = (),
        locks: bool = True,
    ) -> None:
        self.probe = find_out(root) if known is None else known
        if not locks:
            self.probe = attrs.evolve(self.probe, locks="")
        self.disk = Disk(durability, hooks)
        self._volume = Volume(root, self.disk, self.probe)
        buckets, objects = PosixBuckets(self._volume), PosixObjects(self._volume)
        self.buckets: IBuckets = buckets
        self.objects: IObjects = objects
        self.uploads: IUploads = PosixUploads(self._volume)
        self._election = Election(self._volume)
        self.at_once: IAtOnce | None = None
        if self.probe.openat2 and is_local(self._volume.fd):
            self.at_once = AtOnce(self._volume, buckets, objects)

    def may_sweep(self) -> bool:
        """See :meth:`IStore.may_sweep`."""
        return self._election.won()

    def about(self) -> Mapping[str, Mapping[str, Fact]]:
        """What the file system can do, and the ways that were chosen; for :attr:`Health.facts`."""
        local = is_local(self._volume.fd)
        mount = mount_of(self._volume.fd)
        return {
            "file_system": {
                "type": None if mount is None else mount.kind,
                **attrs.asdict(self.probe),
            },
            "chosen": {one.purpose: one.chosen for one in strategies(self.probe, local)},
        }

    @facts
    def try_sync(self) -> None:
        """Write something, bring it onto the device, as an acknowledged object would be, and read
        it again.

        :raises StorageError: that failed.
        """
        disk, root_fd = self.disk, self._volume.fd
        name = private.STAGING + b"/" + private.unique()
        try:
            fd = disk.create(name, root_fd)
        except FileNotFoundError:
            private.make(disk, root_fd, private.STAGING)
            fd = disk.create(name, root_fd)
        try:
            disk.write(fd, [b"x"])
            disk.settle(fd)
            private.sync(disk, root_fd, private.STAGING)
            if os.pread(fd, 2, 0) != b"x":
                raise Unavailable("what was written a moment ago reads as something else")
        finally:
            os.close(fd)
            disk.unlink(name, root_fd)

    def close(self) -> None:
        """See :meth:`IStore.close`."""
        self._election.resign()
        self._volume.close()
