"""What must hold of a store after whatever has happened to it, and what may lie on its disk.

:func:`look` reads all there is, by every way there is to read it, and notes where these contradict
each other or themselves: a listing that is not what GET finds, an ETag or a checksum that is not
the content's.  That is the promise that nothing half-made is ever seen.  Whether what it found is
what was acknowledged, :meth:`View.unexplained` says: of each thing one knows which states it may be
in.  :func:`debris` walks the disk itself.

It knows the store by its interfaces only, so it judges any of them; :mod:`tests.crash.scenes` asks
the one in memory for the states that are right.
"""

from __future__ import annotations

import base64
import hashlib
import heapq
import json
import os
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path

import attrs

from s3daemon.store.interfaces import (
    Attributes,
    BucketInfo,
    Checksum,
    IStore,
    ListPage,
    ListQuery,
    NoSuchBucket,
    ObjectInfo,
    PartInfo,
    StorageError,
    UploadsQuery,
)
from s3daemon.store.posix.orphans import Orphans
from s3daemon.store.posix.sidecars import path_of
from s3daemon.store.posix.spills import Spills
from s3daemon.store.posix.store import PosixStore
from s3daemon.wire import checksums
from tests.store.posix.scrub.tools import scrubbed
from tests.store.tools import name_of

#: ``("bucket", NAME)``, ``("object", BUCKET, KEY)`` or ``("upload", BUCKET, KEY, ID)``.
Item = tuple[str, ...]

#: After every moment that a test can be at.
FUTURE = 1 << 62


@attrs.frozen
class SeenObject:
    """What readers find under a key.

    :ivar info: without what depends on the moment or on chance: the time, and the upload's id.
    """

    info: ObjectInfo
    data: bytes = attrs.field(repr=lambda data: f"{len(data)} bytes {data[:12]!r}")


@attrs.frozen
class SeenUpload:
    """An upload under way; its parts have no time."""

    owner: str | None
    attributes: Attributes
    parts: tuple[PartInfo, ...]


@attrs.frozen
class View:
    """What a store shows.

    :ivar items: all there is.
    :ivar faults: where it contradicts itself; none is right.
    """

    items: Mapping[Item, object]
    faults: tuple[str, ...] = ()

    def unexplained(self, *allowed: View) -> list[str]:
        """Things that are in none of the states that they may be in: those of these views.

        Each thing for itself: one may be as it was, and another as it was to be.
        """
        found = list(self.faults)
        for item in sorted({*self.items, *(item for view in allowed for item in view.items)}):
            now = self.items.get(item)
            if not any(view.items.get(item) == now for view in allowed):
                found.append(f"{item} is {now}")
        return found

    def is_one_of(self, *allowed: View) -> bool:
        """Whether it is as a whole what one of these is, and without faults."""
        return not self.faults and any(view.items == self.items for view in allowed)


def look(store: IStore, within: Iterable[str] = (), names: Mapping[str, str] | None = None) -> View:
    """Everything that a store shows.

    :param within: buckets in buckets (``a:b``), which no listing tells of, that there may be.
    :param names: what uploads are to be called; without them all uploads of a key are the same.
    """
    seen = _Looking(store, names)
    for info in store.buckets.list():
        seen.bucket(info)
    for name in within:
        try:
            seen.bucket(store.buckets.get(name))
        except NoSuchBucket:
            continue
    return View(seen.items, tuple(seen.faults))


