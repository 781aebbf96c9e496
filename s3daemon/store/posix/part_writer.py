"""Writing one part of an upload.

A part whose size is known beforehand goes straight to its offset in a file that Complete can
publish as it is.  That place must be nobody else's: it is claimed first (a file that only one can
create), and whoever finds it claimed writes a file of its own instead.  So what was acknowledged is
never written over, whatever is uploaded again.

Complete seals the upload and then looks for claims; a writer claims and then looks for the seal.
One of the two sees the other, so nobody writes into a file that is being published.  A seal that
nobody holds the lock of is what a crash has left, and is broken; so is a claim (see
:mod:`s3daemon.store.posix.claims`).
"""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Sequence
from contextlib import suppress

from zope.interface import implementer

from s3daemon.store.interfaces import (
    Busy,
    Checksum,
    IPartWriter,
    NoSuchUpload,
    PartInfo,
    Unavailable,
    UploadInfo,
)
from s3daemon.store.posix import claims, private
from s3daemon.store.posix.claims import Claim
from s3daemon.store.posix.durable import Disk
from s3daemon.store.posix.errnos import facts
from s3daemon.store.posix.upload_names import (
    SEALED,
    Part,
    again_name,
    claim_name,
    write_checksum,
)
from s3daemon.store.posix.upload_state import UploadDir
from s3daemon.store.posix.volume import Bucket

#: Where no part is put at its offset any more: ext4 ends at 16 TiB, and 10,000 parts of 5 GiB, not
#: all of which can be in one object, would reach 49.
_MAX_OFFSET = 8 * 1024**4


