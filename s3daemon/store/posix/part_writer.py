"""Writing one part of an upload.

A part whose size is known beforehand goes straight to its offset in a file that Complete can
publish as it is.  That place must be nobody else's: it is claimed first (a file that only one can
create), and whoever finds it claimed writes a file of its own instead.  So what was acknowledged is
never written over, whatever is uploaded again.

Complete seals the upload and then looks for claims; a writer claims and then looks for the seal.
One of the two sees the other, so nobody writes into a file that is being published.
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from contextlib import suppress

from zope.interface import implementer

from s3daemon.store.interfaces import IPartWriter, NoSuchUpload, PartInfo, Unavailable
from s3daemon.store.posix import private
from s3daemon.store.posix.durable import Disk, facts
from s3daemon.store.posix.upload_state import SEALED, Part, UploadDir, claim_name
from s3daemon.store.posix.volume import Bucket


@implementer(IPartWriter)
class PosixPartWriter:
    """The content of one part.  It owns the bucket and the directory it is given.

    :param size: announced bytes, None when they are not known.
    """

    def __init__(
        self, disk: Disk, bucket: Bucket, upload: UploadDir, number: int, size: int | None
    ) -> None:
        self._disk = disk
        self._bucket = bucket
        self._upload = upload
        self._number = number
        self._announced = size
        self._written = 0
        self._fd = -1
        self._where = b""
        self._claimed = False
        self._done = False

    @facts
    def write(self, data: Sequence[bytes]) -> None:
        """See :meth:`IPartWriter.write`."""
        size = sum(map(len, data))
        if not size:
            return
        try:
            self._open()
            if self._claimed and self._written + size > (self._announced or 0):
                self._move_out()
            offset = (self._announced or 0) * (self._number - 1) if self._claimed else 0
            self._written += self._disk.pwrite(self._fd, data, offset + self._written)
        except BaseException as exc:
            self.abort()
            self._explain(exc)
            raise

    @facts
    def commit(self, etag: str) -> PartInfo:
        """See :meth:`IPartWriter.commit`."""
        try:
            self._open()
            self._disk.settle(self._fd)
            part = Part(self._number, self._time_ns(), self._written, etag, self._where)
            os.close(self._disk.create(part.name, self._upload.fd))
            # From here on the record speaks of the content, acknowledged or not: both stay.
            self._claimed, self._where = False, b""
            self._disk.fsync(self._upload.fd)
            if not self._upload.is_current():
                raise NoSuchUpload(self._upload.upload_id)
            self._forget_earlier(part)
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
                os.close(fd)
        if self._upload.fd >= 0:
            with suppress(OSError):
                if self._claimed:
                    self._claimed = False
                    self._disk.unlink(claim_name(self._number), self._upload.fd)
                elif self._where.startswith(b"o"):
                    self._disk.unlink(b"own." + self._where[1:], self._upload.fd)
        self._upload.close()
        self._bucket.close()

    # -------------------------------------------------------- where to

    def _open(self) -> None:
        if self._done:
            raise Unavailable("the writer is closed")
        if self._fd >= 0:
            return
        self._claimed = bool(self._announced) and self._claim()
        if self._upload.has(SEALED) or not self._upload.is_current():
            raise NoSuchUpload("the upload is being completed, or is gone")
        if self._claimed:
            self._where = b"s%d" % (self._announced or 0)
            self._fd = self._disk.open_or_create(b"data." + self._where[1:], self._upload.fd)
        else:
            self._open_own()

    def _claim(self) -> bool:
        try:
            os.close(self._disk.create(claim_name(self._number), self._upload.fd))
        except FileExistsError:
            return False
        return True

    def _open_own(self) -> None:
        unique = private.unique()
        self._fd = self._disk.create(b"own." + unique, self._upload.fd)
        self._where = b"o" + unique

    def _move_out(self) -> None:
        """More comes than was announced: go on in a file of our own, and leave the neighbours."""
        source, stride = self._fd, self._announced or 0
        try:
            self._open_own()
            self._disk.copy(source, self._fd, self._written, stride * (self._number - 1))
        finally:
            os.close(source)
        self._claimed = False
        self._disk.unlink(claim_name(self._number), self._upload.fd)

    # -------------------------------------------------------- records

    def _time_ns(self) -> int:
        """A time later than that of every record of this number.

        Who holds the claim is the first, or has no order with whoever came at the same time.
        """
        now = time.time_ns()
        if self._claimed:
            return now
        earlier = self._upload.scan().of(self._number)
        return max([now, *(part.time_ns + 1 for part in earlier)])

    def _forget_earlier(self, part: Part) -> None:
        """Remove what the new part takes the place of; what stays does no harm."""
        if part.stride is not None:
            return
        with suppress(OSError):
            for other in self._upload.scan().of(part.number):
                if other.time_ns < part.time_ns:
                    self._disk.unlink(other.name, self._upload.fd)
                    if other.stride is None:
                        self._disk.unlink(other.file, self._upload.fd)

    def _explain(self, exc: BaseException) -> None:
        """An error of a directory that was removed means that the upload is gone."""
        if isinstance(exc, FileNotFoundError):
            raise NoSuchUpload(self._upload.upload_id) from exc