class _Looking:
    def __init__(self, store: IStore, names: Mapping[str, str] | None) -> None:
        self._store = store
        self._names = names
        self.items: dict[Item, object] = {}
        self.faults: list[str] = []

    def bucket(self, info: BucketInfo) -> None:
        name = info.name
        self.items["bucket", name] = attrs.evolve(info, created_ns=0)
        listed = list(_pages(self._store, name, ListQuery()))
        objects = {one.key: one for page in listed for one in page.objects}
        for key, one in objects.items():
            self._object(name, key, one)
        self._listings(name, sorted(objects, key=str.encode))
        self._uploads(name)

    def _object(self, bucket: str, key: str, listed: ObjectInfo) -> None:
        at = ("object", bucket, key)
        reader = self._store.objects.open(bucket, key)
        try:
            info = reader.info
            data = reader.read(0, info.size + 1)
        finally:
            reader.close()
        if info != listed:
            self.faults.append(f"{at}: a listing says {listed}, GET {info}")
        if self._store.objects.stat(bucket, key) != info:
            self.faults.append(f"{at}: GET and HEAD differ")
        self.faults += [f"{at}: {fault}" for fault in contradictions(info, data)]
        made_by = None if info.upload_id is None else "an upload"
        self.items[at] = SeenObject(attrs.evolve(info, modified_ns=0, upload_id=made_by), data)

    def _listings(self, bucket: str, keys: list[str]) -> None:
        """All ways of listing tell of the same keys."""
        for query in (
            ListQuery(max_keys=1),
            ListQuery(delimiter="/"),
            ListQuery(delimiter="/", max_keys=2),
        ):
            found = [item for page in _pages(self._store, bucket, query) for item in _items(page)]
            wanted = list(dict.fromkeys(_rolled_up(keys, query.delimiter)))
            if found != wanted:
                self.faults.append(f"{bucket}: {query} gives {found}, and not {wanted}")

    def _uploads(self, bucket: str) -> None:
        for info in self._store.uploads.list(bucket, UploadsQuery()).uploads:
            name = "" if self._names is None else self._names.get(info.upload_id, "")
            at = ("upload", bucket, info.key, name)
            page = self._store.uploads.list_parts(bucket, info.key, info.upload_id, 0, 10_000)
            parts = tuple(attrs.evolve(part, modified_ns=0) for part in page.parts)
            if at in self.items and name:
                self.faults.append(f"{at} is there twice")
            self.items[at] = SeenUpload(info.owner, info.attributes, parts)


def contradictions(info: ObjectInfo, data: bytes) -> Iterator[str]:
    """Where an object's facts are not those of its content."""
    if len(data) != info.size:
        yield f"{len(data)} bytes and not {info.size}"
    if info.part_sizes and sum(info.part_sizes) != info.size:
        yield f"parts of {info.part_sizes} bytes make {info.size}"
    if info.etag != etag_of(data, info.part_sizes):
        yield f"the ETag {info.etag} is not the content's: {len(data)} bytes {data[:12]!r}"
    if info.checksum is not None:
        yield from _checksum(info.checksum, info.part_sizes, data)


def etag_of(data: bytes, part_sizes: tuple[int, ...] = ()) -> str:
    """The ETag that a content has to have; S3 user guide, "Checking object integrity"."""
    if not part_sizes:
        return hashlib.md5(data, usedforsecurity=False).hexdigest()
    digests = b"".join(
        hashlib.md5(piece, usedforsecurity=False).digest() for piece in _cut(data, part_sizes)
    )
    return f"{hashlib.md5(digests, usedforsecurity=False).hexdigest()}-{len(part_sizes)}"


def _checksum(checksum: Checksum, part_sizes: tuple[int, ...], data: bytes) -> Iterator[str]:
    if checksum.kind == checksums.COMPOSITE:
        digests = [_digest(checksum.algorithm, piece) for piece in _cut(data, part_sizes)]
        wanted = checksums.composite(checksum.algorithm, digests)
    else:
        wanted = base64.b64encode(_digest(checksum.algorithm, data)).decode()
    if checksum.value != wanted:
        yield f"the checksum is {wanted}, and not {checksum}"


def _digest(algorithm: str, data: bytes) -> bytes:
    hasher = checksums.hasher(algorithm)
    hasher.update(data)
    return hasher.digest()


def _cut(data: bytes, sizes: tuple[int, ...]) -> Iterator[bytes]:
    at = 0
    for size in sizes:
        yield data[at : at + size]
        at += size


def _pages(store: IStore, bucket: str, query: ListQuery) -> Iterator[ListPage]:
    after: str | None = ""
    while after is not None:
        page = store.objects.list(bucket, attrs.evolve(query, after=after))
        yield page
        after = page.next_after


def _items(page: ListPage) -> list[str]:
    keys = [info.key for info in page.objects]
    return list(heapq.merge(keys, page.prefixes, key=str.encode))


def _rolled_up(keys: Iterable[str], delimiter: str) -> Iterator[str]:
    for key in keys:
        head, found, _ = key.partition(delimiter) if delimiter else (key, "", "")
        yield head + found


