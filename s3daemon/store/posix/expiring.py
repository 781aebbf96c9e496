"""What nobody goes on with is removed, in bounded steps: uploads, and what a crash left behind.

Only names of our own making are touched, and only under the upload's lock, so that any number of
gateways may do this at the same time.
"""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import attrs

from s3daemon.store.interfaces import Corrupt, NoSuchBucket, NoSuchUpload
from s3daemon.store.posix import pointers, private
from s3daemon.store.posix.completing import remove_upload
from s3daemon.store.posix.entries import entries, names_in
from s3daemon.store.posix.hollow import Hollow
from s3daemon.store.posix.names import PRIVATE_DIR, UPLOADS_DIR
from s3daemon.store.posix.orphans import Orphans
from s3daemon.store.posix.paths import DIRECTORY, is_listed_bucket
from s3daemon.store.posix.spills import Spills
from s3daemon.store.posix.upload_names import GONE, OWN_CONTENT, STATE, WITHIN, is_upload_id
from s3daemon.store.posix.upload_state import UploadDir, open_upload
from s3daemon.store.posix.volume import Bucket, Volume

_OPEN = DIRECTORY | os.O_NOFOLLOW
_ANY = re.compile(rb".*", re.DOTALL)


@attrs.frozen
class Sweepers:
    """What is looked for in whole buckets, or beneath the whole root, once a day."""

    spills: Spills
    orphans: Orphans
    hollow: Hollow = attrs.field(factory=Hollow)


@attrs.frozen
class Ages:
    """What is old enough to go: what nobody has touched since then, in ns since the epoch.

    :ivar uploads: those that can still be completed.
    :ivar leftovers: what only a crash can have left.
    """

    uploads: int
    leftovers: int


def expire(
    volume: Volume,
    sweepers: Sweepers,
    ages: Ages,
    limit: int,
    should_stop: Callable[[], bool],
) -> int:
    """See :meth:`IUploads.expire`.  What cannot be removed does not keep the rest."""
    work = _Work(volume, sweepers, ages, limit, should_stop)
    for bucket in _buckets(work):
        with bucket:
            work.uploads(bucket)
            if len(bucket.place) == 1:
                work.pointers(bucket)
                work.sweep(private.STAGING, bucket.fd)
                work.whole(bucket)
                work.orphans(bucket.fd)
    work.sweep(private.STAGING, volume.fd)
    work.sweep(private.TRASH, volume.fd)
    work.sweep(PRIVATE_DIR, volume.fd, private.TRIALS)
    work.orphans(volume.fd)
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
        sweepers: Sweepers,
        ages: Ages,
        limit: int,
        should_stop: Callable[[], bool],
    ) -> None:
        self.volume = volume
        self._sweepers = sweepers
        self.count = 0
        self.failed: OSError | None = None
        self._ages = ages
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
                elif is_upload_id(os.fsdecode(name)):
                    self._upload(bucket, os.fsdecode(name))

    def pointers(self, bucket: Bucket) -> None:
        """Remove the old pointers of a bucket to those within it that are no more."""
        for name in self._names(UPLOADS_DIR, bucket.fd):
            if not name.startswith(WITHIN) or not self.may():
                continue
            path = UPLOADS_DIR + b"/" + name
            with self.go_on(), suppress(FileNotFoundError):
                st = os.stat(path, dir_fd=bucket.fd, follow_symlinks=False)
                if self._is_old(st) and pointers.is_stale(self.volume, bucket, path):
                    pointers.remove(self.volume, bucket, path)
                    self._left -= 1

    def whole(self, bucket: Bucket) -> None:
        """Remove old spill files that no record names, and old directories that nobody needs."""
        if self.may():
            with self.go_on():
                self._left -= self._sweepers.spills.sweep(
                    bucket, self._ages.leftovers, self._left, self._should_stop
                )
        if self.may():
            with self.go_on():
                self._left -= self._sweepers.hollow.sweep(
                    self.volume, bucket, self._ages.leftovers, self._left, self._should_stop
                )

    def orphans(self, base: int) -> None:
        """Remove old sidecars that belong to no entry."""
        if self.may():
            with self.go_on():
                self._left -= self._sweepers.orphans.sweep(
                    base, self._ages.leftovers, self._left, self._should_stop
                )

    def sweep(self, path: bytes, dir_fd: int, pattern: re.Pattern[bytes] = _ANY) -> None:
        """Remove what has lain in a directory of leftovers for long.

        :param pattern: of the names that are leftovers.
        """
        for name in self._names(path, dir_fd):
            if not self.may():
                return
            if not pattern.fullmatch(name):
                continue
            with self.go_on(), suppress(FileNotFoundError):
                entry = path + b"/" + name
                st = os.stat(entry, dir_fd=dir_fd, follow_symlinks=False)
                if self._is_old(st):
                    private.remove_tree(self.volume.disk, entry, dir_fd)
                    self._left -= 1

    def _is_old(self, st: os.stat_result) -> bool:
        # Moving something leaves its mtime alone, and sets its ctime.
        return max(st.st_mtime_ns, st.st_ctime_ns) < self._ages.leftovers

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

    def _upload(self, bucket: Bucket, upload_id: str) -> None:
        """Remove an upload if it is old, or else what a crash has left in it."""
        ages = self._ages
        with suppress(NoSuchUpload), open_upload(bucket, upload_id) as upload:
            if os.fstat(upload.fd).st_mtime_ns >= max(ages.uploads, ages.leftovers):
                return  # something has come or gone; this spares reading it
            if self._remove(upload):
                self.count += 1
                self._left -= 1
            elif os.fstat(upload.fd).st_mtime_ns < ages.leftovers:
                self._remove_orphans(upload)

    def _remove(self, upload: UploadDir) -> bool:
        if (
            not self._has_expired(upload)
            or upload.try_lock(self.volume.locks.kind) is False
            or not upload.is_current()
            or not self._has_expired(upload)
        ):
            return False
        remove_upload(self.volume, upload)
        return True

    def _has_expired(self, upload: UploadDir) -> bool:
        touched_ns = _touched_ns(upload)
        if touched_ns < self._ages.uploads:
            return True
        # What was never begun, or has been completed, is no upload any more.
        return touched_ns < self._ages.leftovers and (
            not upload.has(STATE) or upload.was_published()
        )

    def _remove_orphans(self, upload: UploadDir) -> None:
        """Remove contents that no record names: who wrote them died before making one."""
        listed = names_in(upload.fd)
        # Only now: a record comes after its content.
        used = {part.file for part in upload.scan().all}
        for name in listed:
            if name.startswith(OWN_CONTENT) and name not in used and self.may():
                with suppress(FileNotFoundError):
                    if self._is_old(os.stat(name, dir_fd=upload.fd, follow_symlinks=False)):
                        upload.bucket.disk.unlink(name, upload.fd)
                        self._left -= 1


def _buckets(work: _Work) -> Iterator[Bucket]:
    """All top-level buckets, and those within them that have had uploads."""
    for entry in sorted(map(os.fsdecode, names_in(work.volume.fd))):
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
    with entries(upload.fd) as found:
        for entry in found:
            if entry.name.startswith(("data.", "own.")):
                with suppress(FileNotFoundError):
                    times.append(entry.stat(follow_symlinks=False).st_mtime_ns)
    return max([newest, *times])
