"""How the segments of a key are written as names on disk, and read back.

A key is split at ``/``.  A segment that a file system can hold is its own name (*natural*)::

    photos/cat.jpg            photos/cat.jpg

Every other segment, and a natural one whose name is taken by an entry of the other kind, takes an
escape, which says of what kind the entry is, so that a file and a directory never compete::

    .s3gate%f+SEGMENT         file of SEGMENT, verbatim (it may be empty, ".", "..", an escape)
    .s3gate%d+SEGMENT         directory of SEGMENT
    .s3gate%F+HEX             the same where that would exceed 255 bytes: HEX is the SHA-256 of
    .s3gate%D+HEX             SEGMENT, and SEGMENT is the field "name" of the entry's record

So two keys never share a name, and every name can be read back.  The key ``dir/`` ends in an empty
segment: its content is the file ``.s3gate%f+`` inside the directory, and when there is no content,
a record on the directory itself.

Names on disk are bytes; keys are text.
"""

from __future__ import annotations

import hashlib
import re
from typing import Literal

import attrs

from s3daemon.store.interfaces import MAX_KEY_BYTES, BadKey, KeyTooLong

#: The longest name of a directory entry, in bytes (``NAME_MAX``, limits.h).
MAX_NAME_BYTES = 255

#: Directory of the multipart manager, in every bucket.
UPLOADS_DIR = b"_s3_multipart_tmp"

#: Directory of everything else of ours, in every bucket and beneath the root.
PRIVATE_DIR = b".s3gate"

#: Names that are never those of a key segment, at whatever level: a bucket may lie in a bucket.
RESERVED = frozenset((UPLOADS_DIR, PRIVATE_DIR))

#: What every escape begins with; natural names never do.
ESCAPE = b".s3gate%"

_FILE = b".s3gate%f+"
_DIR = b".s3gate%d+"
_FILE_HASHED = b".s3gate%F+"
_DIR_HASHED = b".s3gate%D+"
_PREFIX_BYTES = len(_FILE)
_DIGEST = re.compile(rb"[0-9a-f]{64}")
_UNNATURAL = frozenset((b"", b".", b"..")) | RESERVED

Kind = Literal["natural", "file", "dir"]


@attrs.frozen
class Decoded:
    """What a name on disk says.

    :ivar segment: the key segment, or None when only its digest is in the name and the segment is
        in the entry's record.
    :ivar kind: "natural" for either kind of entry, else the only kind the name is valid for.
    """

    segment: bytes | None
    kind: Kind


def segments(key: str) -> tuple[bytes, ...]:
    """The segments of a key: at least one, and any of them may be empty.

    :raises BadKey: the text is empty, holds NUL or is not expressible in UTF-8.
    :raises KeyTooLong: it has more than 1,024 bytes.
    """
    try:
        raw = key.encode()
    except UnicodeEncodeError:
        raise BadKey("the key holds a lone surrogate") from None
    if not raw:
        raise BadKey("the key is empty")
    if len(raw) > MAX_KEY_BYTES:
        raise KeyTooLong(f"the key has {len(raw)} bytes")
    if b"\0" in raw:
        raise BadKey("the key holds NUL")
    return tuple(raw.split(b"/"))


def is_natural(segment: bytes) -> bool:
    """Whether a segment is its own name on disk (as long as no other kind of entry has it)."""
    return (
        segment not in _UNNATURAL
        and len(segment) <= MAX_NAME_BYTES
        and not segment.startswith(ESCAPE)
    )


def needs_record(segment: bytes) -> bool:
    """Whether the *escaped* forms hold only a digest, so that the record must hold the segment."""
    return len(segment) > MAX_NAME_BYTES - _PREFIX_BYTES


def file_name(segment: bytes) -> bytes:
    """The escaped name of the file of a segment."""
    if needs_record(segment):
        return _FILE_HASHED + hashlib.sha256(segment).hexdigest().encode()
    return _FILE + segment


def dir_name(segment: bytes) -> bytes:
    """The escaped name of the directory of a segment."""
    if needs_record(segment):
        return _DIR_HASHED + hashlib.sha256(segment).hexdigest().encode()
    return _DIR + segment


def decode(name: bytes) -> Decoded | None:
    """What a name found in a directory stands for, or None if for no segment of any key.

    That is so for reserved names, for malformed escapes, and for names that are not UTF-8 (no key
    can address them).  A segment that a record gives for a digest is to be checked with
    :func:`is_name_of`.
    """
    if name in RESERVED:
        return None
    try:
        name.decode()
    except UnicodeDecodeError:
        return None
    if not name.startswith(ESCAPE):
        return Decoded(name, "natural")
    prefix, payload = name[:_PREFIX_BYTES], name[_PREFIX_BYTES:]
    if prefix == _FILE:
        return Decoded(payload, "file")
    if prefix == _DIR:
        return Decoded(payload, "dir")
    if _DIGEST.fullmatch(payload):
        if prefix == _FILE_HASHED:
            return Decoded(None, "file")
        if prefix == _DIR_HASHED:
            return Decoded(None, "dir")
    return None


def is_name_of(name: bytes, segment: bytes) -> bool:
    """Whether an escaped name belongs to a segment; a wrong record must not alias two keys."""
    return b"/" not in segment and name in (file_name(segment), dir_name(segment))
