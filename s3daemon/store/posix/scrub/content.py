"""Whether a content is what its record says: read once, in the bounds of its parts.

What is compared: the ETag (MD5 of the content, or of the MD5s of the parts), a checksum of the
whole content, and those of the parts.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Literal

import attrs

from s3daemon.store.interfaces import Checksum
from s3daemon.store.posix import metadata
from s3daemon.store.posix.metadata import Record
from s3daemon.store.posix.scrub.pacing import Pacer
from s3daemon.wire import checksums
from s3daemon.wire.checksums import Hasher

#: ``unknown``: there is nothing that could be compared.
Verdict = Literal["true", "false", "unknown"]

_MD5 = re.compile(r"[0-9a-f]{32}")
_OF_PARTS = re.compile(r"([0-9a-f]{32})-([1-9][0-9]{0,4})")


@attrs.frozen
class Judgement:
    """What came out.

    :ivar detail: what differs; "" where nothing does.
    """

    verdict: Verdict
    detail: str = ""


class Changed(Exception):
    """There are fewer bytes than there were: somebody is writing into the file."""


def judge(fd: int, size: int, record: Record, pacer: Pacer) -> Judgement:
    """Compare the content of an open file with what its record says of it.

    :param size: of the content.
    :raises Changed:
    :raises Stopped: see :class:`Pacer`.
    :raises OSError: it cannot be read.
    """
    etag = record.etag or ""
    checksum = metadata.checksum_of(record)
    if checksum is not None and checksums.ALGORITHMS[checksum.algorithm].make is None:
        checksum = None
    sizes = metadata.part_sizes(record.parts)
    match = _OF_PARTS.fullmatch(etag)
    if match is not None and sizes:
        if int(match[2]) != len(sizes) or sum(sizes) != size:
            parts = f"{len(sizes)} parts of {sum(sizes)} bytes together"
            return Judgement("false", f"the record has {parts}, the ETag {etag}, the file {size}")
    elif _MD5.fullmatch(etag):
        sizes = ()
    elif checksum is not None and checksum.kind == checksums.FULL_OBJECT:
        etag, sizes = "", ()
    else:
        return Judgement("unknown")
    expected = metadata.part_checksums_of(record) if sizes and checksum is not None else ()
    seen = _read(fd, sizes or (size,), checksum, pacer)
    return _compare(seen, etag, bool(sizes), checksum, expected)


@attrs.frozen
class _Seen:
    """Digests that were computed, of each part and of all of it.

    :ivar parts: with the algorithm of the checksum; none where there is no checksum.
    """

    md5s: Sequence[bytes]
    parts: Sequence[bytes]
    whole: bytes


def _read(fd: int, sizes: Sequence[int], checksum: Checksum | None, pacer: Pacer) -> _Seen:
    md5s: list[bytes] = []
    parts: list[bytes] = []
    whole = None if checksum is None else checksums.hasher(checksum.algorithm)
    offset = 0
    for size in sizes:
        md5 = hashlib.md5(usedforsecurity=False)
        hashers: list[Hasher] = [md5]
        if checksum is not None and whole is not None:
            hashers.append(whole)
            if len(sizes) > 1:
                hashers.append(checksums.hasher(checksum.algorithm))
        for piece in pieces(fd, offset, size, pacer):
            for hasher in hashers:
                hasher.update(piece)
        offset += size
        md5s.append(md5.digest())
        if len(hashers) > 1:
            parts.append(hashers[-1].digest())
    return _Seen(md5s, parts, b"" if whole is None else whole.digest())


def _compare(
    seen: _Seen,
    etag: str,
    in_parts: bool,
    checksum: Checksum | None,
    expected: Sequence[str],
) -> Judgement:
    if etag:
        found = _etag_of_parts(seen.md5s) if in_parts else seen.md5s[0].hex()
        if found != etag:
            return Judgement("false", f"the ETag is {etag}, that of the content {found}")
    if checksum is None:
        return Judgement("true")
    for number, (digest, value) in enumerate(zip(seen.parts, expected, strict=False), 1):
        if checksums.encode(digest) != value:
            return Judgement("false", f"the {checksum.algorithm} of part {number} differs")
    if checksum.kind == checksums.COMPOSITE:
        if not in_parts:
            return Judgement("true")  # of parts that nobody knows
        value = checksums.composite(checksum.algorithm, seen.parts)
    else:
        value = checksums.encode(seen.whole)
    if value != checksum.value:
        return Judgement(
            "false", f"the {checksum.algorithm} is {checksum.value}, that of the content {value}"
        )
    return Judgement("true")


def _etag_of_parts(md5s: Sequence[bytes]) -> str:
    """S3 user guide, "Checking object integrity": the ETag of an upload in parts."""
    joined = hashlib.md5(b"".join(md5s), usedforsecurity=False).hexdigest()
    return f"{joined}-{len(md5s)}"


def pieces(fd: int, offset: int, size: int, pacer: Pacer) -> Iterator[bytes]:
    """A range of an open file, at the pace that is allowed, from the device.

    What the kernel has in memory is dropped first, or nobody would see what the device has; and
    afterwards, as nobody else has asked for it.

    :raises Changed: it ends before.
    :raises OSError:
    """
    _drop(fd, offset, size)
    done = 0
    while done < size:
        step = min(size - done, pacer.step)
        pacer.spend(step)
        piece = os.pread(fd, step, offset + done)
        if not piece:
            raise Changed
        yield piece
        done += len(piece)
    _drop(fd, offset, size)


def _drop(fd: int, offset: int, size: int) -> None:
    """Ask for the pages of a range to be dropped.  posix_fadvise(2); only advice."""
    if size:
        with suppress(OSError):
            os.posix_fadvise(fd, offset, size, os.POSIX_FADV_DONTNEED)
