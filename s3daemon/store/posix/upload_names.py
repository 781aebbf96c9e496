"""The names in the directory of a multipart upload, which are most of its state.

Everything is in ``_s3_multipart_tmp/UPLOAD-ID/`` beneath the bucket's directory, so that any
process on any node can go on with it::

    upload.json              {"v", "key", "owner", "initiated", "sys", "meta", "tags"}
    data.SIZE                parts, number N at offset SIZE * (N - 1); sparse
    own.HEX                  the content of one part that is not at its offset
    claim.NUMBER             somebody writes, or has written, part NUMBER into a ``data`` file
    again.NUMBER             part NUMBER has been stored in an ``own`` file, so look for others
    part.NUMBER.TIME.SIZE.MD5.WHERE[.ALGORITHM-HEX]
                             an empty file whose name is the record of a stored part; WHERE is
                             ``s`` and the SIZE of a ``data`` file, or ``o`` and the HEX of an own
                             one; behind it the checksum of the part, if it has one
    sealed                   the upload is being completed: no part may be begun any more
    whole, publishing        the object assembled from parts, and that it is about to be published

A directory without ``upload.json`` is no upload.  The name of a record is created when the content
is durable.  Of several records of one number the one with the latest time counts; a later one is
given a later time whatever the clock says.

An upload whose ``data`` file is not there although a record speaks of it, or that has
``publishing`` and no ``whole``, was completed; that file is, or was, the object.

Names in ``_s3_multipart_tmp`` that are no upload ids: ``.gone-HEX``, an upload that is being
removed; ``.within-HEX``, a file that holds the name of a bucket within this one which has had
uploads.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable

import attrs

from s3daemon.store.interfaces import Checksum, PartInfo
from s3daemon.store.posix.names import UPLOADS_DIR

STATE = b"upload.json"
SEALED = b"sealed"
WHOLE = b"whole"
PUBLISHING = b"publishing"
#: What the names of files begin with that are somebody's own until a record, or the state, is made.
OWN_CONTENT = (b"own.", b"new.")
#: An upload, and anything else, that is on its way out.
GONE = b".gone-"
#: A pointer to a bucket within this one.
WITHIN = b".within-"

_ID = re.compile(r"[0-9a-f]{32}")
_PART = re.compile(
    rb"part\.([0-9]{5})\.([0-9]{1,20})\.([0-9]{1,15})\.([0-9a-f]{32})\.(s[0-9]{1,15}|o[0-9a-f]{32})"
    rb"(?:\.([a-z0-9]{1,10}-(?:[0-9a-f]{2}){1,64}))?"
)
_CLAIM = re.compile(rb"claim\.([0-9]{5})")
_DATA = re.compile(rb"data\.([0-9]{1,15})")


@attrs.frozen
class Part:
    """The record of a stored part.

    :ivar stride: SIZE of the ``data`` file it is in, None when it has a file of its own.
    :ivar file: name of the file it is in; :ivar offset: where in it.
    :ivar checksum: in the form of the name, ``crc32-cbf43926``; empty where there is none.  The
        longest one, of 512 bits, makes a name of 251 bytes.
    """

    number: int
    time_ns: int
    size: int
    etag: str
    where: bytes
    checksum: bytes = b""

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
        name = record.encode() + self.where
        return name + b"." + self.checksum if self.checksum else name

    @property
    def info(self) -> PartInfo:
        """The part as the interface knows it."""
        return PartInfo(
            self.number, self.size, self.etag, self.time_ns, _read_checksum(self.checksum)
        )


def write_checksum(checksum: Checksum | None) -> bytes:
    """A checksum as :class:`Part` has it.  In hex: there are file systems that fold case."""
    if checksum is None:
        return b""
    digest = base64.b64decode(checksum.value, validate=True)
    return f"{checksum.algorithm.lower()}-{digest.hex()}".encode()


def _read_checksum(written: bytes) -> Checksum | None:
    if not written:
        return None
    algorithm, _, digest = written.decode().partition("-")
    return Checksum(algorithm.upper(), base64.b64encode(bytes.fromhex(digest)).decode())


def claim_name(number: int) -> bytes:
    """The name of the claim of a part."""
    return b"claim.%05d" % number


def again_name(number: int) -> bytes:
    """The name of the mark that a part is, or was, in a file of its own."""
    return b"again.%05d" % number


@attrs.frozen
class Scan:
    """What the names in an upload's directory say.

    :ivar parts: number -> the record that counts.
    :ivar all: every record.
    :ivar claims: claimed numbers.
    :ivar strides: SIZE of each ``data`` file that is there.
    :ivar published: whether the upload was completed already, as far as the names can tell.
    """

    parts: dict[int, Part]
    all: tuple[Part, ...]
    claims: frozenset[int]
    strides: frozenset[int]
    published: bool

    @property
    def unfinished(self) -> frozenset[int]:
        """Claimed numbers that have no record in a ``data`` file: somebody may be writing."""
        return self.claims - {part.number for part in self.all if part.stride is not None}

    def of(self, number: int) -> list[Part]:
        """All records of a number."""
        return [part for part in self.all if part.number == number]


def read_names(names: Iterable[bytes]) -> Scan:
    """Understand the names in an upload's directory; what is not understood is left alone."""
    parts: dict[int, Part] = {}
    found: list[Part] = []
    claims: set[int] = set()
    strides: set[int] = set()
    marks: set[bytes] = set()
    for name in names:
        match = _PART.fullmatch(name)
        if match is not None:
            number, time_ns, size, etag, where, checksum = match.groups(b"")
            part = Part(int(number), int(time_ns), int(size), etag.decode(), where, checksum)
            found.append(part)
            known = parts.get(part.number)
            # Those of one moment are in no order, but every reader must choose the same.
            if (
                known is None
                or known.time_ns < part.time_ns
                or (known.time_ns == part.time_ns and known.name < part.name)
            ):
                parts[part.number] = part
        elif (match := _CLAIM.fullmatch(name)) is not None:
            claims.add(int(match[1]))
        elif (match := _DATA.fullmatch(name)) is not None:
            strides.add(int(match[1]))
        else:
            marks.add(name)
    published = PUBLISHING in marks and WHOLE not in marks
    published |= any(part.stride not in strides for part in found if part.stride is not None)
    return Scan(parts, tuple(found), frozenset(claims), frozenset(strides), published)


def path_of(upload_id: str) -> bytes:
    """Where an upload's directory is, from the bucket's."""
    return UPLOADS_DIR + b"/" + upload_id.encode()


def is_upload_id(text: str) -> bool:
    """Whether the text has the shape of an upload id; nothing else ever becomes part of a path."""
    return _ID.fullmatch(text) is not None
