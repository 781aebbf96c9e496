"""Multipart uploads of the memory store."""

from __future__ import annotations

import hashlib
import secrets
import threading
from collections.abc import Callable, Sequence

import attrs
from zope.interface import implementer

from s3daemon.store import part_checksums
from s3daemon.store.interfaces import (
    ALWAYS,
    Attributes,
    Checksum,
    CompleteCheck,
    Condition,
    InvalidPart,
    IPartWriter,
    IUploads,
    NoSuchBucket,
    NoSuchUpload,
    ObjectInfo,
    PartInfo,
    PartsPage,
    PartTooSmall,
    UploadInfo,
    UploadsPage,
    UploadsQuery,
)
from s3daemon.store.memory_tree import StoredPart, Tree, Upload, check_key
from s3daemon.store.paging import list_uploads

#: S3 user guide, "Multipart upload limits".
MAX_PART_NUMBER = 10_000


@implementer(IPartWriter)
class MemoryPartWriter:
    """The content of one part."""

    def __init__(
        self, uploads: MemoryUploads, bucket: str, upload: UploadInfo, number: int
    ) -> None:
        self.upload = upload
        self._uploads = uploads
        self._where = (bucket, upload.key, upload.upload_id)
        self._number = number
        self._pieces: list[bytes] = []

    def write(self, data: Sequence[bytes]) -> None:
        """See :meth:`IPartWriter.write`."""
        self._pieces.extend(bytes(piece) for piece in data)

    def commit(self, etag: str, checksum: Checksum | None = None) -> PartInfo:
        """See :meth:`IPartWriter.commit`."""
        content = b"".join(self._pieces)
        self._pieces = []
        part = PartInfo(self._number, len(content), etag, 0, checksum)
        return self._uploads.store_part(*self._where, part, content)

    def abort(self) -> None:
        """See :meth:`IPartWriter.abort`."""
        self._pieces = []


