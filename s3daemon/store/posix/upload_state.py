"""The state of a multipart upload on disk, and how it is read.

Everything is in ``_s3_multipart_tmp/UPLOAD-ID/`` beneath the bucket's directory, so that any
process on any node can go on with it::

    upload.json              {"v", "key", "owner", "initiated", "sys", "meta", "tags"}
    data.SIZE                parts of SIZE bytes, number N at offset SIZE * (N - 1); sparse
    own.HEX                  the content of one part that is not at its offset
    claim.NUMBER             somebody writes, or has written, part NUMBER into a ``data`` file
    part.NUMBER.TIME.SIZE.MD5.WHERE
                             an empty file whose name is the record of a stored part; WHERE is
                             ``s`` and the SIZE of a ``data`` file, or ``o`` and the HEX of an own
                             one
    sealed                   the upload is being completed: no part may be begun any more

A directory without ``upload.json`` is no upload.  The name of a record is created when the content
is durable.  Of several records of one number the one with the latest time counts; a later one is
given a later time whatever the clock says.

Names in ``_s3_multipart_tmp`` that are no upload ids: ``.gone-HEX``, an upload that is being
removed; ``.within-HEX``, a file that holds the name of a bucket within this one which has had
uploads.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable
from types import TracebackType

import attrs

from s3daemon.store.interfaces import Attributes, Corrupt, NoSuchUpload, PartInfo, UploadInfo
from s3daemon.store.posix import private
from s3daemon.store.posix.durable import Disk
from s3daemon.store.posix.names import UPLOADS_DIR
from s3daemon.store.posix.paths import DIRECTORY
from s3daemon.store.posix.volume import Bucket

STATE = b"upload.json"
SEALED = b"sealed"
#: An upload, and anything else, that is on its way out.
GONE = b".gone-"
#: A pointer to a bucket within this one.
WITHIN = b".within-"

_OPEN = DIRECTORY | os.O_NOFOLLOW
_ID = re.compile(r"[0-9a-f]{32}")
_PART = re.compile(
    rb"part\.([0-9]{5})\.([0-9]{1,20})\.([0-9]{1,15})\.([0-9a-f]{32})\.(s[0-9]{1,15}|o[0-9a-f]{32})"
)
_CLAIM = re.compile(rb"claim\.([0-9]{5})")


@attrs.frozen
class Part:
    """The record of a stored part.

    :ivar stride: SIZE of the ``data`` file it is in, None when it has a file of its own.
    :ivar file: name of the file it is in; :ivar offset: where in it.
    """

    number: int
    time_ns: int
    size: int
    etag: str
    where: bytes

    @property
    def stride(self) -> int | None:
        """See the class."""
        return int(self.where[1:]) if self.where.startswith(b"s") else None

    @property
    def file(self) -> bytes:
        """See the class."""
        return (b"data." if self.where.startswith(b"s") else b"own.") + self.where[1:]

    @property
    def offset(self) -> int:
        """See the class."""
        stride = self.stride
        return 0 if stride is None else stride * (self.number - 1)

    @property
    def name(self) -> bytes:
        """The record as a name."""
        record = f"part.{self.number:05}.{self.time_ns}.{self.size}.{self.etag}."
        return record.encode() + self.where

    @property
    def info(self) -> PartInfo:
        """The part as the interface knows it."""
        return PartInfo(self.number, self.size, self.etag, self.time_ns)


def claim_name(number: int) -> bytes:
    """The name of the claim of a part."""
    return b"claim.%05d" % number


@attrs.frozen
class Scan:
    """What the names in an upload's directory say.

    :ivar parts: number -> the record that counts.
    :ivar all: every record.
    :ivar claims: claimed numbers.
    """

    parts: dict[int, Part]
    all: tuple[Part, ...]
    claims: frozenset[int]

    def of(self, number: int) -> list[Part]:
        """All records of a number."""
        return [part for part in self.all if part.number == number]


def read_names(names: Iterable[bytes]) -> Scan:
    """Understand the names in an upload's directory; what is not understood is left alone."""
    parts: dict[int, Part] = {}
    found: list[Part] = []
    claims: set[int] = set()
    for name in names:
        match = _PART.fullmatch(name)
        if match is not None:
            number, time_ns, size, etag, where = match.groups()
            part = Part(int(number), int(time_ns), int(size), etag.decode(), where)
            found.append(part)
            known = parts.get(part.number)
            if known is None or known.time_ns < part.time_ns:
                parts[part.number] = part
            continue
        match = _CLAIM.fullmatch(name)
        if match is not None:
            claims.add(int(match[1]))
    return Scan(parts, tuple(found), frozenset(claims))


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

    def close(self) -> None:
        """Let go, of the lock too.  May be called twice."""
        fd, self.fd = self.fd, -1
        if fd >= 0:
            os.close(fd)

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
        except FileNotFoundError:
            return False
        return os.path.samestat(now, os.fstat(self.fd))

    def has(self, name: bytes) -> bool:
        """Whether there is an entry of this name."""
        try:
            os.stat(name, dir_fd=self.fd, follow_symlinks=False)
        except FileNotFoundError:
            return False
        return True

    def scan(self) -> Scan:
        """Read the names."""
        return read_names(map(os.fsencode, os.listdir(self.fd)))

    def info(self) -> UploadInfo:
        """What the upload is to become.

        :raises NoSuchUpload: there is no state (yet, or any more).
        :raises Corrupt: the state cannot be understood.
        """
        return read_state(self.upload_id, self.fd)


def path_of(upload_id: str) -> bytes:
    """Where an upload's directory is, from the bucket's."""
    return UPLOADS_DIR + b"/" + upload_id.encode()


def is_upload_id(text: str) -> bool:
    """Whether the text has the shape of an upload id; nothing else ever becomes part of a path."""
    return _ID.fullmatch(text) is not None


def open_upload(bucket: Bucket, upload_id: str) -> UploadDir:
    """Open the directory of an upload.  :raises NoSuchUpload:"""
    if not is_upload_id(upload_id):
        raise NoSuchUpload("the text has not the shape of an upload id")
    try:
        fd = os.open(path_of(upload_id), _OPEN, dir_fd=bucket.fd)
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
    document = {
        "v": 1,
        "key": upload.key,
        "owner": upload.owner,
        "initiated": upload.initiated_ns,
        "sys": dict(kept.system),
        "meta": dict(kept.metadata),
        "tags": kept.tags,
    }
    # Under another name first: a state is there whole or not at all.
    staged = b"new." + private.unique()
    state = disk.create(staged, fd)
    try:
        disk.write(state, [json.dumps(document, separators=(",", ":")).encode()])
        disk.settle(state)
    finally:
        os.close(state)
    disk.rename(staged, fd, STATE, fd)
    disk.fsync(fd)


def read_state(upload_id: str, fd: int) -> UploadInfo:
    """See :meth:`UploadDir.info`."""
    try:
        state = os.open(STATE, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW, dir_fd=fd)
    except FileNotFoundError as exc:
        raise NoSuchUpload(upload_id) from exc
    with open(state, "rb") as file:
        raw = file.read()
    try:
        fields = json.loads(raw)
        if fields["v"] != 1:
            raise ValueError("the state is of a later format")
        tags = tuple((str(key), str(value)) for key, value in fields["tags"])
        attributes = Attributes(fields["sys"], fields["meta"], tags)
        return UploadInfo(
            fields["key"], upload_id, fields["owner"], int(fields["initiated"]), attributes
        )
    except (ValueError, TypeError, LookupError) as exc:
        raise Corrupt(f"state of upload {upload_id}: {exc}") from exc
