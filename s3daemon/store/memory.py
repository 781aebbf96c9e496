"""The verified double of a store: everything in memory, every promise but durability.

It is the model that the store on disk is compared with, and the store that the tests of the rooms
above run on.  It judges nothing by file names, so it never needs an escape.  One lock is held
around every call: what the interfaces promise about concurrency holds trivially.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence

import attrs
from zope.interface import implementer

from s3daemon.store.interfaces import (
    BadBucketName,
    BucketExists,
    BucketInfo,
    BucketNotEmpty,
    IAtOnce,
    IBuckets,
    IObjects,
    IStore,
    IUploads,
    NoSuchBucket,
)
from s3daemon.store.levels import Durability
from s3daemon.store.memory_objects import MemoryObjects
from s3daemon.store.memory_tree import Folder, Tree, base_of, parent_of
from s3daemon.store.memory_uploads import MemoryUploads
from s3daemon.wire.grants import Grants


@implementer(IBuckets)
class MemoryBuckets:
    """Buckets of a :class:`MemoryStore`."""

    def __init__(self, tree: Tree, lock: threading.RLock) -> None:
        self._tree = tree
        self._lock = lock

    def list(self) -> Sequence[BucketInfo]:
        """See :meth:`IBuckets.list`."""
        with self._lock:
            names = sorted(
                path[:-1]
                for path in self._tree.folders
                if path.count("/") == 1 and not path.startswith(".")
            )
            return [self._info(name, name + "/") for name in names]

    def get(self, name: str) -> BucketInfo:
        """See :meth:`IBuckets.get`."""
        with self._lock:
            return self._info(name, self._tree.bucket_base(name))

    def create(self, name: str, owner: str | None, ownership: str | None = None) -> BucketInfo:
        """See :meth:`IBuckets.create`."""
        base = base_of(name)
        with self._lock:
            parent = parent_of(base)
            if parent and parent not in self._tree.folders:
                raise NoSuchBucket(parent)
            if base in self._tree.folders:
                raise BucketExists(name)
            if base[:-1] in self._tree.objects:
                raise BadBucketName(f"{name} is an object")
            made_ns = self._tree.clock()
            info = BucketInfo(name, owner, made_ns, ownership=ownership)
            self._tree.folders[base] = Folder(made_ns, bucket=info)
            return info

    def delete(self, name: str) -> None:
        """See :meth:`IBuckets.delete`."""
        with self._lock:
            tree = self._tree
            base = tree.bucket_base(name)
            if any(path.startswith(base) for path in tree.objects):
                raise BucketNotEmpty(name)
            for path in [path for path in tree.folders if path.startswith(base)]:
                del tree.folders[path]
            for upload_id in [i for i, u in tree.uploads.items() if u.base.startswith(base)]:
                del tree.uploads[upload_id]

    def set_tags(self, name: str, tags: tuple[tuple[str, str], ...] | None) -> None:
        """See :meth:`IBuckets.set_tags`."""
        with self._lock:
            base = self._tree.bucket_base(name)
            self._tree.folders[base].bucket = attrs.evolve(self._info(name, base), tags=tags)

    def set_acl(self, name: str, decide: Callable[[BucketInfo], Grants | None]) -> None:
        """See :meth:`IBuckets.set_acl`."""
        with self._lock:
            base = self._tree.bucket_base(name)
            info = self._info(name, base)
            self._tree.folders[base].bucket = attrs.evolve(info, acl=decide(info))

    def set_durability(self, name: str, level: Durability | None) -> None:
        """See :meth:`IBuckets.set_durability`; here it is remembered, and changes nothing."""
        if ":" in name:
            raise BadBucketName("a bucket that lies in another one has the level of that one")
        with self._lock:
            base = self._tree.bucket_base(name)
            info = self._info(name, base)
            self._tree.folders[base].bucket = attrs.evolve(info, durability=level)

    def _info(self, name: str, base: str) -> BucketInfo:
        folder = self._tree.folders[base]
        if folder.bucket is None:
            return BucketInfo(name, None, folder.made_ns)
        return attrs.evolve(folder.bucket, name=name)


@implementer(IStore)
class MemoryStore:
    """A whole store that is gone with the process.

    :ivar buckets: :class:`IBuckets`.
    :ivar objects: :class:`IObjects`.
    :ivar uploads: :class:`IUploads`.
    """

    def __init__(self, clock: Callable[[], int] = time.time_ns) -> None:
        tree = Tree(clock)
        lock = threading.RLock()
        self.buckets: IBuckets = MemoryBuckets(tree, lock)
        self.objects: IObjects = MemoryObjects(tree, lock)
        self.at_once: IAtOnce | None = None
        self.uploads: IUploads = MemoryUploads(tree, lock)

    def may_sweep(self) -> bool:
        """See :meth:`IStore.may_sweep`; there is no other store."""
        return True

    def close(self) -> None:
        """See :meth:`IStore.close`; there is nothing to let go of."""
