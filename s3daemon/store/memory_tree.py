"""The state behind the memory store: one tree of directories and objects, as a disk has it.

A path is the bucket's directories and the key, joined by ``/``: the object ``b/c`` of bucket ``a``
is ``a/b/c``, and so is ``c`` of bucket ``a:b``.  A directory is its path with a ``/`` at the end;
it exists because it is a bucket, because something was put below it, or because it was put itself.
Nothing here locks: the store holds one lock around every call.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterator
from itertools import chain

import attrs

from s3daemon.store.conditions import check as check_condition
from s3daemon.store.interfaces import (
    MAX_KEY_BYTES,
    Attributes,
    BadBucketName,
    BadKey,
    BucketInfo,
    Condition,
    KeyTooLong,
    NoSuchBucket,
    ObjectInfo,
    PartInfo,
    UploadInfo,
)

_RESERVED = frozenset(("", ".", "..", "_s3_multipart_tmp"))
_MAX_NAME_BYTES = 255


@attrs.frozen
class Stored:
    """One version of one object; ``info.key`` is empty, as it depends on the bucket that asks."""

    info: ObjectInfo
    content: bytes


@attrs.define
class Folder:
    """A directory.

    :ivar made_ns: when it was made.
    :ivar bucket: what CreateBucket said, if it ever did; such a directory is never pruned.
    :ivar tags: tags put on a directory that is no object.
    """

    made_ns: int
    bucket: BucketInfo | None = None
    tags: tuple[tuple[str, str], ...] = ()


@attrs.frozen
class StoredPart:
    """The content of one part."""

    content: bytes
    info: PartInfo


@attrs.define
class Upload:
    """An upload under way in the bucket of directory ``base``."""

    base: str
    info: UploadInfo
    touched_ns: int
    parts: dict[int, StoredPart] = attrs.field(factory=dict)


def check_key(key: str) -> None:
    """Accept what is a key.

    :raises BadKey: it is empty, holds NUL or is not expressible in UTF-8.
    :raises KeyTooLong: it has more than 1,024 bytes.
    """
    try:
        size = len(key.encode())
    except UnicodeEncodeError:
        raise BadKey("the key holds a lone surrogate") from None
    if not key or "\0" in key:
        raise BadKey("the key is empty or holds NUL")
    if size > MAX_KEY_BYTES:
        raise KeyTooLong(f"the key has {size} bytes")


def base_of(bucket: str) -> str:
    """The directory of a bucket: ``a:b`` gives ``a/b/``.

    :raises BadBucketName: no directory can have this name.
    """
    parts = bucket.split(":")
    for part in parts:
        try:
            size = len(part.encode())
        except UnicodeEncodeError:
            raise BadBucketName("the name holds a lone surrogate") from None
        if (
            part in _RESERVED
            or part.startswith(".s3gate")
            or size > _MAX_NAME_BYTES
            or "/" in part
            or "\0" in part
        ):
            raise BadBucketName(f"no directory can be {part!r}")
    if parts[0] == "lost+found":
        raise BadBucketName("lost+found belongs to the file system")
    return "/".join(parts) + "/"


def parent_of(path: str) -> str:
    """The directory that holds a path: for ``a/b`` as for ``a/b/`` it is ``a/``."""
    end = len(path) - 1 if path.endswith("/") else len(path)
    return path[: path.rfind("/", 0, end) + 1]


class Tree:
    """Directories, objects and uploads of a whole store.

    :ivar objects: by path.
    :ivar folders: by path, which ends in ``/``.
    :ivar uploads: by upload id.
    :ivar clock: gives the time in nanoseconds.
    """

    def __init__(self, clock: Callable[[], int]) -> None:
        self.clock = clock
        self.objects: dict[str, Stored] = {}
        self.folders: dict[str, Folder] = {}
        self.uploads: dict[str, Upload] = {}

    def bucket_base(self, bucket: str) -> str:
        """The directory of a bucket that exists.  :raises NoSuchBucket:"""
        try:
            base = base_of(bucket)
        except BadBucketName as bad:
            raise NoSuchBucket(str(bad)) from bad
        if base not in self.folders:
            raise NoSuchBucket(bucket)
        return base

    def find(self, base: str, key: str) -> Stored | None:
        """The object of a key, or the directory that a key ``name/`` also finds."""
        path = base + key
        stored = self.objects.get(path)
        if stored is None and path in self.folders:
            return Stored(self._folder_info(path), b"")
        return stored

    def check(self, base: str, key: str, condition: Condition) -> None:
        """Hold the object of a key against a condition; see :func:`conditions.check`."""
        found = self.find(base, key)
        check_condition(condition, None if found is None else found.info)

    def put(self, path: str, content: bytes, info: ObjectInfo) -> None:
        """Store an object, and make the directories above it."""
        at = path.find("/")
        while at >= 0:
            self.folders.setdefault(path[: at + 1], Folder(self.clock()))
            at = path.find("/", at + 1)
        if path in self.folders:
            self.folders[path].tags = ()
        self.objects[path] = Stored(attrs.evolve(info, key=""), content)

    def remove(self, base: str, key: str, prune: bool) -> bool:
        """Take away the object of a key and the directories that only it kept alive."""
        path = base + key
        found = self.objects.pop(path, None) is not None
        gone = found
        if path in self.folders:
            self.folders[path].tags = ()
            # A bucket within the bucket goes by DeleteBucket alone.
            gone = self._is_empty(path) and self.folders[path].bucket is None
            if gone:
                del self.folders[path]
        if gone and prune:
            self._prune(base, parent_of(path))
        return found

    def entries(self, base: str, folders: bool) -> list[str]:
        """The keys of everything that a listing of a bucket may show, in order."""
        paths = {path for path in self.objects if path.startswith(base)}
        if folders:
            paths.update(path for path in self.folders if path.startswith(base))
        paths.discard(base)
        return [path[len(base) :] for path in sorted(paths)]

    def _is_empty(self, folder: str) -> bool:
        """Whether nothing is in a directory, nor under way in a bucket that it is or holds."""
        below = (path for paths in (self.objects, self.folders) for path in paths if path != folder)
        uploads = (upload.base for upload in self.uploads.values())
        return not any(path.startswith(folder) for path in chain(below, uploads))

    def _prune(self, base: str, folder: str) -> None:
        while len(folder) > len(base):
            if (
                folder in self.objects
                or self.folders[folder].bucket is not None
                or not self._is_empty(folder)
            ):
                return
            del self.folders[folder]
            folder = parent_of(folder)

    def _folder_info(self, path: str) -> ObjectInfo:
        folder = self.folders[path]
        return ObjectInfo(
            key="",
            size=0,
            modified_ns=folder.made_ns,
            etag=f"{folder.made_ns:x}-0",
            attributes=Attributes(tags=folder.tags),
            folder=True,
        )


class Entries:
    """Keys as a source for :mod:`s3daemon.store.paging`."""

    def __init__(self, keys: list[str]) -> None:
        self._keys = [(key.encode(), key) for key in keys]

    def seek(self, at: bytes) -> Iterator[tuple[bytes, str]]:
        """All keys from ``at`` on."""
        return iter(self._keys[bisect_left(self._keys, (at,)) :])
