"""Multipart uploads on disk; see :mod:`s3daemon.store.posix.upload_names` for what is where."""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Callable, Sequence
from contextlib import suppress

from zope.interface import implementer

from s3daemon.store.interfaces import (
    ALWAYS,
    Attributes,
    Busy,
    CompleteCheck,
    Condition,
    Corrupt,
    IPartWriter,
    IUploads,
    NoSuchBucket,
    NoSuchUpload,
    ObjectInfo,
    PartsPage,
    UploadInfo,
    UploadsPage,
    UploadsQuery,
)
from s3daemon.store.paging import list_uploads
from s3daemon.store.posix import completing, expiring, private
from s3daemon.store.posix.completing import Wanted
from s3daemon.store.posix.errnos import facts
from s3daemon.store.posix.expiring import Ages, Sweepers
from s3daemon.store.posix.hollow import Hollow
from s3daemon.store.posix.metadata import MAX_PARTS
from s3daemon.store.posix.names import UPLOADS_DIR
from s3daemon.store.posix.names import segments as split
from s3daemon.store.posix.orphans import Orphans
from s3daemon.store.posix.part_writer import PosixPartWriter
from s3daemon.store.posix.pointers import point_to
from s3daemon.store.posix.spills import Spills
from s3daemon.store.posix.upload_names import is_upload_id, path_of
from s3daemon.store.posix.upload_state import find_upload, open_upload, write_state
from s3daemon.store.posix.upload_states import UploadStates
from s3daemon.store.posix.volume import Bucket, Volume

#: How often the directory of uploads may vanish while an upload is begun.
_TRIES = 20


