"""The packed record as bytes.

It is one JSON object in the extended attribute ``user.s3gate``, in UTF-8, so that all of it changes
in one step and is read by one call.  Fields, all but ``v`` absent where there is nothing to say:

==========  =====================================================================================
v           version of the format, 1
etag        ETag of the content, without quotes
stamp       [size, mtime in ns, inode] of the content that ``etag`` and the next four speak of
parts       part sizes, run-length coded: [[size, count], ...]
upload      id of the multipart upload that made the content
checksums   {algorithm: value}: a further checksum, with ``-N`` behind it if it is composite
partsums    values of the parts, made with that algorithm, one after the other without a mark
sys         system headers by lower-case name
meta        user metadata by lower-case name without ``x-amz-meta-``
tags        [[key, value], ...]
owner       canonical id of who put the object
name        the key segment, where the name on disk holds only its digest
implicit    true: a directory that was made because something was put below it
object      [time in ns]: a directory that is itself an object, and when it was put
acl         [[kind, grantee, permission], ...]: the access control list, see :class:`Grant`
bucket      {"owner", "created", "tags", "acl", "ownership", "durability"}: a directory that
            CreateBucket made
spill       name of the file that holds the whole record when it is too long for the attribute
==========  =====================================================================================

Fields that a later version adds are kept when a record is written again.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from s3daemon.store.posix.metadata import (
    DAMAGED,
    LATER,
    MAX_PARTS,
    NOTHING,
    BucketRecord,
    Record,
    Tags,
)
from s3daemon.wire.grants import Grant, Grants

VERSION = 1

_KNOWN = frozenset(
    (
        *("v", "etag", "stamp", "parts", "upload", "checksums", "sys", "meta", "tags", "owner"),
        *("name", "implicit", "object", "bucket", "spill", "partsums", "acl"),
    )
)
_decoder = json.JSONDecoder()
_encoder = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))


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
    if record.part_checksums is not None:
        fields["partsums"] = record.part_checksums
    if record.system:
        fields["sys"] = record.system
    if record.metadata:
        fields["meta"] = record.metadata
    if record.tags:
        fields["tags"] = record.tags
    if record.owner is not None:
        fields["owner"] = record.owner
    if record.acl is not None:
        fields["acl"] = dump_acl(record.acl)
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


def parse(raw: bytes) -> Record:
    """The record in these bytes; a damaged one where they are none (or of a later format).

    An object must stay servable whatever somebody wrote into its attribute.
    """
    try:
        text = raw.decode("utf-8", "surrogatepass")
        fields, end = _decoder.raw_decode(text)
        if end != len(text):
            return DAMAGED
        if fields["v"] != VERSION:
            return LATER if type(fields["v"]) is int and fields["v"] > VERSION else DAMAGED
        get = fields.get
        raw_stamp = get("stamp")
        raw_parts = get("parts")
        raw_tags = get("tags")
        raw_object = get("object")
        raw_bucket = get("bucket")
        extra = NOTHING
        if not _KNOWN.issuperset(fields):
            extra = {name: fields[name] for name in fields if name not in _KNOWN}
        return Record(
            _text(get("etag")),
            None if raw_stamp is None else (raw_stamp[0], raw_stamp[1], raw_stamp[2]),
            () if raw_parts is None else _parse_parts(raw_parts),
            _text(get("upload")),
            _texts(get("checksums", NOTHING)),
            _texts(get("sys", NOTHING)),
            _texts(get("meta", NOTHING)),
            () if raw_tags is None else _parse_tags(raw_tags),
            _text(get("owner")),
            _text(get("name")),
            get("implicit", False) is True,
            None if raw_object is None else int(raw_object[0]),
            None if raw_bucket is None else _parse_bucket(raw_bucket),
            _text(get("spill")),
            extra,
            part_checksums=_text(get("partsums")),
            acl=parse_acl(get("acl")),
        )
    except (ArithmeticError, ValueError, TypeError, LookupError, AttributeError, RecursionError):
        return DAMAGED


def _dump_bucket(bucket: BucketRecord) -> dict[str, Any]:
    fields: dict[str, Any] = {"created": bucket.created_ns}
    if bucket.owner is not None:
        fields["owner"] = bucket.owner
    if bucket.tags is not None:
        fields["tags"] = bucket.tags
    if bucket.acl is not None:
        fields["acl"] = dump_acl(bucket.acl)
    if bucket.ownership is not None:
        fields["ownership"] = bucket.ownership
    if bucket.durability is not None:
        fields["durability"] = bucket.durability
    return fields


def _parse_bucket(fields: Mapping[str, Any]) -> BucketRecord:
    tags = fields.get("tags")
    return BucketRecord(
        _text(fields.get("owner")),
        int(fields["created"]),
        None if tags is None else _parse_tags(tags),
        parse_acl(fields.get("acl")),
        _text(fields.get("ownership")),
        _text(fields.get("durability")),
    )


def _parse_parts(runs: Iterable[Sequence[int]]) -> tuple[tuple[int, int], ...]:
    parts = tuple((int(size), int(count)) for size, count in runs)
    if any(size < 0 or count < 1 for size, count in parts):
        raise ValueError("parts of less than nothing")
    if sum(count for _, count in parts) > MAX_PARTS:
        raise ValueError("more parts than an object can have")
    return parts


def _parse_tags(pairs: Iterable[Sequence[str]]) -> Tags:
    tags = tuple((key, value) for key, value in pairs)
    for key, value in tags:
        if type(key) is not str or type(value) is not str:
            raise TypeError("a tag is not text")
    return tags


def dump_acl(grants: Grants) -> list[tuple[str, str, str]]:
    """A list of grants as JSON has it."""
    return [(grant.kind, grant.grantee, grant.permission) for grant in grants]


def parse_acl(lines: Iterable[Sequence[str]] | None) -> Grants | None:
    """The inverse of :func:`dump_acl`.

    What it does not know is kept: it permits nothing.

    :raises ValueError, TypeError: it is no list of lines of three texts.
    """
    if lines is None:
        return None
    grants = tuple(Grant(*line) for line in lines)
    for grant in grants:
        if {type(grant.kind), type(grant.grantee), type(grant.permission)} != {str}:
            raise TypeError("a grant is not text")
    return grants


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
