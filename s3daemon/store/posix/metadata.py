"""The packed record: everything S3 knows of a file or directory beside its bytes.

How it is written is the business of :mod:`packing`.

**The truth wins over the record.**  A record speaks of a content only while the stamp is that of
the file.  Otherwise the file was changed outside S3: the ETag is then a token made of what the
kernel says, with a dash, which no client takes for an MD5; it changes whenever the file does.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from typing import Any

import attrs

from s3daemon.store.interfaces import Attributes, Checksum, ObjectInfo
from s3daemon.wire.checksums import ALGORITHMS
from s3daemon.wire.grants import Grants

#: S3 user guide, "Amazon S3 multipart upload limits".
MAX_PARTS = 10_000

#: ETag of an object without bytes.
EMPTY_ETAG = "d41d8cd98f00b204e9800998ecf8427e"

_VALUE = re.compile("[A-Za-z0-9+/]{4,96}={0,2}(-[0-9]{1,5})?")
_VALUES = re.compile("[A-Za-z0-9+/=]+")

Tags = tuple[tuple[str, str], ...]

NOTHING: Mapping[str, Any] = {}


@attrs.frozen
class BucketRecord:
    """What CreateBucket, PutBucketTagging, PutBucketAcl and the operator said; see
    :class:`BucketInfo`."""

    owner: str | None
    created_ns: int
    tags: Tags | None = None
    acl: Grants | None = None
    ownership: str | None = None
    durability: str | None = None


@attrs.frozen
class Record:
    """A record; the fields are those of the table in :mod:`packing`.

    :ivar stamp: (size, mtime in ns, inode), or None.
    :ivar parts: run-length coded: (size, count) each.
    :ivar checksums: algorithm -> value, as in :class:`Checksum`; one at most is used.
    :ivar part_checksums: values of the parts, which are of one length, one after the other.
    :ivar put_ns: when a directory was put as an object; None for files and for other directories.
    :ivar extra: fields of a later version.
    :ivar damaged: there is something that cannot be understood: it counts as no record.
    :ivar later: that is so because a later version of the format wrote it.
    """

    etag: str | None = None
    stamp: tuple[int, int, int] | None = None
    parts: tuple[tuple[int, int], ...] = ()
    upload_id: str | None = None
    checksums: Mapping[str, str] = NOTHING
    system: Mapping[str, str] = NOTHING
    metadata: Mapping[str, str] = NOTHING
    tags: Tags = ()
    owner: str | None = None
    name: str | None = None
    implicit: bool = False
    put_ns: int | None = None
    bucket: BucketRecord | None = None
    spill: str | None = None
    extra: Mapping[str, Any] = NOTHING
    damaged: bool = False
    part_checksums: str | None = None
    acl: Grants | None = None
    later: bool = False

    @property
    def attributes(self) -> Attributes:
        """What the client said about the object."""
        return Attributes(self.system, self.metadata, self.tags, self.acl)


EMPTY = Record()
DAMAGED = Record(damaged=True)
LATER = Record(damaged=True, later=True)


def object_record(
    st: os.stat_result,
    etag: str,
    attributes: Attributes,
    owner: str | None,
    part_sizes: Sequence[int] = (),
    upload_id: str | None = None,
    name: str | None = None,
    checksum: Checksum | None = None,
    part_checksums: Sequence[str] = (),
) -> Record:
    """The record of a content that is now as ``st`` says."""
    return Record(
        etag=etag,
        stamp=stamp(st),
        parts=run_lengths(part_sizes),
        upload_id=upload_id,
        checksums=checksums(checksum),
        part_checksums="".join(part_checksums) or None,
        system=attributes.system,
        metadata=attributes.metadata,
        tags=attributes.tags,
        acl=attributes.acl,
        owner=owner,
        name=name,
    )


def content_of(record: Record) -> tuple[object, ...]:
    """What a record says of the content, which its stamp is about."""
    part_checksums = record.part_checksums
    return record.etag, record.parts, record.upload_id, dict(record.checksums), part_checksums


def on_directory(record: Record, old: Record) -> Record:
    """A record for a directory, with what its old one says of the directory itself."""
    return attrs.evolve(
        record, name=old.name, implicit=old.implicit, bucket=old.bucket, extra=old.extra
    )


def stamp(st: os.stat_result) -> tuple[int, int, int]:
    """What a content is recognised by."""
    return st.st_size, st.st_mtime_ns, st.st_ino


def object_info(key: str, st: os.stat_result, record: Record) -> ObjectInfo:
    """The facts of a regular file, as far as the record is still true of it."""
    attributes = Attributes(record.system, record.metadata, record.tags, record.acl)
    if record.etag is not None and record.stamp == (st.st_size, st.st_mtime_ns, st.st_ino):
        return ObjectInfo(
            key,
            st.st_size,
            st.st_mtime_ns,
            record.etag,
            attributes,
            record.owner,
            part_sizes(record.parts) if record.parts else (),
            record.upload_id,
            checksum=checksum_of(record) if record.checksums else None,
            part_checksums=part_checksums_of(record) if record.part_checksums else (),
        )
    return ObjectInfo(key, st.st_size, st.st_mtime_ns, _token(st), attributes, record.owner)


def folder_info(key: str, st: os.stat_result, record: Record) -> ObjectInfo:
    """The facts of a directory, which is an object if it was put as one."""
    attributes = Attributes(record.system, record.metadata, record.tags, record.acl)
    if record.put_ns is not None:
        etag = record.etag or EMPTY_ETAG
        checksum = checksum_of(record) if record.checksums else None
        return ObjectInfo(key, 0, record.put_ns, etag, attributes, record.owner, checksum=checksum)
    token = f"{st.st_mtime_ns:x}-0-{st.st_ino:x}"
    return ObjectInfo(key, 0, st.st_mtime_ns, token, attributes, record.owner, folder=True)


def checksums(checksum: Checksum | None) -> Mapping[str, str]:
    """A checksum as a record holds it."""
    return NOTHING if checksum is None else {checksum.algorithm: checksum.value}


def checksum_of(record: Record) -> Checksum | None:
    """The first one that can be used: other programs write records, and later versions."""
    for algorithm, value in record.checksums.items():
        if algorithm in ALGORITHMS and _VALUE.fullmatch(value):
            # Base64 has no dash, so this is the number of parts.
            return Checksum(algorithm, value, "COMPOSITE" if "-" in value else "FULL_OBJECT")
    return None


def part_checksums_of(record: Record) -> tuple[str, ...]:
    """The checksums of the parts one by one; nothing where they cannot be those of all parts."""
    text, count = record.part_checksums or "", sum(count for _, count in record.parts)
    if not count or len(text) % count or not _VALUES.fullmatch(text):
        return ()
    if checksum_of(record) is None:
        return ()
    length = len(text) // count
    return tuple(text[at : at + length] for at in range(0, len(text), length))


def is_token(etag: str) -> bool:
    """Whether an ETag is made of what the file system says, and not of the content."""
    return etag.count("-") == 2


def _token(st: os.stat_result) -> str:
    return f"{st.st_mtime_ns:x}-{st.st_size:x}-{st.st_ino:x}"


def run_lengths(sizes: Iterable[int]) -> tuple[tuple[int, int], ...]:
    """Run-length code: 5, 5, 5, 2 gives (5, 3), (2, 1)."""
    return tuple((size, sum(1 for _ in run)) for size, run in groupby(sizes))


def part_sizes(runs: Iterable[tuple[int, int]]) -> tuple[int, ...]:
    """The inverse of :func:`run_lengths`."""
    return tuple(size for size, count in runs for _ in range(count))


def core(record: Record, spill: str) -> Record:
    """What stays in the attribute when the whole record is in a spill file.

    It is enough to tell what the entry is, whose it is, and whether its content is still what it
    was.  A list of grants is no part of it: should the file be lost, it is the owner's alone.
    """
    bucket = record.bucket
    return Record(
        etag=record.etag,
        stamp=record.stamp,
        upload_id=record.upload_id,
        owner=record.owner,
        name=record.name,
        implicit=record.implicit,
        put_ns=record.put_ns,
        bucket=None if bucket is None else attrs.evolve(bucket, tags=None, acl=None),
        spill=spill,
    )
