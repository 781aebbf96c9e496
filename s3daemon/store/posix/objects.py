"""Objects on disk."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence

import attrs
from zope.interface import implementer

from s3daemon.store.interfaces import (
    ALWAYS,
    Attributes,
    Busy,
    Condition,
    IObjects,
    IReader,
    IWriter,
    ListPage,
    ListQuery,
    NoSuchKey,
    ObjectInfo,
    StorageError,
)
from s3daemon.store.posix import locks, metadata, removing
from s3daemon.store.posix.copying import copy_into, empty_checksum
from s3daemon.store.posix.descriptors import has_name
from s3daemon.store.posix.entryfacts import EntryFacts
from s3daemon.store.posix.errnos import GONE, fact, facts
from s3daemon.store.posix.factcache import FactCache
from s3daemon.store.posix.metadata import EMPTY_ETAG, Record
from s3daemon.store.posix.names import segments as split
from s3daemon.store.posix.reader import PosixReader
from s3daemon.store.posix.records import is_gone, is_lost
from s3daemon.store.posix.resolving import Found, find
from s3daemon.store.posix.settling import Settling
from s3daemon.store.posix.snapshots import DEFAULT_WINDOW_NS, Snapshots
from s3daemon.store.posix.volume import Bucket, Volume
from s3daemon.store.posix.walk import list_objects
from s3daemon.store.posix.writer import PosixWriter
from s3daemon.wire.grants import Grants

#: How often an object may be replaced between finding it and reading its record.
_TRIES = 20


@implementer(IObjects)
class PosixObjects:
    """Objects of a :class:`s3daemon.store.posix.store.PosixStore`."""

    def __init__(self, volume: Volume, recent: FactCache | None = None) -> None:
        self._volume = volume
        self._snapshots = Snapshots()
        self.recent = FactCache(DEFAULT_WINDOW_NS) if recent is None else recent

    @facts
    def open(self, bucket: str, key: str) -> IReader:
        """See :meth:`IObjects.open`."""
        with self._volume.bucket(bucket) as at:
            found, record = self._current(at, key)
        if found.is_directory:
            os.close(found.fd)
            return PosixReader(_info(key, found, record), -1)
        info = metadata.object_info(key, found.st, record)
        self.recent.put(found.st, info)
        return PosixReader(info, found.fd)

    @facts
    def stat(self, bucket: str, key: str) -> ObjectInfo:
        """See :meth:`IObjects.stat`."""
        with self._volume.bucket(bucket) as at:
            found, record = self._current(at, key)
        os.close(found.fd)
        info = _info(key, found, record)
        if not found.is_directory:
            self.recent.put(found.st, info)
        return info

    @facts
    def create(
        self,
        bucket: str,
        key: str,
        attributes: Attributes,
        owner: str | None,
        condition: Condition = ALWAYS,
    ) -> IWriter:
        """See :meth:`IObjects.create`.  The draft is opened with the first byte."""
        return self._writer(bucket, key, attributes, owner, condition)

    @facts
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
        writer = self._writer(bucket, key, attributes, owner, condition)
        try:
            if not source.info.size:
                return writer.commit(EMPTY_ETAG, empty_checksum(checksum_algorithm))
            fd = writer.draft().fd
            return writer.commit(*copy_into(self._volume.disk, source, fd, checksum_algorithm))
        finally:
            writer.abort()

    @facts
    def set_tags(self, bucket: str, key: str, tags: tuple[tuple[str, str], ...]) -> ObjectInfo:
        """See :meth:`IObjects.set_tags`."""
        return self._change(bucket, key, lambda _, old: attrs.evolve(old, tags=tags))

    @facts
    def set_acl(
        self, bucket: str, key: str, decide: Callable[[ObjectInfo], Grants | None]
    ) -> ObjectInfo:
        """See :meth:`IObjects.set_acl`."""

        def change(info: ObjectInfo, old: Record) -> Record:
            if info.folder:
                raise NoSuchKey(key)
            return attrs.evolve(old, acl=decide(info))

        return self._change(bucket, key, change)

    def _change(
        self, bucket: str, key: str, change: Callable[[ObjectInfo, Record], Record]
    ) -> ObjectInfo:
        """Replace the record of the current version, durably.

        Only the record is written; its stamp goes on saying which content it speaks of.
        """
        volume = self._volume
        with volume.bucket(bucket) as at:
            for _ in range(_TRIES):
                found, _ = self._current(at, key)
                try:
                    # A directory's record says more than this.  For a file the lock only keeps two
                    # from replacing the same spill file, so a foreign one is no reason to refuse.
                    if locks.lock(found.fd) is False and found.is_directory:
                        raise Busy("another program holds a lock on the directory")
                    if not has_name(found.fd):
                        continue
                    old = volume.metadata.load(found.fd, at.home)
                    if is_lost(old, found.fd):
                        continue
                    record = change(_info(key, found, old), attrs.evolve(old, damaged=False))
                    volume.metadata.save(at.disk, found.fd, at.home, record, old)
                    at.disk.fsync(found.fd)
                    self._forget_if_gone(at, found)
                    return _info(key, found, record)
                finally:
                    os.close(found.fd)
        raise Busy("the object was replaced again and again")

    def _forget_if_gone(self, bucket: Bucket, found: Found) -> None:
        """Who replaced a file meanwhile has not seen what its new record keeps elsewhere."""
        kept = self._volume.metadata
        if kept.keeps_apart(bucket.home) and is_gone(found.fd, stale=False):
            kept.forget(bucket.disk, bucket.home, kept.load(found.fd, bucket.home))

    @facts
    def delete(
        self, bucket: str, key: str, prune: bool = True, condition: Condition = ALWAYS
    ) -> bool:
        """See :meth:`IObjects.delete`."""
        volume = self._volume
        with volume.bucket(bucket) as at, Settling(volume, at, prune) as settling:
            found = removing.remove(volume, at, key, condition, settling)
            settling.settle()
            settling.check(0)
            return found

    @facts
    def delete_many(
        self, bucket: str, wanted: Sequence[tuple[str, Condition]], prune: bool = True
    ) -> Sequence[StorageError | None]:
        """See :meth:`IObjects.delete_many`."""
        volume = self._volume
        results: list[StorageError | None] = []
        with volume.bucket(bucket) as at, Settling(volume, at, prune) as settling:
            for number, (key, condition) in enumerate(wanted):
                try:
                    removing.remove(volume, at, key, condition, settling, number)
                    results.append(None)
                except StorageError as error:
                    results.append(error)
                except OSError as exc:
                    results.append(fact(exc))
            settling.settle()
        for number, failed in settling.failed.items():
            results[number] = results[number] or fact(failed)
        return results

    @facts
    def list(self, bucket: str, query: ListQuery) -> ListPage:
        """See :meth:`IObjects.list`."""
        with self._volume.bucket(bucket) as at:
            known = EntryFacts(self._volume.metadata, at.home)
            return list_objects(at.fd, query, self._snapshots, known)

    def _writer(
        self,
        bucket: str,
        key: str,
        attributes: Attributes,
        owner: str | None,
        condition: Condition,
    ) -> PosixWriter:
        self._volume.locks.require(condition)
        at = self._volume.bucket(bucket)
        try:
            segments = split(key)
        except BaseException:
            at.close()
            raise
        return PosixWriter(self._volume, at, key, segments, attributes, owner, condition)

    def _current(self, bucket: Bucket, key: str) -> tuple[Found, Record]:
        """The current entry of a key, open, with its record."""
        for left in reversed(range(_TRIES)):
            try:
                found = find(self._volume, bucket, key)
                record = self._record(bucket, found)
            except OSError as exc:
                if exc.errno not in GONE or not left:
                    raise
            else:
                if record is not None:
                    return found, record
            # Replaced while it was read: look again.
        raise Busy("the object was replaced again and again")

    def _record(self, bucket: Bucket, found: Found) -> Record | None:
        """The record of an entry; None, and the entry closed, if the long form of it is gone."""
        try:
            record = self._volume.metadata.load(found.fd, bucket.home)
            if not is_lost(record, found.fd):
                return record
        except BaseException:
            os.close(found.fd)
            raise
        os.close(found.fd)
        return None


def _info(key: str, found: Found, record: Record) -> ObjectInfo:
    if found.is_directory:
        return metadata.folder_info(key, found.st, record)
    return metadata.object_info(key, found.st, record)
