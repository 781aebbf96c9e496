"""The packed record: everything S3 knows of a file or directory beside its bytes.

It is one JSON object in the extended attribute ``user.s3gate``, in UTF-8, so that all of it changes
in one step and is read by one call.  Fields, all but ``v`` absent where there is nothing to say:

==========  =====================================================================================
v           version of the format, 1
etag        ETag of the content, without quotes
stamp       [size, mtime in ns, inode] of the content that ``etag`` and the next three speak of
parts       part sizes, run-length coded: [[size, count], ...]
upload      id of the multipart upload that made the content
checksums   further checksums of the content
sys         system headers by lower-case name
meta        user metadata by lower-case name without ``x-amz-meta-``
tags        [[key, value], ...]
owner       canonical id of who put the object
name        the key segment, where the name on disk holds only its digest
implicit    true: a directory that was made because something was put below it
object      [time in ns]: a directory that is itself an object, and when it was put
bucket      {"owner", "created", "tags"}: a directory that CreateBucket made
spill       name of the file that holds the whole record when it is too long for the attribute
==========  =====================================================================================

Fields that a later version adds are kept when a record is written again.

**The truth wins over the record.**  A record speaks of a content only while the stamp is that of
the file.  Otherwise the file was changed outside S3: the ETag is then a token made of what the
kernel says, with a dash, which no client takes for an MD5; it changes whenever the file does.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from typing import Any

import attrs

from s3daemon.store.interfaces import Attributes, ObjectInfo

VERSION = 1

#: S3 user guide, "Amazon S3 multipart upload limits".
MAX_PARTS = 10_000

#: ETag of an object without bytes.
EMPTY_ETAG = "d41d8cd98f00b204e9800998ecf8427e"

Tags = tuple[tuple[str, str], ...]

_NOTHING: Mapping[str, Any] = {}
_KNOWN = frozenset(
    (
        *("v", "etag", "stamp", "parts", "upload", "checksums", "sys", "meta", "tags", "owner"),
        *("name", "implicit", "object", "bucket", "spill"),
    )
)
_decoder = json.JSONDecoder()
_encoder = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))


@attrs.frozen
class BucketRecord:
    """What CreateBucket and PutBucketTagging said; see :class:`BucketInfo`."""

    owner: str | None
    created_ns: int
    tags: Tags | None = None


@attrs.frozen
class Record:
    """A record; the fields are those of the module's table.

    :ivar stamp: (size, mtime in ns, inode), or None.
    :ivar parts: run-length coded: (size, count) each.
    :ivar put_ns: when a directory was put as an object; None for files and for other directories.
    :ivar extra: fields of a later version.
    :ivar damaged: there is something that cannot be understood: it counts as no record.
    """

    etag: str | None = None
    stamp: tuple[int, int, int] | None = None
    parts: tuple[tuple[int, int], ...] = ()
    upload_id: str | None = None
    checksums: Mapping[str, Any] = _NOTHING
    system: Mapping[str, str] = _NOTHING
    metadata: Mapping[str, str] = _NOTHING
    tags: Tags = ()
    owner: str | None = None
    name: str | None = None
    implicit: bool = False
    put_ns: int | None = None
    bucket: BucketRecord | None = None
    spill: str | None = None
    extra: Mapping[str, Any] = _NOTHING
    damaged: bool = False

    @property
    def attributes(self) -> Attributes:
        """What the client said about the object."""
        return Attributes(self.system, self.metadata, self.tags)


EMPTY = Record()
_DAMAGED = Record(damaged=True)


def object_record(
    st: os.stat_result,
    etag: str,
    attributes: Attributes,
    owner: str | None,
    part_sizes: Sequence[int] = (),
    upload_id: str | None = None,
    name: str | None = None,
) -> Record:
    """The record of a content that is now as ``st`` says."""
    return Record(
        etag=etag,
        stamp=stamp(st),
        parts=run_lengths(part_sizes),
        upload_id=upload_id,
        system=attributes.system,
        metadata=attributes.metadata,
        tags=attributes.tags,
        owner=owner,
        name=name,
    )


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
    attributes = Attributes(record.system, record.metadata, record.tags)
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
        )
    return ObjectInfo(key, st.st_size, st.st_mtime_ns, _token(st), attributes, record.owner)


def folder_info(key: str, st: os.stat_result, record: Record) -> ObjectInfo:
    """The facts of a directory, which is an object if it was put as one."""
    attributes = Attributes(record.system, record.metadata, record.tags)
    if record.put_ns is not None:
        etag = record.etag or EMPTY_ETAG
        return ObjectInfo(key, 0, record.put_ns, etag, attributes, record.owner)
    token = f"{st.st_mtime_ns:x}-0-{st.st_ino:x}"
    return ObjectInfo(key, 0, st.st_mtime_ns, token, attributes, record.owner, folder=True)


def _token(st: os.stat_result) -> str:
    return f"{st.st_mtime_ns:x}-{st.st_size:x}-{st.st_ino:x}"


def run_lengths(sizes: Iterable[int]) -> tuple[tuple[int, int], ...]:
    """Run-length code: 5, 5, 5, 2 gives (5, 3), (2, 1)."""
    return tuple((size, sum(1 for _ in run)) for size, run in groupby(sizes))


def part_sizes(runs: Iterable[tuple[int, int]]) -> tuple[int, ...]:
    """The inverse of :func:`run_lengths`."""
    return tuple(size for size, count in runs for _ in range(count))


# ---------------------------------------------------------------- JSON


def dump(record: Record) -> bytes:
    """The record as it is on disk."""
    fields: dict[str, Any] = {"v": VERSION}
    if record.etag is not None:
        fields["etag"] = record.etag
    if record.stamp is not None:
        fields["stamp"] = record.stamp
    if record.parts:
        fields["parts"] = record.parts
    if record.upload_id is not None:
        fields["upload"] = record.upload_id
    if record.checksums:
        fields["checksums"] = record.checksums
    if record.system:
        fields["sys"] = record.system
    if record.metadata:
        fields["meta"] = record.metadata
    if record.tags:
        fields["tags"] = record.tags
    if record.owner is not None:
        fields["owner"] = record.owner
    if record.name is not None:
        fields["name"] = record.name
    if record.implicit:
        fields["implicit"] = True
    if record.put_ns is not None:
        fields["object"] = [record.put_ns]
    if record.bucket is not None:
        fields["bucket"] = _dump_bucket(record.bucket)
    if record.spill is not None:
        fields["spill"] = record.spill
    if record.extra:
        fields.update(record.extra)
    return _encoder.encode(fields).encode("utf-8", "surrogatepass")


def core(record: Record, spill: str) -> Record:
    """What stays in the attribute when the whole record is in a spill file.

    It is enough to tell what the entry is, and whether its content is still what it was.
    """
    return Record(
        etag=record.etag,
        stamp=record.stamp,
        upload_id=record.upload_id,
        name=record.name,
        implicit=record.implicit,
        put_ns=record.put_ns,
        spill=spill,
    )


def parse(raw: bytes) -> Record:
    """The record in these bytes; a damaged one where they are none (or of a later format).

    An object must stay servable whatever somebody wrote into its attribute.
    """
    try:
        text = raw.decode("utf-8", "surrogatepass")
        fields, end = _decoder.raw_decode(text)
        if end != len(text) or fields["v"] != VERSION:
            return _DAMAGED
        get = fields.get
        raw_stamp = get("stamp")
        raw_parts = get("parts")
        raw_tags = get("tags")
        raw_object = get("object")
        raw_bucket = get("bucket")
        extra = _NOTHING
        if not _KNOWN.issuperset(fields):
            extra = {name: fields[name] for name in fields if name not in _KNOWN}
        return Record(
            _text(get("etag")),
            None if raw_stamp is None else (raw_stamp[0], raw_stamp[1], raw_stamp[2]),
            () if raw_parts is None else _parse_parts(raw_parts),
            _text(get("upload")),
            get("checksums", _NOTHING),
            _texts(get("sys", _NOTHING)),
            _texts(get("meta", _NOTHING)),
            () if raw_tags is None else _parse_tags(raw_tags),
            _text(get("owner")),
            _text(get("name")),
            get("implicit", False) is True,
            None if raw_object is None else int(raw_object[0]),
            None if raw_bucket is None else _parse_bucket(raw_bucket),
            _text(get("spill")),
            extra,
        )
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError):
        return _DAMAGED


def _dump_bucket(bucket: BucketRecord) -> dict[str, Any]:
    fields: dict[str, Any] = {"created": bucket.created_ns}
    if bucket.owner is not None:
        fields["owner"] = bucket.owner
    if bucket.tags is not None:
        fields["tags"] = bucket.tags
    return fields


def _parse_bucket(fields: Mapping[str, Any]) -> BucketRecord:
    tags = fields.get("tags")
    return BucketRecord(
        _text(fields.get("owner")),
        int(fields["created"]),
        None if tags is None else _parse_tags(tags),
    )


def _parse_parts(runs: Iterable[Sequence[int]]) -> tuple[tuple[int, int], ...]:
    parts = tuple((int(size), int(count)) for size, count in runs)
    if sum(count for _, count in parts) > MAX_PARTS:
        raise ValueError("more parts than an object can have")
    return parts


def _parse_tags(pairs: Iterable[Sequence[str]]) -> Tags:
    tags = tuple((key, value) for key, value in pairs)
    for key, value in tags:
        if type(key) is not str or type(value) is not str:
            raise TypeError("a tag is not text")
    return tags


def _text(value: Any) -> str | None:
    if value is None or type(value) is str:
        return value
    raise TypeError("a field is not text")


def _texts(value: Mapping[str, Any]) -> Mapping[str, str]:
    # JSON has made sure that the names are text.
    for text in value.values():
        if type(text) is not str:
            raise TypeError("a field is not text")
    return value
