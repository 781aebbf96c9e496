"""Pointers from a top-level bucket to those within it that have uploads, so that these are found.

The janitor looks at top-level buckets only; that one lies in another is nowhere else to be read.
"""

from __future__ import annotations

import hashlib
import os
from contextlib import suppress

from s3daemon.store.interfaces import NoSuchBucket
from s3daemon.store.posix import private
from s3daemon.store.posix.durable import Disk
from s3daemon.store.posix.names import UPLOADS_DIR
from s3daemon.store.posix.paths import READ, open_quietly
from s3daemon.store.posix.upload_names import GONE, WITHIN
from s3daemon.store.posix.volume import Bucket, Volume


def point_to(disk: Disk, bucket: Bucket) -> None:
    """Leave word of a bucket within, durably, if there is none so far.  :raises OSError:"""
    name = hashlib.sha256(bucket.name.encode()).hexdigest()[:32].encode()
    path = UPLOADS_DIR + b"/" + WITHIN + name
    with suppress(FileExistsError):
        disk.mkdir(UPLOADS_DIR, bucket.home)
    with suppress(FileNotFoundError):
        os.stat(path, dir_fd=bucket.home, follow_symlinks=False)
        return
    staged = UPLOADS_DIR + b"/" + GONE + private.unique()
    pointer = disk.create(staged, bucket.home)
    try:
        disk.write(pointer, [bucket.name.encode()])
        disk.settle(pointer)
    finally:
        os.close(pointer)
    disk.rename(staged, bucket.home, path, bucket.home)
    private.sync_names(disk, bucket.home, UPLOADS_DIR)
    disk.sync_names(bucket.home)


def read(bucket: Bucket, path: bytes) -> str | None:
    """The name of the bucket within that a pointer is to; None if it is to none.

    :raises OSError:
    """
    fd = open_quietly(path, READ | os.O_NOFOLLOW, bucket.fd)
    with open(fd, "rb") as file:
        raw = file.read(4096)
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        return None
    return text if text.startswith(bucket.name + ":") else None


def is_stale(volume: Volume, bucket: Bucket, path: bytes) -> bool:
    """Whether there is no bucket that a pointer is to.  :raises OSError:"""
    name = read(bucket, path)
    if name is None:
        return True
    try:
        volume.bucket(name).close()
    except NoSuchBucket:
        return True
    return False


def remove(volume: Volume, bucket: Bucket, path: bytes) -> None:
    """Remove a pointer that is stale, unless somebody makes the bucket at the same time.

    Its first upload has seen the pointer then, perhaps, and made none.  :raises OSError:
    """
    name = read(bucket, path)
    bucket.disk.unlink(path, bucket.fd)
    if name is not None:
        with suppress(NoSuchBucket), volume.bucket(name) as now:
            point_to(now.disk, now)