@implementer(IUploads)
class MemoryUploads:
    """Uploads of a :class:`s3daemon.store.memory.MemoryStore`."""

    def __init__(self, tree: Tree, lock: threading.RLock) -> None:
        self._tree = tree
        self._lock = lock

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
        with self._lock:
            base = self._tree.bucket_base(bucket)
            check_key(key)
            now_ns = self._tree.clock()
            info = UploadInfo(
                key,
                secrets.token_hex(16),
                owner,
                now_ns,
                attributes,
                checksum_algorithm,
                checksum_type,
            )
            self._tree.uploads[info.upload_id] = Upload(base, info, now_ns)
            return info

    def get(self, bucket: str, key: str, upload_id: str) -> UploadInfo:
        """See :meth:`IUploads.get`."""
        with self._lock:
            return self._find(bucket, key, upload_id).info

    def write_part(
        self, bucket: str, key: str, upload_id: str, number: int, size: int | None
    ) -> IPartWriter:
        """See :meth:`IUploads.write_part`.  :raises ValueError: no part can have this number."""
        if not 1 <= number <= MAX_PART_NUMBER:
            raise ValueError(f"part number {number}")
        with self._lock:
            upload = self._find(bucket, key, upload_id).info
        return MemoryPartWriter(self, bucket, upload, number)

    def store_part(
        self, bucket: str, key: str, upload_id: str, part: PartInfo, content: bytes
    ) -> PartInfo:
        """Make the content the part of its number; the time is filled in.

        :raises NoSuchUpload:
        """
        with self._lock:
            try:
                upload = self._find(bucket, key, upload_id)
            except NoSuchBucket as exc:
                raise NoSuchUpload("it went with its bucket") from exc
            now_ns = self._tree.clock()
            upload.touched_ns = now_ns
            part = attrs.evolve(part, modified_ns=now_ns)
            upload.parts[part.number] = StoredPart(content, part)
            return part

    def list_parts(
        self, bucket: str, key: str, upload_id: str, after: int, limit: int
    ) -> PartsPage:
        """See :meth:`IUploads.list_parts`."""
        with self._lock:
            upload = self._find(bucket, key, upload_id)
            infos = [part.info for number, part in sorted(upload.parts.items()) if number > after]
        chosen = tuple(infos[:limit])
        more = bool(chosen) and len(infos) > limit
        return PartsPage(chosen, chosen[-1].number if more else None)

    def list(self, bucket: str, query: UploadsQuery) -> UploadsPage:
        """See :meth:`IUploads.list`."""
        with self._lock:
            base = self._tree.bucket_base(bucket)
            infos = [upload.info for upload in self._tree.uploads.values() if upload.base == base]
        return list_uploads(infos, query)

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
        with self._lock:
            try:
                upload = self._find(bucket, key, upload_id)
            except NoSuchUpload:
                return self._completed(bucket, key, upload_id)
            chosen = _choose(upload, parts, min_part_size)
            self._tree.check(upload.base, key, condition)
            path = upload.base + key
            listed = [part.info for part in chosen]
            checksum = part_checksums.of_object(upload.info, listed)
            if check is not None:
                check(upload.info, listed, checksum)
            digests = b"".join(bytes.fromhex(part.etag) for part in listed)
            whole = hashlib.md5(digests, usedforsecurity=False).hexdigest()
            content = b"".join(part.content for part in chosen)
            info = ObjectInfo(
                key=key,
                size=len(content),
                modified_ns=self._tree.clock(),
                etag=f"{whole}-{len(chosen)}",
                attributes=upload.info.attributes,
                owner=upload.info.owner,
                part_sizes=tuple(part.size for part in listed),
                upload_id=upload_id,
                checksum=checksum,
                part_checksums=part_checksums.of_parts(listed) if checksum else (),
            )
            self._tree.put(path, content, info)
            del self._tree.uploads[upload_id]
            return info

    def abort(self, bucket: str, key: str, upload_id: str) -> None:
        """See :meth:`IUploads.abort`."""
        with self._lock:
            self._find(bucket, key, upload_id)
            del self._tree.uploads[upload_id]

    def expire(
        self,
        before_ns: int,
        limit: int = 1000,
        should_stop: Callable[[], bool] = lambda: False,
        leftovers_ns: int | None = None,
    ) -> int:
        """See :meth:`IUploads.expire`.  A crash leaves nothing here."""
        with self._lock:
            old = [i for i, u in self._tree.uploads.items() if u.touched_ns < before_ns]
            count = 0
            for upload_id in old[:limit]:
                if should_stop():
                    break
                del self._tree.uploads[upload_id]
                count += 1
            return count

    def _find(self, bucket: str, key: str, upload_id: str) -> Upload:
        base = self._tree.bucket_base(bucket)
        check_key(key)
        upload = self._tree.uploads.get(upload_id)
        if upload is None or upload.base != base or upload.info.key != key:
            raise NoSuchUpload(upload_id)
        return upload

    def _completed(self, bucket: str, key: str, upload_id: str) -> ObjectInfo:
        """The object that this upload became, as long as the key still holds it."""
        stored = self._tree.find(self._tree.bucket_base(bucket), key)
        if stored is None or stored.info.upload_id != upload_id:
            raise NoSuchUpload(upload_id)
        return attrs.evolve(stored.info, key=key)


def _choose(
    upload: Upload, parts: Sequence[tuple[int, str]], min_part_size: int
) -> list[StoredPart]:
    """The listed parts.  :raises InvalidPart, PartTooSmall:"""
    chosen: list[StoredPart] = []
    previous = 0
    for number, etag in parts:
        part = upload.parts.get(number)
        if part is None or part.info.etag != etag or number <= previous:
            raise InvalidPart(f"part {number}")
        chosen.append(part)
        previous = number
    if not chosen:
        raise InvalidPart("no part is listed")
    for (number, _), part in zip(parts[:-1], chosen[:-1], strict=True):
        if part.info.size < min_part_size:
            raise PartTooSmall(number, part.info.size, part.info.etag)
    return chosen
