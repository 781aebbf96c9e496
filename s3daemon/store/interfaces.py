"""What a store promises: values, storage facts and the interfaces of every implementation.

Everything here is blocking and knows neither HTTP nor S3 error codes nor a reactor; the room
``streams`` runs it on threads.  Two implementations exist, :mod:`s3daemon.store.memory` and
:mod:`s3daemon.store.posix`, and one contract suite judges both.

Bucket names and keys are text.  A key is at most 1,024 bytes of UTF-8 and holds no NUL; *every*
other text is a key, whatever a file system thinks of it (``//``, ``..``, ``a`` beside ``a/b``).
Times are integer nanoseconds since the epoch.  ETags are bare, without quotes.  All methods of all
interfaces may be called from any thread at any time, except that one reader or writer belongs to
one caller at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import attrs
from zope.interface import Attribute, Interface

#: The longest key, in bytes of UTF-8 (S3 user guide, "Object key naming guidelines").
MAX_KEY_BYTES = 1024


# ---------------------------------------------------------------- values


def _frozen_map(value: Mapping[str, str]) -> Mapping[str, str]:
    return dict(value)


@attrs.frozen
class Attributes:
    """What a client says about an object besides its bytes.

    :ivar system: the headers S3 keeps and gives back, by lower-case name: ``content-type``,
        ``content-encoding``, ``content-disposition``, ``content-language``, ``cache-control``,
        ``expires``.  Absent means not given.
    :ivar metadata: user metadata, by lower-case name without ``x-amz-meta-``.
    :ivar tags: the tag set, in the order given.
    """

    system: Mapping[str, str] = attrs.field(factory=dict, converter=_frozen_map)
    metadata: Mapping[str, str] = attrs.field(factory=dict, converter=_frozen_map)
    tags: tuple[tuple[str, str], ...] = ()


@attrs.frozen
class BucketInfo:
    """A bucket as it is now.

    :ivar owner: canonical id of the owner, or None for a directory that no S3 client made.
    :ivar created_ns: when it was made.
    :ivar tags: the bucket's tag set, or None where none was ever put (S3: NoSuchTagSet).
    """

    name: str
    owner: str | None
    created_ns: int
    tags: tuple[tuple[str, str], ...] | None = None


@attrs.frozen
class ObjectInfo:
    """An object as it was at one moment; all fields belong to one version of it.

    :ivar size: bytes of content.
    :ivar modified_ns: last modification of the content.
    :ivar etag: MD5 in hex; ``MD5-N`` for N parts; for content that was changed or made outside S3 a
        token with a dash in it that changes whenever the file does.
    :ivar owner: canonical id of who put it, None when no S3 client did.
    :ivar part_sizes: for a multipart object the size of each part in order, else empty.
    :ivar upload_id: the upload that made it, for an idempotent Complete; else None.
    :ivar folder: True for a directory that nobody put as an object (the alluxio personality shows
        it as a zero-byte ``name/``, the aws personality does not know it).
    """

    key: str
    size: int
    modified_ns: int
    etag: str
    attributes: Attributes = Attributes()
    owner: str | None = None
    part_sizes: tuple[int, ...] = ()
    upload_id: str | None = None
    folder: bool = False


@attrs.frozen
class ListQuery:
    """Which page of a listing is wanted.

    :ivar prefix: only keys that begin with it.
    :ivar delimiter: keys with the delimiter after the prefix are rolled up; "" for none.
    :ivar after: exclusive: keys and common prefixes that sort after it (UTF-8 byte order).
    :ivar max_keys: at most so many keys and common prefixes together; 0 gives an empty page.
    :ivar folders: list implicit directories too, as zero-byte keys ``name/``, and let an empty one
        be a common prefix.
    """

    prefix: str = ""
    delimiter: str = ""
    after: str = ""
    max_keys: int = 1000
    folders: bool = False


@attrs.frozen
class ListPage:
    """One page, in UTF-8 byte order.

    :ivar objects: keys of the page.
    :ivar prefixes: common prefixes of the page.
    :ivar next_after: the ``after`` of the next page (the last key or prefix of this one) when there
        is more, else None.
    """

    objects: tuple[ObjectInfo, ...] = ()
    prefixes: tuple[str, ...] = ()
    next_after: str | None = None


@attrs.frozen
class UploadInfo:
    """A multipart upload under way."""

    key: str
    upload_id: str
    owner: str | None
    initiated_ns: int
    attributes: Attributes = Attributes()


@attrs.frozen
class UploadsQuery:
    """Which page of a bucket's uploads is wanted; order is by key, then initiation, then upload id.

    :ivar after_key: exclusive when ``after_upload_id`` is "", else the uploads of this very key
        that sort after that upload, and those of later keys.
    :ivar owner: only uploads of this owner; None for all.
    """

    prefix: str = ""
    delimiter: str = ""
    after_key: str = ""
    after_upload_id: str = ""
    max_uploads: int = 1000
    owner: str | None = None


@attrs.frozen
class UploadsPage:
    """One page of uploads; ``next_key`` and ``next_upload_id`` are None on the last one."""

    uploads: tuple[UploadInfo, ...] = ()
    prefixes: tuple[str, ...] = ()
    next_key: str | None = None
    next_upload_id: str | None = None


@attrs.frozen
class PartInfo:
    """One stored part of an upload."""

    number: int
    size: int
    etag: str
    modified_ns: int


@attrs.frozen
class PartsPage:
    """Parts in order of their number; ``next_after`` is None on the last page."""

    parts: tuple[PartInfo, ...] = ()
    next_after: int | None = None


# ---------------------------------------------------------------- storage facts


class StorageError(Exception):
    """Something is so, in the store; the text says what, for the log and never for the client."""


class NoSuchBucket(StorageError):
    """There is no directory that could be this bucket."""


class BucketExists(StorageError):
    """A bucket of that name is there already."""


class BucketNotEmpty(StorageError):
    """The bucket holds objects or uploads."""


class BadBucketName(StorageError):
    """No directory can have this name, or a file has it."""


class NoSuchKey(StorageError):
    """There is no object of that key."""


class KeyTooLong(StorageError):
    """The key is longer than a key may be, or than this file system can hold even escaped."""


class BadKey(StorageError):
    """The text is no key (empty, holds NUL)."""


class ObjectExists(StorageError):
    """Create-only was asked for, and the key is taken."""


class NoSuchUpload(StorageError):
    """The upload was never begun under this key, or has been completed or aborted."""


class InvalidPart(StorageError):
    """A listed part was not uploaded, or not with that ETag."""


class PartTooSmall(StorageError):
    """A part that is not the last is below the least size.

    :ivar number: the part; :ivar size: its bytes; :ivar etag: its ETag.
    """

    def __init__(self, number: int, size: int, etag: str) -> None:
        super().__init__(f"part {number} has {size} bytes")
        self.number = number
        self.size = size
        self.etag = etag


class OutOfSpace(StorageError):
    """No bytes, no inodes or no quota is left (ENOSPC, EDQUOT)."""


class ReadOnly(StorageError):
    """The file system is mounted read-only (EROFS)."""


class AccessRefused(StorageError):
    """The kernel refused the daemon (EACCES, EPERM)."""


class Busy(StorageError):
    """Out of descriptors, or a race was lost too often; trying again may help (EMFILE, EAGAIN)."""


class Unavailable(StorageError):
    """The device or the server behind the file system failed (EIO, ESTALE, ETIMEDOUT ...)."""


class Corrupt(StorageError):
    """A record of ours cannot be understood."""


# ---------------------------------------------------------------- interfaces


class IReader(Interface):
    """One version of one object, open: its facts and its bytes belong together for ever."""

    info: ObjectInfo = Attribute("ObjectInfo: the facts of this version.")

    def fileno() -> int | None:
        """The open descriptor for sendfile(2), or None where there is none; it stays ours."""

    def read(offset: int, size: int) -> bytes:
        """Up to ``size`` bytes from ``offset``; fewer only at the end of the content.

        :raises Unavailable: the bytes cannot be read.
        """

    def close() -> None:
        """Let go.  May be called twice."""


class IWriter(Interface):
    """New content: nobody sees it before it is committed, and nothing stays if it is not."""

    def write(data: Sequence[bytes]) -> None:
        """Append the pieces in order.

        :raises OutOfSpace, ReadOnly, Unavailable: nothing was made visible; abort.
        """

    def commit(etag: str) -> ObjectInfo:
        """Publish the content with its metadata, atomically, in place of what the key held.

        When it returns, the object survives a power cut (durability strict).  ``etag`` is the MD5
        of the content in hex.  On an error the old object is untouched and the new one is gone,
        except where only the last sync fails: then the new one is there, whole, and was not
        acknowledged.

        :raises ObjectExists: create-only, and the key is taken.
        :raises NoSuchBucket: the bucket was deleted meanwhile.
        """

    def abort() -> None:
        """Forget the content.  May be called twice, and after a failed or a good commit."""


class IPartWriter(Interface):
    """The content of one part; like :class:`IWriter`."""

    def write(data: Sequence[bytes]) -> None:
        """Append the pieces in order."""

    def commit(etag: str) -> PartInfo:
        """Make this the part of its number, durably, in place of an earlier one of that number.

        :raises NoSuchUpload: the upload was completed or aborted meanwhile.
        """

    def abort() -> None:
        """Forget the content; an earlier part of that number stays.  May be called twice."""


class IBuckets(Interface):
    """The top level: buckets, and the ``a:b`` form that addresses directory ``a/b`` as a bucket."""

    def list() -> Sequence[BucketInfo]:
        """All top-level buckets, sorted by name.  ``a:b`` buckets are never listed."""

    def get(name: str) -> BucketInfo:
        """One bucket.  :raises NoSuchBucket: also for a name that no directory can have."""

    def create(name: str, owner: str | None) -> BucketInfo:
        """Make a bucket, durably.

        :raises BucketExists: it is there (whoever owns it).
        :raises BadBucketName: no directory can have this name, or a file has it.
        :raises NoSuchBucket: ``a:b`` without a directory ``a``.
        """

    def delete(name: str) -> None:
        """Remove a bucket that holds no object, durably.

        Directories that hold nothing, and uploads under way, do not keep it alive: S3 removes a
        bucket with unfinished uploads, and they go with it.

        :raises NoSuchBucket, BucketNotEmpty:
        """

    def set_tags(name: str, tags: tuple[tuple[str, str], ...] | None) -> None:
        """Replace the tag set, or remove it (None), durably and in one step."""


class IObjects(Interface):
    """Objects by bucket and key.  Every method raises NoSuchBucket where the bucket is missing,
    KeyTooLong or BadKey where the text is no key."""

    def open(bucket: str, key: str) -> IReader:
        """Open the current version.  A key ``name/`` finds a directory too, put or implicit
        (``info.folder`` tells), with no bytes; a key ``name`` never finds a directory.

        :raises NoSuchKey:
        """

    def stat(bucket: str, key: str) -> ObjectInfo:
        """The facts of the current version, as :meth:`open` gives them.  :raises NoSuchKey:"""

    def create(
        bucket: str, key: str, attributes: Attributes, owner: str | None, create_only: bool = False
    ) -> IWriter:
        """Begin new content for a key."""

    def copy(
        source: IReader,
        bucket: str,
        key: str,
        attributes: Attributes,
        owner: str | None,
        create_only: bool = False,
    ) -> ObjectInfo:
        """Store the source's content under a key, durably and atomically, by the cheapest means.

        The ETag of the result is the MD5 of the content.  Source and target may be the same key;
        the source's reader stays the caller's to close.
        """

    def set_tags(bucket: str, key: str, tags: tuple[tuple[str, str], ...]) -> ObjectInfo:
        """Replace the tag set of the current version, durably; the content is not touched.

        :raises NoSuchKey:
        """

    def delete(bucket: str, key: str, prune: bool = True) -> bool:
        """Remove an object, durably; True if there was one.

        A key ``name/`` removes what was put under it, and the directory when nothing is left in
        it; a directory that is not empty stays and that is no error.  With ``prune``, parents that
        exist only because an S3 client put something below them, and are empty now, go too.
        """

    def list(bucket: str, query: ListQuery) -> ListPage:
        """One page of a listing, in UTF-8 byte order of the keys.

        A common prefix is given when it sorts after ``after`` as a whole, so a page that begins
        inside a rolled-up group does not repeat the group.
        """


class IUploads(Interface):
    """Multipart uploads: all state is in the store, so another process can go on with them."""

    def create(bucket: str, key: str, attributes: Attributes, owner: str | None) -> UploadInfo:
        """Begin an upload, durably."""

    def get(bucket: str, key: str, upload_id: str) -> UploadInfo:
        """:raises NoSuchUpload: also for an id of another key, or text that is no id."""

    def write_part(
        bucket: str, key: str, upload_id: str, number: int, size: int | None
    ) -> IPartWriter:
        """Begin part ``number`` (1 to 10,000) of ``size`` bytes (None: not known beforehand).

        :raises NoSuchUpload:
        """

    def list_parts(bucket: str, key: str, upload_id: str, after: int, limit: int) -> PartsPage:
        """Parts with a number above ``after``.  :raises NoSuchUpload:"""

    def list(bucket: str, query: UploadsQuery) -> UploadsPage:
        """One page of the bucket's uploads."""

    def complete(
        bucket: str,
        key: str,
        upload_id: str,
        parts: Sequence[tuple[int, str]],
        min_part_size: int = 0,
        create_only: bool = False,
    ) -> ObjectInfo:
        """Publish the listed parts, in the order given, as the object; then the upload is gone.

        ``parts`` are ascending numbers with the ETag the client holds for each.  Unlisted parts are
        forgotten.  Repeating a Complete that succeeded gives the same result for as long as the
        object is still that upload's.  On an error the upload is as it was.

        :raises NoSuchUpload, InvalidPart, PartTooSmall, ObjectExists:
        """

    def abort(bucket: str, key: str, upload_id: str) -> None:
        """Forget an upload and its parts.  :raises NoSuchUpload:"""

    def expire(
        before_ns: int, limit: int = 1000, should_stop: Callable[[], bool] = lambda: False
    ) -> int:
        """Forget uploads of all buckets that nobody has touched since; how many there were.

        Also removes what a crash left in staging.  Bounded by ``limit`` removals a call.
        """


class WouldBlock(Exception):
    """Not without waiting: do it on a thread.  Only :class:`IAtOnce` says this."""


class IAtOnce(Interface):
    """What a store can answer without ever waiting, on the reactor's own thread.

    ``buckets.get``, ``objects.open`` and ``objects.stat``, and ``read`` of a reader opened here;
    each raises :class:`WouldBlock` where it is not certain of its answer, with no other error.
    """

    buckets: IBuckets = Attribute("IBuckets")
    objects: IObjects = Attribute("IObjects")


class IStore(Interface):
    """A whole store."""

    buckets: IBuckets = Attribute("IBuckets")
    objects: IObjects = Attribute("IObjects")
    uploads: IUploads = Attribute("IUploads")
    at_once: IAtOnce | None = Attribute("IAtOnce, or None where nobody can tell what would wait.")

    def close() -> None:
        """Let go of descriptors; afterwards nothing may be called."""
