"""What nobody goes on with is removed, in bounded steps: uploads, and what a crash left behind.

Only names of our own making are touched, and only under the upload's lock, so that any number of
gateways may do this at the same time.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import suppress

from s3daemon.store.interfaces import Corrupt, NoSuchBucket, NoSuchUpload
from s3daemon.store.posix import locks, private
from s3daemon.store.posix.completing import remove_upload
from s3daemon.store.posix.names import UPLOADS_DIR
from s3daemon.store.posix.paths import DIRECTORY, is_listed_bucket
from s3daemon.store.posix.upload_state import (
    GONE,
    WITHIN,
    UploadDir,
    is_upload_id,
    open_upload,
)
from s3daemon.store.posix.volume import Bucket, Volume

_OPEN = DIRECTORY | os.O_NOFOLLOW


def expire(volume: Volume, before_ns: int, limit: int, should_stop: Callable[[], bool]) -> int:
    """See :meth:`IUploads.expire`."""
    count = 0
    for bucket in _buckets(volume):
        with bucket:
            for name in _names(UPLOADS_DIR, bucket.fd):
                if count >= limit or should_stop():
                    return count
                count += _expire(volume, bucket, name, before_ns)
            if len(bucket.place) == 1:
                _sweep(volume, private.STAGING, bucket.fd, before_ns)
    _sweep(volume, private.STAGING, volume.fd, before_ns)
    _sweep(volume, private.TRASH, volume.fd, before_ns)
    return count


def _buckets(volume: Volume) -> Iterator[Bucket]:
    """All top-level buckets, and those within them that have had uploads."""
    for entry in sorted(os.listdir(volume.fd)):
        if not is_listed_bucket(os.fsencode(entry)):
            continue
        names = [entry]
        with suppress(NoSuchBucket), volume.bucket(entry) as top:
            names += _within(top)
        for name in names:
            with suppress(NoSuchBucket):
                yield volume.bucket(name)


def _within(bucket: Bucket) -> list[str]:
    found: list[str] = []
    for name in _names(UPLOADS_DIR, bucket.fd):
        if name.startswith(WITHIN):
            with suppress(OSError, UnicodeDecodeError):
                path = UPLOADS_DIR + b"/" + name
                fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW, dir_fd=bucket.fd)
                with open(fd, "rb") as file:
                    text = file.read(4096).decode()
                if text.startswith(bucket.name + ":"):
                    found.append(text)
    return found


def _names(path: bytes, dir_fd: int) -> list[bytes]:
    try:
        fd = os.open(path, _OPEN, dir_fd=dir_fd)
    except (FileNotFoundError, NotADirectoryError):
        return []
    try:
        return [os.fsencode(name) for name in os.listdir(fd)]
    finally:
        os.close(fd)


def _expire(volume: Volume, bucket: Bucket, name: bytes, before_ns: int) -> int:
    """Remove one entry of the directory of uploads if it is old; how many uploads that was."""
    text = os.fsdecode(name)
    if name.startswith(GONE):
        # Nobody can find it any more.
        with suppress(OSError):
            private.remove_tree(volume.disk, UPLOADS_DIR + b"/" + name, bucket.fd)
        return 0
    if not is_upload_id(text):
        return 0
    try:
        with open_upload(bucket, text) as upload:
            if _touched_ns(upload) >= before_ns or locks.try_lock(upload.fd) is False:
                return 0
            if not upload.is_current() or _touched_ns(upload) >= before_ns:
                return 0
            remove_upload(volume, upload)
            return 1
    except NoSuchUpload:
        return 0


def _touched_ns(upload: UploadDir) -> int:
    """When anything happened in an upload for the last time."""
    newest = os.fstat(upload.fd).st_mtime_ns
    with suppress(NoSuchUpload, Corrupt):
        newest = max(newest, upload.info().initiated_ns)
    scan = upload.scan()
    times = [part.time_ns for part in scan.all]
    with os.scandir(upload.fd) as entries:
        for entry in entries:
            if entry.name.startswith(("data.", "own.")):
                with suppress(FileNotFoundError):
                    times.append(entry.stat(follow_symlinks=False).st_mtime_ns)
    return max([newest, *times])


def _sweep(volume: Volume, path: bytes, dir_fd: int, before_ns: int) -> None:
    """Remove what has lain in a directory of leftovers since before then."""
    for name in _names(path, dir_fd):
        with suppress(OSError):  # in use, or gone: there is a next time
            entry = path + b"/" + name
            if os.stat(entry, dir_fd=dir_fd, follow_symlinks=False).st_mtime_ns < before_ns:
                private.remove_tree(volume.disk, entry, dir_fd)
