"""Objects of the memory store."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Sequence

import attrs
from zope.interface import implementer

from s3daemon.store.interfaces import (
    ALWAYS,
    Attributes,
    Checksum,
    Condition,
    IObjects,
    IReader,
    IWriter,
    ListPage,
    ListQuery,
    NoSuchBucket,
    NoSuchKey,
    ObjectInfo,
    StorageError,
)
from s3daemon.store.memory_tree import Entries, Folder, Stored, Tree, check_key
from s3daemon.store.paging import list_objects
from s3daemon.wire import checksums
from s3daemon.wire.grants import Grants


@implementer(IReader)
class MemoryReader:
    """One version of one object."""

    closes_at_once = True

    def __init__(self, info: ObjectInfo, content: bytes) -> None:
        self.info = info
        self._content = content

    def fileno(self) -> int | None:
        """See :meth:`IReader.fileno`: there is no descriptor."""
        return None

    def read(self, offset: int, size: int) -> bytes:
        """See :meth:`IReader.read`."""
        return self._content[offset : offset + size]

    def is_quiet(self) -> bool:
        """See :meth:`IReader.is_quiet`."""
        return True

    def read_at_once(self, offset: int, size: int) -> bytes:
        """See :meth:`IReader.read_at_once`."""
        return self.read(offset, size)

    def patient(self) -> IReader:
        """See :meth:`IReader.patient`."""
        return self

    def close(self) -> None:
        """See :meth:`IReader.close`."""


@implementer(IWriter)
class MemoryWriter:
    """New content for a key."""

    def __init__(
        self,
        objects: MemoryObjects,
        base: str,
        made: Folder,
        info: ObjectInfo,
        condition: Condition,
    ) -> None:
        self._objects = objects
        self._bucket = (base, made)
        self._info = info
        self._condition = condition
        self._pieces: list[bytes] = []

    def write(self, data: Sequence[bytes]) -> None:
        """See :meth:`IWriter.write`."""
        self._pieces.extend(bytes(piece) for piece in data)

    def commit(self, etag: str, checksum: Checksum | None = None) -> ObjectInfo:
        """See :meth:`IWriter.commit`."""
        content = b"".join(self._pieces)
        self._pieces = []
        info = attrs.evolve(self._info, etag=etag, checksum=checksum)
        return self._objects.publish(*self._bucket, info, content, self._condition)

    def abort(self) -> None:
        """See :meth:`IWriter.abort`."""
        self._pieces = []


@implementer(IObjects)
class MemoryObjects:
    """Objects of a :class:`s3daemon.store.memory.MemoryStore`."""

    def __init__(self, tree: Tree, lock: threading.RLock) -> None:
        self._tree = tree
        self._lock = lock

    def open(self, bucket: str, key: str) -> IReader:
        """See :meth:`IObjects.open`."""
        stored = self._find(bucket, key)
        return MemoryReader(stored.info, stored.content)

    def stat(self, bucket: str, key: str) -> ObjectInfo:
        """See :meth:`IObjects.stat`."""
        return self._find(bucket, key).info

    def create(
        self,
        bucket: str,
        key: str,
        attributes: Attributes,
        owner: str | None,
        condition: Condition = ALWAYS,
    ) -> IWriter:
        """See :meth:`IObjects.create`."""
        with self._lock:
            base = self._tree.bucket_base(bucket)
            made = self._tree.folders[base]
        check_key(key)
        info = ObjectInfo(key, 0, 0, "", attributes, owner)
        return MemoryWriter(self, base, made, info, condition)

    def publish(
        self, base: str, made: Folder, info: ObjectInfo, content: bytes, condition: Condition
    ) -> ObjectInfo:
        """Make the content the object of ``info.key``; its size and time are filled in.

        ``made`` is the bucket the writer began in: one made anew under its name is another.

        :raises NoSuchBucket: the bucket is gone.
        :raises ObjectExists, NoSuchKey, ConditionFailed: of :func:`conditions.check`.
        """
        with self._lock:
            if self._tree.folders.get(base) is not made:
                raise NoSuchBucket(base)
            self._tree.check(base, info.key, condition)
            path = base + info.key
            info = attrs.evolve(info, size=len(content), modified_ns=self._tree.clock())
            self._tree.put(path, content, info)
            return info

    def copy(
        self,
        source: IReader,
        bucket: str,
        key: str,
        attributes: Attributes,
        owner: str | None,
        condition: Condition = ALWAYS,
        checksum_algorithm: str | None = None,
    ) -> ObjectInfo:
        """See :meth:`IObjects.copy`."""
        content = source.read(0, source.info.size)
        etag = hashlib.md5(content, usedforsecurity=False).hexdigest()
        writer = self.create(bucket, key, attributes, owner, condition)
        writer.write([content])
        return writer.commit(etag, _checksum(checksum_algorithm, content))

    def set_tags(self, bucket: str, key: str, tags: tuple[tuple[str, str], ...]) -> ObjectInfo:
        """See :meth:`IObjects.set_tags`."""
        with self._lock:
            found = self._find(bucket, key)
            path = self._tree.bucket_base(bucket) + key
            info = attrs.evolve(
                found.info, attributes=attrs.evolve(found.info.attributes, tags=tags)
            )
            if info.folder:
                self._tree.folders[path].tags = tags
            else:
                self._tree.objects[path] = Stored(attrs.evolve(info, key=""), found.content)
            return info

    def set_acl(
        self, bucket: str, key: str, decide: Callable[[ObjectInfo], Grants | None]
    ) -> ObjectInfo:
        """See :meth:`IObjects.set_acl`."""
        with self._lock:
            found = self._find(bucket, key)
            if found.info.folder:
                raise NoSuchKey(key)
            path = self._tree.bucket_base(bucket) + key
            attributes = attrs.evolve(found.info.attributes, acl=decide(found.info))
            info = attrs.evolve(found.info, attributes=attributes)
            self._tree.objects[path] = Stored(attrs.evolve(info, key=""), found.content)
            return info

    def delete(
        self, bucket: str, key: str, prune: bool = True, condition: Condition = ALWAYS
    ) -> bool:
        """See :meth:`IObjects.delete`."""
        with self._lock:
            base = self._tree.bucket_base(bucket)
            check_key(key)
            self._tree.check(base, key, condition)
            return self._tree.remove(base, key, prune)

    def delete_many(
        self, bucket: str, wanted: Sequence[tuple[str, Condition]], prune: bool = True
    ) -> Sequence[StorageError | None]:
        """See :meth:`IObjects.delete_many`."""
        with self._lock:
            self._tree.bucket_base(bucket)
            return [self._error(bucket, key, prune, condition) for key, condition in wanted]

    def _error(
        self, bucket: str, key: str, prune: bool, condition: Condition
    ) -> StorageError | None:
        try:
            self.delete(bucket, key, prune, condition)
        except NoSuchBucket:
            raise
        except StorageError as error:
            return error
        return None

    def list(self, bucket: str, query: ListQuery) -> ListPage:
        """See :meth:`IObjects.list`."""
        with self._lock:
            base = self._tree.bucket_base(bucket)
            entries = Entries(self._tree.entries(base, query.folders))
            return list_objects(entries, query, lambda _, key: self._find(bucket, key).info)

    def _find(self, bucket: str, key: str) -> Stored:
        with self._lock:
            base = self._tree.bucket_base(bucket)
            check_key(key)
            stored = self._tree.find(base, key)
        if stored is None:
            raise NoSuchKey(key)
        return Stored(attrs.evolve(stored.info, key=key), stored.content)


def _checksum(algorithm: str | None, content: bytes) -> Checksum | None:
    if algorithm is None:
        return None
    hasher = checksums.hasher(algorithm)
    hasher.update(content)
    return Checksum(algorithm, checksums.encode(hasher.digest()))