@implementer(IPartWriter)
class PosixPartWriter:
    """The content of one part.  It owns the bucket and the directory it is given.

    :param size: announced bytes, None when they are not known.
    :param locks: the kind that holds between processes here, "" for none.
    """

    def __init__(
        self,
        disk: Disk,
        bucket: Bucket,
        upload: UploadDir,
        info: UploadInfo,
        number: int,
        size: int | None,
        locks: str,
    ) -> None:
        self.upload = info
        self._disk = disk
        self._bucket = bucket
        self._upload = upload
        self._number = number
        self._announced = size or 0
        self._written = 0
        self._fd = -1
        self._where = b""
        self._locks = locks
        self._claim = Claim()
        self._claimed = False
        self._stride = 0
        self._done = False

    @facts
    def write(self, data: Sequence[bytes]) -> None:
        """See :meth:`IPartWriter.write`."""
        size = sum(map(len, data))
        if not size:
            return
        try:
            self._open()
            if self._claimed and self._written + size > self._stride:
                self._move_out()
            offset = self._stride * (self._number - 1) if self._claimed else 0
            self._written += self._disk.pwrite(self._fd, data, offset + self._written)
        except BaseException as exc:
            try:
                self._explain(exc)
            finally:
                self.abort()
            raise

    @facts
    def commit(self, etag: str, checksum: Checksum | None = None) -> PartInfo:
        """See :meth:`IPartWriter.commit`."""
        try:
            self._open()
            self._disk.settle(self._fd)
            earlier = self._earlier()
            time_ns = max([time.time_ns(), *(part.time_ns + 1 for part in earlier)])
            part = Part(
                self._number, time_ns, self._written, etag, self._where, write_checksum(checksum)
            )
            self._record(part)
            self._disk.sync_names(self._upload.fd)
            if not self._upload.is_current():
                raise NoSuchUpload(self._upload.upload_id)
            self._forget(earlier)
            return part.info
        except OSError as exc:
            self._explain(exc)
            raise
        finally:
            self.abort()

    def abort(self) -> None:
        """See :meth:`IPartWriter.abort`.  Never fails: what stays goes with the upload."""
        self._done = True
        fd, self._fd = self._fd, -1
        with suppress(OSError):
            if fd >= 0:
                try:
                    if self._claimed:
                        self._give_back(fd)
                finally:
                    os.close(fd)
        if self._upload.fd >= 0:
            with suppress(OSError):
                if self._where.startswith(b"o"):
                    self._disk.unlink(b"own." + self._where[1:], self._upload.fd)
            with suppress(OSError):
                if self._claimed:
                    self._disk.unlink(claim_name(self._number), self._upload.fd)
            self._claimed, self._where = False, b""
        # Last: who finds the lock free takes the claim for one that a crash has left.
        self._claim.close()
        self._upload.close()
        self._bucket.close()

    # -------------------------------------------------------- where to

    def _open(self) -> None:
        if self._done:
            raise Unavailable("the writer is closed")
        if self._fd >= 0:
            return
        self._claimed = 0 < self._announced * self._number <= _MAX_OFFSET and self._take_claim()
        if self._upload.has(SEALED):
            self._break_seal()
        if not self._upload.is_current():
            raise NoSuchUpload(self._upload.upload_id)
        if self._claimed:
            self._open_data()
        else:
            self._open_own()

    def _break_seal(self) -> None:
        """Remove a seal that a crash has left.

        :raises NoSuchUpload: the upload is no more.
        :raises Busy: somebody completes it, which may fail, so that it stays.
        """
        upload = self._upload
        if not upload.lock(self._locks):
            if not upload.is_current():
                raise NoSuchUpload(upload.upload_id)
            raise Busy("the upload is being completed")
        try:
            if not upload.is_current() or upload.was_published():
                raise NoSuchUpload("the upload has been completed")
            with suppress(FileNotFoundError):
                self._disk.unlink(SEALED, upload.fd)
        finally:
            upload.unlock()

    def _take_claim(self) -> bool:
        claim = claims.take(self._disk, self._upload.fd, self._number, self._locks)
        if claim is None:
            return False
        self._claim = claim
        return True

    def _open_data(self) -> None:
        self._stride = self._find_stride()
        self._where = b"s%d" % self._stride
        self._fd = self._disk.open_or_create(b"data." + self._where[1:], self._upload.fd)

    def _find_stride(self) -> int:
        """The SIZE of the ``data`` file to write into: usually that of the part.

        The first part of its size that has the highest number so far is likely to be the last one,
        which is short: then its place is behind the others, and Complete has nothing to copy.
        """
        size = self._announced
        if self._upload.has(b"data.%d" % size):
            return size
        scan = self._upload.scan()
        stride = max(scan.strides, default=0)
        if stride <= size or stride * self._number > _MAX_OFFSET:
            return size
        # Not even the claim just made is there if the upload is being removed.
        return stride if self._number == max(scan.claims, default=0) else size

    def _open_own(self) -> None:
        unique = private.unique()
        self._fd = self._disk.create(b"own." + unique, self._upload.fd)
        self._where = b"o" + unique

    def _move_out(self) -> None:
        """More comes than was announced: go on in a file of our own, and leave the neighbours."""
        source, offset = self._fd, self._stride * (self._number - 1)
        self._fd = -1
        try:
            self._open_own()
            self._disk.copy(source, self._fd, self._written, offset)
            with suppress(OSError):
                self._give_back(source)
        finally:
            os.close(source)
        self._disk.unlink(claim_name(self._number), self._upload.fd)
        self._claimed = False

    def _give_back(self, fd: int) -> None:
        """Free what was written into a place that is still ours alone: a full disk needs it."""
        self._disk.punch(fd, self._stride * (self._number - 1), self._stride)

    # -------------------------------------------------------- records

    def _record(self, part: Part) -> None:
        """Create the record.  From then on it speaks of the content, acknowledged or not: both
        stay, also where nobody can tell whether it is there."""
        content = self._claimed, self._where
        self._claimed, self._where = False, b""
        try:
            self._disk.create_empty(part.name, self._upload.fd)
        except OSError:
            if not self._upload.has(part.name):
                self._claimed, self._where = content
            raise

    def _earlier(self) -> list[Part]:
        """All records of this number that are there.

        Reading the names takes time that grows with the parts, so it is not done where there can
        be none: who holds the claim is the first, unless a file of its own says otherwise.
        """
        again = again_name(self._number)
        if self._claimed:
            return self._upload.scan().of(self._number) if self._upload.has(again) else []
        with suppress(FileExistsError):
            self._disk.create_empty(again, self._upload.fd)
        return self._upload.scan().of(self._number)

    def _forget(self, parts: list[Part]) -> None:
        """Remove what the new part takes the place of; what stays does no harm.

        A record in a ``data`` file stays: it says that the claim of its place is not in use.
        """
        with suppress(OSError):
            for part in parts:
                if part.stride is None:
                    self._disk.unlink(part.name, self._upload.fd)
                    self._disk.unlink(part.file, self._upload.fd)

    def _explain(self, exc: BaseException) -> None:
        """An error of a directory that was removed means that the upload is gone.

        Of what another node has removed, shared file systems say ESTALE (NFS, GlusterFS) or EBADF
        (JuiceFS), of the names in it as of the open files.
        """
        if isinstance(exc, FileNotFoundError):
            raise NoSuchUpload(self._upload.upload_id) from exc
        if isinstance(exc, OSError) and exc.errno in (errno.ESTALE, errno.EBADF):
            with suppress(OSError):
                if not self._upload.is_current():
                    raise NoSuchUpload(self._upload.upload_id) from exc
