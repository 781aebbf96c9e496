"""What nobody goes on with is removed, in bounded steps: uploads, and what a crash left behind.

Only names of our own making are touched, and only under the upload's lock, so that any number of
gateways may do this at the same time.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from s3daemon.store.interfaces import Corrupt, NoSuchBucket, NoSuchUpload
from s3daemon.store.posix import pointers, private
from s3daemon.store.posix.completing import remove_upload
from s3daemon.store.posix.names import UPLOADS_DIR
from s3daemon.store.posix.paths import DIRECTORY, is_listed_bucket
from s3daemon.store.posix.spills import Spills
from s3daemon.store.posix.upload_names import GONE, WITHIN, is_upload_id
from s3daemon.store.posix.upload_state import UploadDir, open_upload
from s3daemon.store.posix.volume import Bucket, Volume

_OPEN = DIRECTORY | os.O_NOFOLLOW


def expire(
    volume: Volume,
    spills: Spills,
    before_ns: int,
    limit: int,
    should_stop: Callable[[], bool],
) -> int:
    """See :meth:`IUploads.expire`.  What cannot be removed does not keep the rest."""
    work = _Work(volume, spills, before_ns, limit, should_stop)
    for bucket in _buckets(work):
        with bucket:
            work.uploads(bucket)
            if len(bucket.place) == 1:
                work.pointers(bucket)
                work.sweep(private.STAGING, bucket.fd)
                work.spills(bucket)
    work.sweep(private.STAGING, volume.fd)
    work.sweep(private.TRASH, volume.fd)
    if work.failed is not None:
        raise work.failed
    return work.count


class _Work:
    """One round.

    :ivar count: uploads that were removed.
    :ivar failed: the first error of the kernel.
    """

    def __init__(
        self,
        volume: Volume,
        spills: Spills,
        before_ns: int,
        limit: int,
        should_stop: Callable[[], bool],
    ) -> None:
        self.volume = volume
        self._spills = spills
        self.count = 0
        self.failed: OSError | None = None
        self._before_ns = before_ns
        self._left = limit
        self._should_stop = should_stop

    @contextmanager
    def go_on(self) -> Iterator[None]:
        """Note an error, and do the next thing."""
        try:
            yield
        except OSError as exc:
            self.failed = self.failed or exc

    def may(self) -> bool:
        """Whether there is to be another removal."""
        return self._left > 0 and not self._should_stop()

    def uploads(self, bucket: Bucket) -> None:
        """Remove the old uploads of a bucket, and what is left of those removed before."""
        for name in self._names(UPLOADS_DIR, bucket.fd):
            if not self.may():
                return
            with self.go_on():
                if name.startswith(GONE):
                    # Nobody can find it any more.
                    self._left -= 1
                    self._remove_rest(UPLOADS_DIR + b"/" + name, bucket.fd)
                elif is_upload_id(os.fsdecode(name)) and self._remove(bucket, os.fsdecode(name)):
                    self.count += 1
                    self._left -= 1

    def pointers(self, bucket: Bucket) -> None:
        """Remove the old pointers of a bucket to those within it that are no more."""
        for name in self._names(UPLOADS_DIR, bucket.fd):
            if not name.startswith(WITHIN) or not self.may():
                continue
            path = UPLOADS_DIR + b"/" + name
            with self.go_on(), suppress(FileNotFoundError):
                st = os.stat(path, dir_fd=bucket.fd, follow_symlinks=False)
                if max(st.st_mtime_ns, st.st_ctime_ns) < self._before_ns and pointers.is_stale(
                    self.volume, bucket, path
                ):
                    pointers.remove(self.volume, bucket, path)
                    self._left -= 1

    def spills(self, bucket: Bucket) -> None:
        """Remove the old spill files of a bucket that no record names."""
        if self.may():
            with self.go_on():
                self._left -= self._spills.sweep(
                    bucket, self._before_ns, self._left, self._should_stop
                )

    def sweep(self, path: bytes, dir_fd: int) -> None:
        """Remove what has lain in a directory of leftovers since before then."""
        for name in self._names(path, dir_fd):
            if not self.may():
                return
            with self.go_on(), suppress(FileNotFoundError):
                entry = path + b"/" + name
                st = os.stat(entry, dir_fd=dir_fd, follow_symlinks=False)
                # Moving something here leaves its mtime alone, and sets its ctime.
                if max(st.st_mtime_ns, st.st_ctime_ns) < self._before_ns:
                    private.remove_tree(self.volume.disk, entry, dir_fd)
                    self._left -= 1

    def _remove_rest(self, path: bytes, dir_fd: int) -> None:
        try:
            private.remove_tree(self.volume.disk, path, dir_fd)
        except OSError as exc:
            # A writer that has not heard of it yet has put something in; next time, then.
            if exc.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                raise

    def _names(self, path: bytes, dir_fd: int) -> list[bytes]:
        names: list[bytes] = []
        with self.go_on():
            names += _names(path, dir_fd)
        return names

    def _remove(self, bucket: Bucket, upload_id: str) -> bool:
        try:
            with open_upload(bucket, upload_id) as upload:
                if (
                    _touched_ns(upload) >= self._before_ns
                    or upload.try_lock(self.volume.locks.kind) is False
                ):
                    return False
                if not upload.is_current() or _touched_ns(upload) >= self._before_ns:
                    return False
                remove_upload(self.volume, upload)
                return True
        except NoSuchUpload:
            return False


def _buckets(work: _Work) -> Iterator[Bucket]:
    """All top-level buckets, and those within them that have had uploads."""
    for entry in sorted(os.listdir(work.volume.fd)):
        if not is_listed_bucket(os.fsencode(entry)):
            continue
        names = [entry]
        with work.go_on(), suppress(NoSuchBucket), work.volume.bucket(entry) as top:
            names += _within(top)
        for name in names:
            bucket = None
            with work.go_on(), suppress(NoSuchBucket):
                bucket = work.volume.bucket(name)
            if bucket is not None:
                yield bucket


def _within(bucket: Bucket) -> list[str]:
    found: list[str] = []
    for name in _names(UPLOADS_DIR, bucket.fd):
        if name.startswith(WITHIN):
            with suppress(OSError):
                within = pointers.read(bucket, UPLOADS_DIR + b"/" + name)
                if within is not None:
                    found.append(within)
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