def finish_uploads(
    store: IStore, buckets: Iterable[str], lost: tuple[type[StorageError], ...] = ()
) -> None:
    """Complete all uploads with all their parts, so that :func:`look` judges the bytes of these.

    :param lost: errors that say that some are not there any more, which is no fault here.
    """
    for bucket in buckets:
        try:
            found = store.uploads.list(bucket, UploadsQuery()).uploads
        except NoSuchBucket:
            continue
        for info in found:
            at = (bucket, info.key, info.upload_id)
            parts = store.uploads.list_parts(*at, 0, 10_000).parts
            if parts:
                with suppress(*lost):
                    store.uploads.complete(*at, [(part.number, part.etag) for part in parts])


# ---------------------------------------------------------------- the disk


def sweep(store: PosixStore) -> None:
    """What the janitor does in the long run: nothing is young, and days go by."""
    store.uploads._spills = Spills(store.disk, interval_ns=0)  # type: ignore[attr-defined]
    store.uploads._orphans = Orphans(store.disk, interval_ns=0)  # type: ignore[attr-defined]
    for _ in range(3):  # a spill file goes when two searches have not found whose it is
        store.uploads.expire(FUTURE)


@attrs.frozen
class Debris:
    """What lies on a disk and belongs to nothing.

    :ivar files: and directories, from the root.
    :ivar empty: directories that were made on the way to an object that is not there.
    """

    files: frozenset[str] = frozenset()
    empty: frozenset[str] = frozenset()


def debris(root: Path, uploads: Collection[str] = ()) -> Debris:
    """What the gateway has left beneath a root.

    :param uploads: ids of those that are under way.
    """
    used: set[str] = set()
    apart: set[str] = set()
    left: set[str] = set()
    empty: set[str] = set()
    for top, directories, files in os.walk(root):
        at = os.path.relpath(top, root)
        home, _, inside = at.rpartition(".s3gate")
        for name in (*directories, *files):
            path = os.path.join(top, name)
            used |= {str(_record(path, root).get("spill")), _sidecar_of(path)}
        if home or at.startswith(".s3gate"):
            entries = {os.path.join(at, name) for name in (*directories, *files)}
            if inside in ("/staging", "/trash"):
                left |= entries
            elif inside == "/spill" or inside.startswith("/records/"):
                apart |= entries
        elif os.path.basename(at) == "_s3_multipart_tmp":
            known = set(uploads)
            kept = {name for name in files if name.startswith(".within-")}
            left |= {os.path.join(at, name) for name in {*directories, *files} - known - kept}
            directories[:] = [name for name in directories if name in known]
        elif not directories and not files:
            record = _record(top, root)
            if record.get("implicit") and not record.get("object") and not record.get("bucket"):
                empty.add(at)
    used.add(str(_record(str(root), root).get("spill")))
    left |= {path for path in apart if os.path.basename(path) not in used}
    left |= _what_a_scrub_says(root)
    return Debris(frozenset(left), frozenset(empty))


def _what_a_scrub_says(root: Path) -> set[str]:
    """A second opinion, which reads all contents and records again."""
    wrong = [one for one in scrubbed(root)[0] if one.kind.level in ("damage", "inconsistent")]
    return {f"{one.kind.name}: {os.fsdecode(b'/'.join(one.path))}: {one.detail}" for one in wrong}


def _record(path: str, root: Path) -> Mapping[str, object]:
    try:
        raw = os.getxattr(path, "user.s3gate")
    except OSError:
        try:
            raw = (root / os.fsdecode(path_of(_sidecar_of(path)))).read_bytes()
        except FileNotFoundError:
            return {}
    found: Mapping[str, object] = json.loads(raw)
    return found


def _sidecar_of(path: str) -> str:
    fd = os.open(path, os.O_RDONLY)
    try:
        return name_of(fd)
    finally:
        os.close(fd)


def blocks(root: Path) -> int:
    """What the files beneath a root take on the device, in the 512 bytes of stat(2).

    But for the gateway's own, which are made when they are first needed, and sidecars: that of a
    directory that a power cut has brought back is as short-lived as that.
    """
    total = 0
    for top, _, files in os.walk(root):
        if os.path.basename(top) not in (".s3gate", "locks") and "/.s3gate/records/" not in top:
            total += sum(os.lstat(os.path.join(top, name)).st_blocks for name in files)
    return total
