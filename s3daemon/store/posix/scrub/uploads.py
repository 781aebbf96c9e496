"""Uploads under way: whether the parts that were acknowledged are there, and what is left over."""

from __future__ import annotations

import hashlib
import os
import stat

from s3daemon.store.interfaces import Corrupt, NoSuchUpload, UploadInfo
from s3daemon.store.posix import metadata
from s3daemon.store.posix.names import UPLOADS_DIR
from s3daemon.store.posix.paths import READ, open_quietly
from s3daemon.store.posix.pointers import is_stale
from s3daemon.store.posix.scrub.content import Changed, pieces
from s3daemon.store.posix.scrub.findings import (
    ABANDONED_SEAL,
    DAMAGED_UPLOAD,
    FINISHED_UPLOAD,
    GONE_UPLOAD,
    LOST_PART,
    ORPHAN_CONTENT,
    PART_CONTENT,
    STALE_POINTER,
    STATELESS_UPLOAD,
    STRANGE,
    Kind,
)
from s3daemon.store.posix.scrub.pacing import ENTRY
from s3daemon.store.posix.scrub.round import VANISHED, Round, names_in
from s3daemon.store.posix.upload_names import GONE, OWN_CONTENT, SEALED, WITHIN, Part, is_upload_id
from s3daemon.store.posix.upload_state import UploadDir, open_upload
from s3daemon.store.posix.volume import Bucket
from s3daemon.wire import checksums

_OPEN = READ | os.O_NOFOLLOW


def scrub(round_: Round, bucket: Bucket, above: bytes = b"") -> None:
    """Check everything in the directory of uploads of a bucket.

    :param above: what its keys begin with in the bucket that is scrubbed, which it lies in.
    :raises Stopped: see :class:`Pacer`.
    """
    try:
        found = names_in(UPLOADS_DIR, bucket.fd)
    except OSError as exc:
        round_.failed(exc, bucket, (UPLOADS_DIR,))
        return
    for name in found:
        round_.pacer.spend(ENTRY)
        place = (UPLOADS_DIR, name)
        try:
            st = os.stat(b"/".join(place), dir_fd=bucket.fd, follow_symlinks=False)
            if name.startswith(GONE):
                if round_.is_old(st):
                    round_.found(GONE_UPLOAD, bucket, place, None, "somebody died removing it")
            elif name.startswith(WITHIN):
                if round_.is_old(st) and is_stale(round_.volume, bucket, b"/".join(place)):
                    what = "there is no bucket that it points to"
                    round_.found(STALE_POINTER, bucket, place, None, what)
            elif is_upload_id(os.fsdecode(name)) and stat.S_ISDIR(st.st_mode):
                _check(round_, bucket, os.fsdecode(name), st, above)
            else:
                round_.found(STRANGE, bucket, place, None, "the gateway has not made it")
        except NoSuchUpload:
            round_.totals.skipped += 1
        except OSError as exc:
            round_.failed(exc, bucket, place)


def _check(round_: Round, bucket: Bucket, upload_id: str, st: os.stat_result, above: bytes) -> None:
    place = (UPLOADS_DIR, upload_id.encode())
    with open_upload(bucket, upload_id) as upload:
        try:
            info = upload.info()
        except NoSuchUpload:
            if upload.is_current() and round_.is_old(st):
                what = "it has no upload.json: it was never begun, or is being removed"
                round_.found(STATELESS_UPLOAD, bucket, place, None, what)
            return
        except Corrupt as exc:
            round_.found(DAMAGED_UPLOAD, bucket, place, None, str(exc))
            return
        key = above + info.key.encode("utf-8", "surrogatepass")
        if not key.startswith(round_.scope.prefix):
            return
        round_.totals.uploads += 1
        sealed = _sealed_ns(upload)
        if sealed is not None:
            # Somebody completes it, or has died doing so.
            if sealed < round_.scope.before_ns:
                _check_seal(round_, upload, info)
            return
        for part in upload.scan().parts.values():
            _check_part(round_, upload, info, part)
        _check_orphans(round_, upload, info)


