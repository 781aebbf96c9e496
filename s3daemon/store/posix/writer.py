"""Writing: a draft that grows unseen and is published whole."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from contextlib import suppress

from zope.interface import implementer

from s3daemon.store.interfaces import (
    Attributes,
    Busy,
    Checksum,
    Condition,
    IWriter,
    NoSuchBucket,
    ObjectExists,
    ObjectInfo,
    Unavailable,
)
from s3daemon.store.posix import directories, locks, metadata, pruning, resolving, ways
from s3daemon.store.posix.drafts import Draft, is_file, open_draft, unlink_object
from s3daemon.store.posix.errnos import facts
from s3daemon.store.posix.key_locks import Held
from s3daemon.store.posix.metadata import Record
from s3daemon.store.posix.names import file_name
from s3daemon.store.posix.paths import Place
from s3daemon.store.posix.publishing import TRIES, hashed_name, publish
from s3daemon.store.posix.swapping import judge
from s3daemon.store.posix.volume import Bucket, Volume

_CONTENT_OF_FOLDER = file_name(b"")


@implementer(IWriter)
class PosixWriter:
    """New content for a key.  It owns the bucket it is given."""

    def __init__(
        self,
        volume: Volume,
        bucket: Bucket,
        key: str,
        segments: Place,
        attributes: Attributes,
        owner: str | None,
        condition: Condition,
    ) -> None:
        self._volume = volume
        self._bucket = bucket
        self._key = key
        self._segments = segments
        self._attributes = attributes
        self._owner = owner
        self._condition = condition
        self._draft: Draft | None = None
        self._done = False

    @facts
    def write(self, data: Sequence[bytes]) -> None:
        """See :meth:`IWriter.write`."""
        if not any(map(len, data)):
            return
        try:
            self._volume.disk.write(self.draft().fd, data)
        except OSError:
            self.abort()
            raise

    def draft(self) -> Draft:
        """The file under way.  :raises Unavailable: it was committed, aborted, or has failed."""
        if self._done:
            raise Unavailable("the writer is closed")
        if self._draft is None:
            self._draft = open_draft(self._volume, self._bucket)
        return self._draft

    @facts
    def commit(self, etag: str, checksum: Checksum | None = None) -> ObjectInfo:
        """See :meth:`IWriter.commit`."""
        try:
            if self._draft is None and not self._done and resolving.is_folder_key(self._segments):
                info = put_folder(
                    self._volume,
                    self._bucket,
                    self._key,
                    self._segments[:-1],
                    lambda: Record(
                        etag=etag,
                        checksums=metadata.checksums(checksum),
                        system=self._attributes.system,
                        metadata=self._attributes.metadata,
                        tags=self._attributes.tags,
                        acl=self._attributes.acl,
                        owner=self._owner,
                        put_ns=time.time_ns(),
                    ),
                    self._condition,
                )
                if info is not None:
                    return info
            return self._commit_file(etag, checksum)
        finally:
            self.abort()

    def abort(self) -> None:
        """See :meth:`IWriter.abort`."""
        self._done = True
        draft, self._draft = self._draft, None
        if draft is not None:
            draft.discard(self._volume.disk)
        self._bucket.close()

    def _commit_file(self, etag: str, checksum: Checksum | None) -> ObjectInfo:
        draft = self.draft()
        name = hashed_name(self._segments)

        def record_of(st: os.stat_result) -> Record:
            return metadata.object_record(
                st, etag, self._attributes, self._owner, name=name, checksum=checksum
            )

        st, record = publish_with(
            self._volume, self._bucket, self._segments, draft, record_of, self._condition
        )
        return metadata.object_info(self._key, st, record)


def publish_with(
    volume: Volume,
    bucket: Bucket,
    segments: Place,
    draft: Draft,
    record_of: Callable[[os.stat_result], Record],
    condition: Condition,
) -> tuple[os.stat_result, Record]:
    """Give a written draft its record, sync and publish it: the whole recipe; what it is then.

    :raises ObjectExists, NoSuchKey, ConditionFailed, NoSuchBucket, Busy: see :func:`publish`.
    :raises OSError:
    """
    try:
        sealed = seal(volume, bucket, draft, record_of)
        publish(volume, bucket, segments, draft, condition)
        return sealed
    except OSError as exc:
        raise volume.why(bucket, exc) from exc
    finally:
        if not draft.published and volume.metadata.keeps_apart(bucket.home):
            with suppress(OSError):  # at worst a small file stays
                volume.metadata.forget(
                    volume.disk, bucket.home, volume.metadata.load(draft.fd, bucket.home)
                )


def seal(
    volume: Volume, bucket: Bucket, draft: Draft, record_of: Callable[[os.stat_result], Record]
) -> tuple[os.stat_result, Record]:
    """Give a written draft its record and make both durable; what they are.

    Where the bytes reach the file system only now (NFS, FUSE) its times may change once more: then
    the stamp is taken again, as else the object would pass for changed outside S3.

    :raises Busy: somebody goes on changing the file.
    """
    old = metadata.EMPTY
    volume.metadata.mark(bucket.disk, draft.fd, bucket.home)
    for _ in range(4):
        st = os.fstat(draft.fd)
        record = record_of(st)
        volume.metadata.save(bucket.disk, draft.fd, bucket.home, record, old)
        bucket.disk.settle(draft.fd)
        if metadata.stamp(os.fstat(draft.fd)) == record.stamp:
            return st, record
        old = volume.metadata.load(draft.fd, bucket.home)
    raise Busy("the file is being changed while it is written")


def put_folder(
    volume: Volume,
    bucket: Bucket,
    key: str,
    segments: Place,
    record_of: Callable[[], Record],
    condition: Condition,
) -> ObjectInfo | None:
    """Make a directory an object without bytes, durably.

    The record goes first, the file that may have held bytes goes second; as that file wins for
    readers, they see the old or the new object and nothing else.

    :param segments: those of the directory.
    :return: the object, or None where the directory cannot be locked: then a file in it has to do.
    :raises ObjectExists, NoSuchKey, ConditionFailed, NoSuchBucket, Busy:
    """
    with _key_lock(volume, bucket, (*segments, b""), condition):
        return _put_folder(volume, bucket, key, segments, record_of, condition)


def _key_lock(volume: Volume, bucket: Bucket, segments: Place, condition: Condition) -> Held:
    if condition.compares:
        return volume.locks.exclusive(bucket.place, segments)
    return volume.locks.shared(bucket.place, segments)


def _put_folder(
    volume: Volume,
    bucket: Bucket,
    key: str,
    segments: Place,
    record_of: Callable[[], Record],
    condition: Condition,
) -> ObjectInfo | None:
    for _ in range(TRIES):
        try:
            directory = directories.make(volume, bucket, segments)
        except FileNotFoundError:
            if not volume.is_current(bucket):
                raise NoSuchBucket(bucket.name) from None
            continue
        written = False
        try:
            if not locks.lock(directory.fd):
                return None
            if not directories.is_linked(bucket, directory):
                continue  # pruned before it was locked
            if condition.compares:
                judge(volume, bucket, (*segments, b""), condition)
            info = _write_folder(
                volume, bucket, key, directory.fd, record_of(), condition.create_only
            )
            written = True
            ways.sync(volume, bucket, directory)
            return info
        finally:
            directory.close()
            if not written:
                pruning.unmake(volume, bucket, directory.made)
    if not volume.is_current(bucket):
        raise NoSuchBucket(bucket.name)
    raise Busy("the directory was removed again and again")


def _write_folder(
    volume: Volume, bucket: Bucket, key: str, fd: int, record: Record, create_only: bool
) -> ObjectInfo:
    old = volume.metadata.load(fd, bucket.home)
    has_file = is_file(_CONTENT_OF_FOLDER, fd)
    if create_only and (old.put_ns is not None or has_file):
        raise ObjectExists("the key is taken")
    record = metadata.on_directory(record, old)
    volume.metadata.save(bucket.disk, fd, bucket.home, record, old)
    if has_file:
        bucket.disk.fsync(fd)  # before the file that wins goes
        unlink_object(volume, bucket, _CONTENT_OF_FOLDER, fd)
    return metadata.folder_info(key, os.fstat(fd), record)