@implementer(IUploads)
class PosixUploads:
    """Uploads of a :class:`s3daemon.store.posix.store.PosixStore`."""

    def __init__(self, volume: Volume) -> None:
        self._volume = volume
        self._hollow = Hollow()
        self._states = UploadStates()
        self._spills = Spills(volume.disk)
        self._orphans = Orphans(volume.disk)

    @facts
    def create(
        self,
        bucket: str,
        key: str,
        attributes: Attributes,
        owner: str | None,
        checksum_algorithm: str | None = None,
        checksum_type: str | None = None,
    ) -> UploadInfo:
        """See :meth:`IUploads.create`."""
        with self._volume.bucket(bucket) as at:
            split(key)
            info = UploadInfo(
                key,
                secrets.token_hex(16),
                owner,
                time.time_ns(),
                attributes,
                checksum_algorithm,
                checksum_type,
            )
            for _ in range(_TRIES):
                try:
                    self._make(at, info)
                    return info
                except FileNotFoundError as exc:
                    if not self._volume.is_current(at):
                        raise NoSuchBucket(bucket) from exc
        raise Busy("the directory of uploads was removed again and again")

    @facts
    def get(self, bucket: str, key: str, upload_id: str) -> UploadInfo:
        """See :meth:`IUploads.get`."""
        with self._volume.bucket(bucket) as at:
            upload, info = find_upload(at, key, upload_id)
            with upload:
                if upload.was_published():
                    raise NoSuchUpload("the upload has been completed")
            return info

    @facts
    def write_part(
        self, bucket: str, key: str, upload_id: str, number: int, size: int | None
    ) -> IPartWriter:
        """See :meth:`IUploads.write_part`.  :raises ValueError: no part can have this number."""
        if not 1 <= number <= MAX_PARTS:
            raise ValueError(f"part number {number}")
        at = self._volume.bucket(bucket)
        try:
            disk = at.disk
            upload, info = find_upload(at, key, upload_id)
        except BaseException:
            at.close()
            raise
        return PosixPartWriter(disk, at, upload, info, number, size, self._volume.locks.kind)

    @facts
    def list_parts(
        self, bucket: str, key: str, upload_id: str, after: int, limit: int
    ) -> PartsPage:
        """See :meth:`IUploads.list_parts`."""
        with self._volume.bucket(bucket) as at:
            upload, _ = find_upload(at, key, upload_id)
            with upload:
                parts = upload.scan().parts
                # What is being removed has only some of its parts.
                if upload.was_published() or not upload.is_current():
                    raise NoSuchUpload(upload_id)
        numbers = sorted(number for number in parts if number > after)
        chosen = tuple(parts[number].info for number in numbers[:limit])
        more = bool(chosen) and len(numbers) > limit
        return PartsPage(chosen, chosen[-1].number if more else None)

    @facts
    def list(self, bucket: str, query: UploadsQuery) -> UploadsPage:
        """See :meth:`IUploads.list`."""
        found: list[UploadInfo] = []
        with self._volume.bucket(bucket) as at:
            for upload_id in _upload_ids(at):
                # Gone since, or somebody else's business: not in the list, whatever it is.
                with suppress(NoSuchUpload, Corrupt):
                    info = self._states.of(at, upload_id)
                    if info is not None:
                        found.append(info)
        return list_uploads(found, query)

    @facts
    def complete(
        self,
        bucket: str,
        key: str,
        upload_id: str,
        parts: Sequence[tuple[int, str]],
        min_part_size: int = 0,
        condition: Condition = ALWAYS,
        check: CompleteCheck | None = None,
    ) -> ObjectInfo:
        """See :meth:`IUploads.complete`."""
        self._volume.locks.require(condition)
        with self._volume.bucket(bucket) as at:
            wanted = Wanted(key, upload_id, parts, min_part_size, condition, check)
            return completing.complete(self._volume, at, wanted)

    @facts
    def abort(self, bucket: str, key: str, upload_id: str) -> None:
        """See :meth:`IUploads.abort`."""
        with self._volume.bucket(bucket) as at:
            upload, _ = find_upload(at, key, upload_id)
            with upload:
                completing.lock(self._volume, upload)
                if not upload.is_current():
                    raise NoSuchUpload(upload_id)
                published = upload.was_published()
                completing.remove_upload(self._volume, upload)
                if published:
                    raise NoSuchUpload("the upload has been completed")

    @facts
    def expire(
        self,
        before_ns: int,
        limit: int = 1000,
        should_stop: Callable[[], bool] = lambda: False,
        leftovers_ns: int | None = None,
    ) -> int:
        """See :meth:`IUploads.expire`."""
        ages = Ages(before_ns, before_ns if leftovers_ns is None else leftovers_ns)
        sweepers = Sweepers(self._spills, self._orphans, self._hollow)
        return expiring.expire(self._volume, sweepers, ages, limit, should_stop)

    def _make(self, bucket: Bucket, info: UploadInfo) -> None:
        """Make the directory of an upload.  :raises FileNotFoundError: the bucket is on its way
        out."""
        disk = bucket.disk
        if len(bucket.place) > 1:
            point_to(disk, bucket)  # first, or a crash would leave what no janitor finds
        try:
            disk.mkdir(path_of(info.upload_id), bucket.fd)
        except FileNotFoundError:
            with suppress(FileExistsError):
                disk.mkdir(UPLOADS_DIR, bucket.fd)
            disk.mkdir(path_of(info.upload_id), bucket.fd)
        try:
            with open_upload(bucket, info.upload_id) as upload:
                write_state(disk, info, upload.fd)
            private.sync_names(disk, bucket.fd, UPLOADS_DIR)
            disk.sync_names(bucket.fd)  # whoever made the directory may not be so far
        except NoSuchUpload as exc:
            raise FileNotFoundError(str(exc)) from exc
        except OSError:
            with suppress(OSError):
                private.remove_tree(disk, path_of(info.upload_id), bucket.fd)
            raise


def _upload_ids(bucket: Bucket) -> list[str]:
    """All names in a bucket's directory of uploads that have the shape of an upload id."""
    try:
        fd = os.open(UPLOADS_DIR, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=bucket.fd)
    except FileNotFoundError:
        return []
    try:
        return [name for name in os.listdir(fd) if is_upload_id(name)]
    finally:
        os.close(fd)