def _sealed_ns(upload: UploadDir) -> int | None:
    """When an upload was sealed; None if it is not."""
    try:
        st = os.stat(SEALED, dir_fd=upload.fd, follow_symlinks=False)
    except FileNotFoundError:
        return None
    return max(st.st_mtime_ns, st.st_ctime_ns)


def _check_seal(round_: Round, upload: UploadDir, info: UploadInfo) -> None:
    place = (UPLOADS_DIR, upload.upload_id.encode())
    if upload.try_lock(round_.volume.locks.kind) is False or not upload.is_current():
        return
    published = upload.was_published()
    upload.unlock()
    if published:
        what = "the object is there: somebody died before removing this"
        round_.found(FINISHED_UPLOAD, upload.bucket, place, info.key, what)
    else:
        what = "somebody died completing it"
        round_.found(ABANDONED_SEAL, upload.bucket, (*place, SEALED), info.key, what)


def _check_part(round_: Round, upload: UploadDir, info: UploadInfo, part: Part) -> None:
    round_.totals.parts += 1
    kind: Kind | None = None
    what = ""
    try:
        fd = open_quietly(part.file, _OPEN, upload.fd)
    except FileNotFoundError:
        kind, what = LOST_PART, f"{part.file.decode()} is not there"
    else:
        try:
            st = os.fstat(fd)
            if st.st_size < part.offset + part.size:
                kind, what = LOST_PART, f"{part.file.decode()} ends before it"
            elif round_.scope.contents and _since(round_, st):
                what = _compare(round_, fd, part)
                kind = PART_CONTENT if what else None
                round_.totals.verified += not what
                round_.totals.verified_bytes += 0 if what else part.size
        except Changed:
            kind, what = LOST_PART, f"{part.file.decode()} ends before it"
        finally:
            os.close(fd)
    if kind is None:
        return
    # What has been uploaded again, completed or aborted meanwhile is gone for a reason.
    if _sealed_ns(upload) is not None or not upload.is_current() or not upload.has(part.name):
        round_.totals.skipped += 1
        return
    place = (UPLOADS_DIR, upload.upload_id.encode(), part.name)
    round_.found(kind, upload.bucket, place, info.key, f"part {part.number}: {what}")


def _since(round_: Round, st: os.stat_result) -> bool:
    return max(st.st_mtime_ns, st.st_ctime_ns) >= round_.scope.since_ns


def _compare(round_: Round, fd: int, part: Part) -> str:
    """What differs between a part and its record; "" where nothing does.

    :raises Changed, Stopped, OSError:
    """
    md5 = hashlib.md5(usedforsecurity=False)
    given = part.info.checksum
    other = None
    if given is not None and given.algorithm in checksums.ALGORITHMS:
        make = checksums.ALGORITHMS[given.algorithm].make
        other = None if make is None else make()
    for piece in pieces(fd, part.offset, part.size, round_.pacer):
        md5.update(piece)
        if other is not None:
            other.update(piece)
    if md5.hexdigest() != part.etag:
        return f"the ETag is {part.etag}, that of the content {md5.hexdigest()}"
    if given is not None and other is not None:
        value = checksums.encode(other.digest())
        if value != given.value:
            return f"the {given.algorithm} is {given.value}, that of the content {value}"
    return ""


def _check_orphans(round_: Round, upload: UploadDir, info: UploadInfo) -> None:
    """Content that no record names: its writer died."""
    listed = names_in(b".", upload.fd)
    used = {part.file for part in upload.scan().all}
    for name in listed:
        if not name.startswith(OWN_CONTENT) or name in used:
            continue
        try:
            st = os.stat(name, dir_fd=upload.fd, follow_symlinks=False)
        except OSError as exc:
            if exc.errno in VANISHED:
                continue
            raise
        if round_.is_old(st):
            place = (UPLOADS_DIR, upload.upload_id.encode(), name)
            what = f"no record names these {st.st_size} bytes"
            seen = metadata.stamp(st)
            round_.found(ORPHAN_CONTENT, upload.bucket, place, info.key, what, seen)
