"""CompleteMultipartUpload without a rewrite, where the parts allow it.

Parts of one size lie in one file at their offsets, so that file *is* the object: it is cut to its
length, gets its record, and is renamed to the key.  The last part, and parts that were uploaded
again, are copied to their places first.  Anything irregular is assembled in a file of its own, with
the same result: other sizes, numbers that are left out, somebody who still writes.

The upload's directory is locked all the while.  There is one moment that decides: the rename.
Before it the upload is as it was; after it the object's record carries the upload id, so that
repeating the call finds what it did, in whatever process.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Sequence
from contextlib import suppress

import attrs

from s3daemon.store.interfaces import (
    Busy,
    InvalidPart,
    NoSuchKey,
    NoSuchUpload,
    ObjectInfo,
    PartTooSmall,
    UploadInfo,
)
from s3daemon.store.posix import locks, metadata, private
from s3daemon.store.posix.metadata import Record
from s3daemon.store.posix.names import UPLOADS_DIR
from s3daemon.store.posix.names import segments as split
from s3daemon.store.posix.publishing import Draft, hashed_name, open_draft
from s3daemon.store.posix.resolving import find
from s3daemon.store.posix.upload_state import (
    GONE,
    SEALED,
    Part,
    Scan,
    UploadDir,
    find_upload,
)
from s3daemon.store.posix.volume import Bucket, Volume
from s3daemon.store.posix.writer import publish_with

#: Seconds between two looks whether the lock of an upload is free, and how many looks.
_PAUSE = 0.05
_LOOKS = 1200


@attrs.frozen
class Wanted:
    """What Complete was asked for.

    :ivar parts: (number, ETag) in the order given.
    """

    key: str
    upload_id: str
    parts: Sequence[tuple[int, str]]
    min_part_size: int
    create_only: bool


def complete(volume: Volume, bucket: Bucket, wanted: Wanted) -> ObjectInfo:
    """See :meth:`IUploads.complete`."""
    try:
        upload, info = find_upload(bucket, wanted.key, wanted.upload_id)
    except NoSuchUpload:
        return _completed(volume, bucket, wanted)
    with upload:
        lock(upload)
        if not upload.is_current():
            return _completed(volume, bucket, wanted)
        with suppress(NoSuchUpload):
            # A crash, or an error, after the object was published and before the upload was gone.
            done = _completed(volume, bucket, wanted)
            remove_upload(volume, upload)
            return done
        chosen = _choose(upload.scan(), wanted)
        with suppress(FileExistsError):
            os.close(volume.disk.create(SEALED, upload.fd))
        try:
            scan = upload.scan()
            if _choose(scan, wanted) != chosen:
                chosen = _choose(scan, wanted)
            done = _publish(volume, bucket, upload, info, chosen, scan, wanted.create_only)
        except BaseException:
            with suppress(OSError):
                volume.disk.unlink(SEALED, upload.fd)
            raise
        with suppress(OSError):  # the object is there; the rest of the upload expires
            remove_upload(volume, upload)
        return done


def lock(upload: UploadDir) -> None:
    """Lock an upload until its directory is closed.

    Where the file system has no locks, one completes at a time by good luck only.

    :raises Busy: somebody completes it, or aborts it, and does not come to an end.
    """
    for _ in range(_LOOKS):
        if locks.try_lock(upload.fd) is not False:
            return
        time.sleep(_PAUSE)
    raise Busy("the upload is being completed by somebody else")


def remove_upload(volume: Volume, upload: UploadDir) -> None:
    """Make an upload unfindable, durably, and then remove it.

    :raises NoSuchUpload: somebody else was faster.
    """
    bucket, disk = upload.bucket, volume.disk
    gone = UPLOADS_DIR + b"/" + GONE + private.unique()
    try:
        disk.rename(upload.path, bucket.fd, gone, bucket.fd)
    except FileNotFoundError as exc:
        raise NoSuchUpload(upload.upload_id) from exc
    private.sync(disk, bucket.fd, UPLOADS_DIR)
    with suppress(OSError):  # writers that have not heard of it yet; the janitor comes again
        private.remove_tree(disk, gone, bucket.fd)


def _completed(volume: Volume, bucket: Bucket, wanted: Wanted) -> ObjectInfo:
    """The object that the upload became, as long as the key still holds it.

    :raises NoSuchUpload:
    """
    try:
        found = find(volume, bucket, wanted.key)
    except NoSuchKey as exc:
        raise NoSuchUpload(wanted.upload_id) from exc
    try:
        if not found.is_directory:
            record = volume.metadata.load(found.fd, bucket.home)
            info = metadata.object_info(wanted.key, found.st, record)
            if info.upload_id == wanted.upload_id:
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
    volume: Volume,
    bucket: Bucket,
    upload: UploadDir,
    info: UploadInfo,
    chosen: list[Part],
    scan: Scan,
    create_only: bool,
) -> ObjectInfo:
    digests = b"".join(bytes.fromhex(part.etag) for part in chosen)
    etag = f"{hashlib.md5(digests, usedforsecurity=False).hexdigest()}-{len(chosen)}"
    sizes = [part.size for part in chosen]
    segments = split(info.key)
    name = hashed_name(segments)

    def record_of(st: os.stat_result) -> Record:
        return metadata.object_record(
            st, etag, info.attributes, info.owner, sizes, info.upload_id, name
        )

    in_place = _is_regular(chosen, scan)
    draft = _in_place(volume, upload, chosen) if in_place else _assemble(volume, upload, chosen)
    try:
        volume.disk.set_modified(draft.fd, time.time_ns())
        st, record = publish_with(volume, bucket, segments, draft, record_of, create_only)
        return metadata.object_info(info.key, st, record)
    finally:
        if in_place:
            draft.name = None  # the file is the upload's for as long as it is not the object
        draft.discard(volume.disk)


def _is_regular(chosen: list[Part], scan: Scan) -> bool:
    """Whether a ``data`` file can become the object as it is.

    It has to be nobody's who still writes, and must hold nothing that is wanted if this fails: it
    is going to be cut.
    """
    stride, count = chosen[0].size, len(chosen)
    if not stride or chosen[-1].number != count or chosen[-1].size > stride:
        return False
    if any(part.size != stride for part in chosen[:-1]):
        return False
    if not any(part.stride == stride for part in chosen):
        return False
    finished = {part.number for part in scan.all if part.stride is not None}
    if scan.claims - finished:
        return False
    return not any(part.stride == stride and part.number > count for part in scan.all)


def _in_place(volume: Volume, upload: UploadDir, chosen: list[Part]) -> Draft:
    """The ``data`` file with every part at its offset; parts that are elsewhere are copied."""
    stride = chosen[0].size
    total = stride * (len(chosen) - 1) + chosen[-1].size
    name = b"data.%d" % stride
    draft = Draft(_open(upload, name, os.O_RDWR), name, upload.fd)
    try:
        for part in chosen:
            if part.stride != stride:
                _copy(volume, upload, part, draft.fd, stride * (part.number - 1))
        volume.disk.truncate(draft.fd, total)
    except BaseException:
        os.close(draft.fd)
        raise
    return draft


def _assemble(volume: Volume, upload: UploadDir, chosen: list[Part]) -> Draft:
    """A file of its own with the parts one after the other."""
    draft = open_draft(volume, upload.bucket)
    try:
        offset = 0
        for part in chosen:
            _copy(volume, upload, part, draft.fd, offset)
            offset += part.size
    except BaseException:
        draft.discard(volume.disk)
        raise
    return draft


def _copy(volume: Volume, upload: UploadDir, part: Part, target: int, offset: int) -> None:
    if not part.size:
        return
    source = _open(upload, part.file, os.O_RDONLY)
    try:
        if volume.disk.copy(source, target, part.size, part.offset, offset) != part.size:
            raise InvalidPart(f"the content of part {part.number} is not whole")
    finally:
        os.close(source)


def _open(upload: UploadDir, name: bytes, flags: int) -> int:
    try:
        return os.open(name, flags | os.O_CLOEXEC | os.O_NOFOLLOW, dir_fd=upload.fd)
    except FileNotFoundError as exc:
        raise InvalidPart("the content of a part is not there") from exc
