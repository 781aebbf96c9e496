"""The directory of a multipart upload, and what the object is to become.

What is where is drawn in :mod:`s3daemon.store.posix.upload_names`.
"""

from __future__ import annotations

import json
import os
from types import TracebackType
from typing import Any

from s3daemon.store.interfaces import Attributes, Corrupt, NoSuchUpload, UploadInfo
from s3daemon.store.posix import lock_kinds, locks, private
from s3daemon.store.posix.descriptors import release
from s3daemon.store.posix.durable import Disk
from s3daemon.store.posix.entries import names_in
from s3daemon.store.posix.errnos import GONE
from s3daemon.store.posix.packing import dump_acl, parse_acl
from s3daemon.store.posix.paths import DIRECTORY, READ, open_quietly
from s3daemon.store.posix.upload_names import (
    SEALED,
    STATE,
    WHOLE,
    Scan,
    is_upload_id,
    path_of,
    read_names,
)
from s3daemon.store.posix.volume import Bucket
from s3daemon.wire import checksums

_OPEN = DIRECTORY | os.O_NOFOLLOW
_NO_CHECKSUM = (None, None)
_CHECKSUM_TYPES = (checksums.COMPOSITE, checksums.FULL_OBJECT)


class UploadDir:
    """The directory of an upload, open.

    :ivar fd: its descriptor; a lock on it keeps completing, aborting and expiring apart.
    :ivar path: where it is, from the bucket's descriptor.
    """

    def __init__(self, bucket: Bucket, upload_id: str, fd: int) -> None:
        self.bucket = bucket
        self.upload_id = upload_id
        self.path = path_of(upload_id)
        self.fd = fd
        self._locked = -1

    def close(self) -> None:
        """Let go, of the lock too.  May be called twice."""
        for fd in (self._locked, self.fd):
            if fd >= 0:
                release(fd)
        self.fd = self._locked = -1

    def try_lock(self, kind: str) -> bool | None:
        """Lock the upload until it is closed; answers as :func:`locks.try_lock`.

        The directory itself is locked, and the state in it by the lock that the probe has proved.
        NFS does not lock directories, as it wants a descriptor that is open for writing; FUSE lets
        one lock them, and no other node hears of it.

        :param kind: of the proved lock; "" for none.
        """
        taken = locks.try_lock(self.fd)
        if taken is False or not kind:
            return taken
        try:
            fd = os.open(STATE, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW, dir_fd=self.fd)
        except OSError:
            return taken  # there is nothing (any more) that could be completed
        try:
            by_state = lock_kinds.take(kind, fd, exclusive=True)
        except OSError:
            os.close(fd)
            return taken
        if by_state:
            self._locked = fd
            return True
        os.close(fd)
        locks.unlock(self.fd)
        return False

    def lock(self, kind: str) -> bool | None:
        """The same, with some patience."""
        return locks.patiently(lambda: self.try_lock(kind))

    def unlock(self) -> None:
        """Let go of the lock without closing the directory."""
        fd, self._locked = self._locked, -1
        if fd >= 0:
            release(fd)
        locks.unlock(self.fd)

    def __enter__(self) -> UploadDir:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def is_current(self) -> bool:
        """Whether the upload still is: not aborted, completed, or gone with its bucket."""
        try:
            now = os.stat(self.path, dir_fd=self.bucket.fd, follow_symlinks=False)
            return os.path.samestat(now, os.fstat(self.fd))
        except OSError as exc:
            if exc.errno in GONE:
                return False
            raise

    def has(self, name: bytes) -> bool:
        """Whether there is an entry of this name."""
        try:
            os.stat(name, dir_fd=self.fd, follow_symlinks=False)
        except FileNotFoundError:
            return False
        return True

    def scan(self) -> Scan:
        """Read the names."""
        return read_names(names_in(self.fd))

    def was_published(self) -> bool:
        """Whether it was completed, by somebody who did not come to removing it: a crash did.

        Where files cannot be renamed to a name only if it is free, that takes two steps; between
        them the object has a name here as well.
        """
        if not self.has(SEALED):
            return False
        scan = self.scan()
        files = [WHOLE, *(b"data.%d" % stride for stride in scan.strides)]
        return scan.published or any(self._is_linked(name) for name in files)

    def _is_linked(self, name: bytes) -> bool:
        """Whether a file has another name somewhere."""
        try:
            return os.stat(name, dir_fd=self.fd, follow_symlinks=False).st_nlink > 1
        except FileNotFoundError:
            return False

    def info(self) -> UploadInfo:
        """What the upload is to become.

        :raises NoSuchUpload: there is no state (yet, or any more).
        :raises Corrupt: the state cannot be understood.
        """
        return read_state(self.upload_id, self.fd)


