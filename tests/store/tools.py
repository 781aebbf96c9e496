"""Short words for what the tests of the stores do all the time."""

from __future__ import annotations

import hashlib
import heapq
from collections.abc import Sequence

from s3daemon.store.interfaces import (
    ALWAYS,
    Attributes,
    Checksum,
    CompleteCheck,
    Condition,
    IStore,
    ListPage,
    ListQuery,
    ObjectInfo,
    PartInfo,
    UploadInfo,
    UploadsPage,
    UploadsQuery,
)
from s3daemon.store.posix.identities import HANDLES

NOTHING = Attributes()


def new_if(create_only: bool) -> Condition:
    """The condition that a key is free, or none."""
    return Condition(create_only=True) if create_only else ALWAYS


def md5(data: bytes) -> str:
    """The ETag of content that was put in one piece."""
    return hashlib.md5(data, usedforsecurity=False).hexdigest()


def md5_of_parts(*parts: bytes) -> str:
    """The ETag of content that was put in parts (S3 user guide, "Checking object integrity")."""
    digests = b"".join(hashlib.md5(part, usedforsecurity=False).digest() for part in parts)
    return f"{md5(digests)}-{len(parts)}"


def name_of(fd: int) -> str:
    """What the sidecar of an open entry is called where entries have handles."""
    return HANDLES.of(fd, fd, b"")


def can_hold(store: IStore, key: str) -> bool:
    """Whether a store can: not all have paths of any length."""
    metadata = getattr(getattr(store, "_volume", None), "metadata", None)
    return metadata is None or metadata.moves_along or "/" * 300 not in key


def put(
    store: IStore,
    bucket: str,
    key: str,
    data: bytes = b"",
    attributes: Attributes = NOTHING,
    owner: str | None = "alice",
    create_only: bool = False,
    condition: Condition | None = None,
    checksum: Checksum | None = None,
) -> ObjectInfo:
    """Put an object in one piece."""
    writer = store.objects.create(bucket, key, attributes, owner, condition or new_if(create_only))
    try:
        if data:
            writer.write([data])
        return writer.commit(md5(data), checksum)
    finally:
        writer.abort()


def get(store: IStore, bucket: str, key: str) -> tuple[ObjectInfo, bytes]:
    """The facts and the whole content of an object."""
    reader = store.objects.open(bucket, key)
    try:
        info = reader.info
        return info, reader.read(0, info.size + 1)
    finally:
        reader.close()


def content(store: IStore, bucket: str, key: str) -> bytes:
    """The whole content of an object."""
    return get(store, bucket, key)[1]


def copy(
    store: IStore,
    source: tuple[str, str],
    target: tuple[str, str],
    attributes: Attributes = NOTHING,
    owner: str | None = "alice",
    create_only: bool = False,
    condition: Condition | None = None,
) -> ObjectInfo:
    """Copy an object."""
    reader = store.objects.open(*source)
    try:
        return store.objects.copy(
            reader, *target, attributes, owner, condition or new_if(create_only)
        )
    finally:
        reader.close()


def page(
    store: IStore,
    bucket: str,
    prefix: str = "",
    delimiter: str = "",
    after: str = "",
    max_keys: int = 1000,
    folders: bool = False,
) -> ListPage:
    """One page of a listing."""
    return store.objects.list(bucket, ListQuery(prefix, delimiter, after, max_keys, folders))


def listed(
    store: IStore,
    bucket: str,
    prefix: str = "",
    delimiter: str = "",
    after: str = "",
    folders: bool = False,
    step: int = 1000,
) -> list[str]:
    """Everything a listing gives, page by page: keys, and common prefixes with a ``*`` after."""
    found: list[tuple[bytes, str]] = []
    for _ in range(10_000):
        one = page(store, bucket, prefix, delimiter, after, step, folders)
        keys = [(info.key.encode(), info.key) for info in one.objects]
        groups = [(item.encode(), item + "*") for item in one.prefixes]
        assert keys == sorted(keys)
        assert groups == sorted(groups)
        items = list(heapq.merge(keys, groups))
        assert len(items) <= step
        found += items
        if one.next_after is None:
            return [item for _, item in found]
        assert len(items) == step, "a page that is not the last is full"
        after = one.next_after
        assert after.encode() == found[-1][0], "the last item of the page"
    raise AssertionError("the listing does not end")


def begin(
    store: IStore,
    bucket: str,
    key: str,
    attributes: Attributes = NOTHING,
    owner: str | None = "alice",
    algorithm: str | None = None,
    kind: str | None = None,
) -> UploadInfo:
    """Begin an upload."""
    return store.uploads.create(bucket, key, attributes, owner, algorithm, kind)


def put_part(
    store: IStore,
    bucket: str,
    upload: UploadInfo,
    number: int,
    data: bytes,
    announce: bool = True,
    checksum: Checksum | None = None,
) -> PartInfo:
    """Put one part in two pieces, with or without its size known beforehand."""
    size = len(data) if announce else None
    writer = store.uploads.write_part(bucket, upload.key, upload.upload_id, number, size)
    try:
        half = len(data) // 2
        writer.write([data[:half]])
        writer.write([data[half:]])
        return writer.commit(md5(data), checksum)
    finally:
        writer.abort()


def pairs(parts: Sequence[PartInfo]) -> list[tuple[int, str]]:
    """What Complete is given for these parts."""
    return [(part.number, part.etag) for part in parts]


def complete(
    store: IStore,
    bucket: str,
    upload: UploadInfo,
    parts: Sequence[tuple[int, str]],
    min_part_size: int = 0,
    create_only: bool = False,
    check: CompleteCheck | None = None,
) -> ObjectInfo:
    """Complete an upload."""
    return store.uploads.complete(
        bucket,
        upload.key,
        upload.upload_id,
        parts,
        min_part_size,
        new_if(create_only),
        check,
    )


def put_in_parts(
    store: IStore, bucket: str, key: str, *parts: bytes, attributes: Attributes = NOTHING
) -> ObjectInfo:
    """Put an object by a multipart upload."""
    upload = begin(store, bucket, key, attributes)
    given = [put_part(store, bucket, upload, n, data) for n, data in enumerate(parts, 1)]
    return complete(store, bucket, upload, [(part.number, part.etag) for part in given])


def uploads_page(
    store: IStore,
    bucket: str,
    prefix: str = "",
    delimiter: str = "",
    after_key: str = "",
    after_upload_id: str = "",
    max_uploads: int = 1000,
    owner: str | None = None,
) -> UploadsPage:
    """One page of a bucket's uploads."""
    query = UploadsQuery(prefix, delimiter, after_key, after_upload_id, max_uploads, owner)
    return store.uploads.list(bucket, query)
