"""CompleteMultipartUpload: the parts become the object, once, whoever asks and however often.

The upload's directory is locked all the while.  There is one moment that decides: the rename.
Before it the upload is as it was; after it the object's record carries the upload id, so that
repeating the call finds what it did, in whatever process.  When the object has been replaced by
then, what is missing in the upload's directory says that it was there.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable, Sequence
from contextlib import suppress

import attrs

from s3daemon.store import part_checksums
from s3daemon.store.interfaces import (
    Busy,
    Checksum,
    CompleteCheck,
    Condition,
    InvalidPart,
    NoSuchBucket,
    NoSuchKey,
    NoSuchUpload,
    ObjectInfo,
    PartInfo,
    PartTooSmall,
    UploadInfo,
)
from s3daemon.store.posix import claims, metadata, private
from s3daemon.store.posix.assembling import assemble, keep
from s3daemon.store.posix.drafts import Draft
from s3daemon.store.posix.durable import Disk
from s3daemon.store.posix.entries import names_in
from s3daemon.store.posix.metadata import Record
from s3daemon.store.posix.names import UPLOADS_DIR
from s3daemon.store.posix.names import segments as split
from s3daemon.store.posix.paths import DIRECTORY, directories, open_place
from s3daemon.store.posix.publishing import hashed_name
from s3daemon.store.posix.resolving import find
from s3daemon.store.posix.swapping import judge
from s3daemon.store.posix.upload_names import GONE, SEALED, Part, Scan
from s3daemon.store.posix.upload_state import UploadDir, find_upload
from s3daemon.store.posix.volume import Bucket, Volume
from s3daemon.store.posix.writer import publish_with

#: Seconds between two looks whether the lock of an upload is free, and how many looks.
_PAUSE = 0.05
_LOOKS = 1200
#: How often parts may be stored again while an upload is completed.
_TRIES = 20


@attrs.frozen
class Wanted:
    """What Complete was asked for.

    :ivar parts: (number, ETag) in the order given.
    """

    key: str
    upload_id: str
    parts: Sequence[tuple[int, str]]
    min_part_size: int
    condition: Condition
    check: CompleteCheck | None = None


def complete(volume: Volume, bucket: Bucket, wanted: Wanted) -> ObjectInfo:
    """See :meth:`IUploads.complete`."""
    try:
        upload, info = find_upload(bucket, wanted.key, wanted.upload_id)
    except NoSuchUpload:
        return _completed(volume, bucket, wanted)
    with upload:
        lock(volume, upload)
        if not upload.is_current():
            return _completed(volume, bucket, wanted)
        try:
            # A crash, or an error, after the object was published and before the upload was gone.
            done = _completed(volume, bucket, wanted)
        except NoSuchUpload:
            try:
                done = _complete(volume, bucket, upload, info, wanted)
            except (InvalidPart, FileNotFoundError):
                if upload.is_current():
                    raise
                return _completed(volume, bucket, wanted)  # its bucket is being deleted
        with suppress(OSError, NoSuchUpload):  # the object is there; what stays expires
            remove_upload(volume, upload)
        return done


def _complete(
    volume: Volume, bucket: Bucket, upload: UploadDir, info: UploadInfo, wanted: Wanted
) -> ObjectInfo:
    """Publish the listed parts of an upload that is locked.

    A part may be stored again, with the same content, while it is looked for: then it was there all
    the while, and is only elsewhere by now.
    """
    scan = upload.scan()
    if scan.published or upload.was_published():
        raise NoSuchUpload("the upload was completed, and the object is another by now")
    for _ in range(_TRIES):
        try:
            _choose(scan, wanted)
            _seal(bucket.disk, upload)
            return _publish(volume, bucket, upload, info, wanted)
        except InvalidPart:
            before, scan = scan, upload.scan()
            if scan.parts == before.parts:
                raise
    raise Busy("parts are stored again and again while the upload is completed")


def _seal(disk: Disk, upload: UploadDir) -> None:
    try:
        with suppress(FileExistsError):
            disk.create_empty(SEALED, upload.fd)
    except OSError:
        with suppress(OSError):  # perhaps it is there
            disk.unlink(SEALED, upload.fd)
        raise


def lock(volume: Volume, upload: UploadDir) -> None:
    """Lock an upload until its directory is closed.

    Where the file system has no locks, one completes at a time by good luck only.

    :raises Busy: somebody completes it, or aborts it, and does not come to an end.
    """
    for _ in range(_LOOKS):
        if upload.try_lock(volume.locks.kind) is not False:
            return
        time.sleep(_PAUSE)
    raise Busy("the upload is being completed by somebody else")


def remove_upload(volume: Volume, upload: UploadDir) -> None:
    """Make an upload unfindable, durably, and then remove it.

    :raises NoSuchUpload: somebody else was faster.
    """
    bucket, disk = upload.bucket, upload.bucket.disk
    gone = UPLOADS_DIR + b"/" + GONE + private.unique()
    try:
        disk.rename(upload.path, bucket.fd, gone, bucket.fd)
    except FileNotFoundError as exc:
        raise NoSuchUpload(upload.upload_id) from exc
    with suppress(FileNotFoundError):  # moved away, with everything in it, by DeleteBucket
        private.sync_names(disk, bucket.fd, UPLOADS_DIR)
    with suppress(OSError):  # writers that have not heard of it yet; the janitor comes again
        with suppress(OSError):
            # These are files, thousands perhaps: no looking first.
            for name in names_in(upload.fd):
                disk.unlink(name, upload.fd)
        private.remove_tree(disk, gone, bucket.fd)


def _completed(volume: Volume, bucket: Bucket, wanted: Wanted) -> ObjectInfo:
    """The object that the upload became, as long as the key still holds it.

    :raises NoSuchUpload, NoSuchBucket:
    """
    try:
        found = find(volume, bucket, wanted.key)
    except NoSuchKey as exc:
        if not volume.is_current(bucket):
            raise NoSuchBucket(bucket.name) from exc
        raise NoSuchUpload(wanted.upload_id) from exc
    try:
        if not found.is_directory:
            record = volume.metadata.load(found.fd, bucket.home)
            info = metadata.object_info(wanted.key, found.st, record)
            if info.upload_id == wanted.upload_id:
                _sync_way(volume, bucket, wanted.key)
                return info
    finally:
        os.close(found.fd)
    raise NoSuchUpload(wanted.upload_id)


def _choose(scan: Scan, wanted: Wanted) -> list[Part]:
    """The records of the listed parts.  :raises InvalidPart, PartTooSmall:"""
    chosen: list[Part] = []
    previous = 0
    for number, etag in wanted.parts:
        part = scan.parts.get(number)
        if part is None or part.etag != etag or number <= previous:
            raise InvalidPart(f"part {number}")
        chosen.append(part)
        previous = number
    if not chosen:
        raise InvalidPart("no part is listed")
    for part in chosen[:-1]:
        if part.size < wanted.min_part_size:
            raise PartTooSmall(part.number, part.size, part.etag)
    return chosen


def _publish(
    volume: Volume, bucket: Bucket, upload: UploadDir, info: UploadInfo, wanted: Wanted
) -> ObjectInfo:
    """Publish the listed parts of an upload that is sealed; if that fails, the seal is broken."""
    disk, draft = bucket.disk, None
    segments = split(info.key)
    try:
        if not volume.probe.noreplace:
            # There the object gets its name before the upload's file loses its own.  A power cut in
            # between must not leave an upload without its seal, whose writers share that file.
            disk.fsync(upload.fd)
        scan = claims.break_dead(disk, upload, upload.scan(), volume.locks.kind)
        chosen = _choose(scan, wanted)
        listed = [part.info for part in chosen]
        checksum = part_checksums.of_object(info, listed)
        if wanted.check is not None:
            wanted.check(info, listed, checksum)
        if wanted.condition.compares:
            # It is decided when the object is published; this spares putting the parts together.
            judge(volume, bucket, segments, wanted.condition)
        record_of = _recorder(info, listed, checksum, hashed_name(segments))
        draft = assemble(disk, upload, chosen, scan)
        disk.set_modified(draft.fd, time.time_ns())
        st, record = publish_with(volume, bucket, segments, draft, record_of, wanted.condition)
        return metadata.object_info(info.key, st, record)
    finally:
        _clean_up(disk, upload, draft)


def _clean_up(disk: Disk, upload: UploadDir, draft: Draft | None) -> None:
    """After publishing, or an attempt at it.  Never fails."""
    if draft is not None and draft.published:
        # Acknowledged or not, the file is the object: the upload must never be written to again.
        draft.discard(disk)
        return
    if draft is not None:
        keep(disk, upload, draft)
    with suppress(OSError):
        disk.unlink(SEALED, upload.fd)


def _recorder(
    info: UploadInfo, chosen: Sequence[PartInfo], checksum: Checksum | None, name: str | None
) -> Callable[[os.stat_result], Record]:
    """What makes the record of the object."""
    digests = b"".join(bytes.fromhex(part.etag) for part in chosen)
    etag = f"{hashlib.md5(digests, usedforsecurity=False).hexdigest()}-{len(chosen)}"
    sizes = [part.size for part in chosen]
    sums = part_checksums.of_parts(chosen) if checksum is not None else ()

    def record_of(st: os.stat_result) -> Record:
        return metadata.object_record(
            st, etag, info.attributes, info.owner, sizes, info.upload_id, name, checksum, sums
        )

    return record_of


def _sync_way(volume: Volume, bucket: Bucket, key: str) -> None:
    """Make it durable that an object is there: who published it may not have come to that."""
    disk = bucket.disk
    if not disk.syncs_names:
        return
    for place in directories(bucket.fd, split(key)[:-1]):
        for length in range(len(place), 0, -1):
            with suppress(FileNotFoundError):
                fd = open_place(bucket.fd, place[:length], DIRECTORY)
                try:
                    disk.sync_names(fd)
                finally:
                    os.close(fd)
    disk.sync_names(bucket.fd)