def open_upload(bucket: Bucket, upload_id: str) -> UploadDir:
    """Open the directory of an upload.  :raises NoSuchUpload:"""
    if not is_upload_id(upload_id):
        raise NoSuchUpload("the text has not the shape of an upload id")
    try:
        fd = open_quietly(path_of(upload_id), _OPEN, bucket.fd)
    except (FileNotFoundError, NotADirectoryError) as exc:
        raise NoSuchUpload(upload_id) from exc
    return UploadDir(bucket, upload_id, fd)


def find_upload(bucket: Bucket, key: str, upload_id: str) -> tuple[UploadDir, UploadInfo]:
    """Open an upload of this key.  :raises NoSuchUpload:"""
    at = open_upload(bucket, upload_id)
    try:
        info = at.info()
        if info.key != key:
            raise NoSuchUpload("the upload is for another key")
    except BaseException:
        at.close()
        raise
    return at, info


# ---------------------------------------------------------------- the state


def write_state(disk: Disk, upload: UploadInfo, fd: int) -> None:
    """Write the state into a new upload's directory, durably."""
    kept = upload.attributes
    document: dict[str, Any] = {
        "v": 1,
        "key": upload.key,
        "owner": upload.owner,
        "initiated": upload.initiated_ns,
        "sys": dict(kept.system),
        "meta": dict(kept.metadata),
        "tags": kept.tags,
    }
    if kept.acl is not None:
        document["acl"] = dump_acl(kept.acl)
    if upload.checksum_algorithm is not None:
        document["checksum"] = [upload.checksum_algorithm, upload.checksum_type]
    # Under another name first: a state is there whole or not at all.
    staged = b"new." + private.unique()
    state = disk.create(staged, fd)
    try:
        disk.write(state, [json.dumps(document, separators=(",", ":")).encode()])
        disk.settle(state)
    finally:
        os.close(state)
    disk.rename(staged, fd, STATE, fd)
    disk.sync_names(fd)


def read_state(upload_id: str, fd: int) -> UploadInfo:
    """See :meth:`UploadDir.info`."""
    try:
        state = open_quietly(STATE, READ | os.O_NOFOLLOW, fd)
    except FileNotFoundError as exc:
        raise NoSuchUpload(upload_id) from exc
    with open(state, "rb") as file:
        return parse_state(upload_id, file.read())


def parse_state(upload_id: str, raw: bytes) -> UploadInfo:
    """What :func:`write_state` wrote.

    :raises Corrupt: somebody else wrote it, or a later version did.
    """
    try:
        fields = json.loads(raw)
        if fields["v"] != 1:
            raise ValueError("the state is of a later format")
        texts = [fields["key"], *fields["sys"].values(), *fields["meta"].values()]
        if not all(isinstance(text, str) for text in [*texts, fields["owner"] or ""]):
            raise ValueError("a field is not text")
        tags = tuple((str(key), str(value)) for key, value in fields["tags"])
        acl = parse_acl(fields.get("acl"))
        attributes = Attributes(fields["sys"], fields["meta"], tags, acl)
        algorithm, kind = fields.get("checksum", _NO_CHECKSUM)
        if (algorithm, kind) != _NO_CHECKSUM and not (
            algorithm in checksums.ALGORITHMS and kind in _CHECKSUM_TYPES
        ):
            raise ValueError("the checksum is of a kind that is not known")
        return UploadInfo(
            fields["key"],
            upload_id,
            fields["owner"],
            int(fields["initiated"]),
            attributes,
            algorithm,
            kind,
        )
    except (
        *(ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError),
    ) as exc:
        raise Corrupt(f"state of upload {upload_id}: {exc}") from exc
