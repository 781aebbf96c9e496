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

from collections.abc import Callable, Sequence

from zope.interface import Attribute, Interface

from s3daemon.store.conditions import check as check_condition
from s3daemon.store.facts import (
    AccessRefused,
    BadBucketName,
    BadKey,
    BucketExists,
    BucketNotEmpty,
    Busy,
    ConditionConflict,
    ConditionFailed,
    ConditionUnsupported,
    Corrupt,
    InvalidPart,
    KeyTooLong,
    NoSuchBucket,
    NoSuchKey,
    NoSuchUpload,
    ObjectExists,
    OutOfSpace,
    PartTooSmall,
    ReadOnly,
    Replaced,
    StorageError,
    Unavailable,
)
from s3daemon.store.levels import Durability
from s3daemon.store.values import (
    ALWAYS,
    MAX_KEY_BYTES,
    Attributes,
    BucketInfo,
    Checksum,
    Condition,
    ListPage,
    ListQuery,
    ObjectInfo,
    PartInfo,
    PartsPage,
    UploadInfo,
    UploadsPage,
    UploadsQuery,
)
from s3daemon.wire.grants import Grants

__all__ = [
    "ALWAYS",
    "MAX_KEY_BYTES",
    "AccessRefused",
    "Attributes",
    "BadBucketName",
    "BadKey",
    "BucketExists",
    "BucketInfo",
    "BucketNotEmpty",
    "Busy",
    "Checksum",
    "CompleteCheck",
    "Condition",
    "ConditionConflict",
    "ConditionFailed",
    "ConditionUnsupported",
    "Corrupt",
    "IAtOnce",
    "IBuckets",
    "IObjects",
    "IPartWriter",
    "IReader",
    "IStore",
    "IUploads",
    "IWriter",
    "InvalidPart",
    "KeyTooLong",
    "ListPage",
    "ListQuery",
    "NoSuchBucket",
    "NoSuchKey",
    "NoSuchUpload",
    "ObjectExists",
    "ObjectInfo",
    "OutOfSpace",
    "PartInfo",
    "PartTooSmall",
    "PartsPage",
    "ReadOnly",
    "Replaced",
    "StorageError",
    "Unavailable",
    "UploadInfo",
    "UploadsPage",
    "UploadsQuery",
    "WouldBlock",
    "check_condition",
]


class IReader(Interface):
    """One version of one object, open: its facts and its bytes belong together for ever."""

    info: ObjectInfo = Attribute("ObjectInfo: the facts of this version.")
    closes_at_once: bool = Attribute("bool: whether closing it never waits for a device.")

    def fileno() -> int | None:
        """The open descriptor for sendfile(2), or None where there is none; it stays ours."""

    def is_quiet() -> bool:
        """Whether nobody has written into it lately, so that its bytes may leave by sendfile(2).

        The kernel then sends what is in the file when the client's machine takes it, which may be
        after the last :meth:`read` that has found nothing written.
        """

    def read(offset: int, size: int) -> bytes:
        """Up to ``size`` bytes from ``offset``; fewer only at the end of the content.

        :raises Replaced: not any more: another node has replaced or removed the object, or another
            program has written into it.
        :raises Unavailable: the bytes cannot be read.
        """

    def read_at_once(offset: int, size: int) -> bytes:
        """The same without ever waiting.

        :raises WouldBlock: they are not all in memory, or are those of another version.
        """

    def patient() -> IReader:
        """This version for who may wait: the reader itself, unless :class:`IAtOnce` has opened it,
        which then is of no use any more."""

    def close() -> None:
        """Let go.  May be called twice."""


class IWriter(Interface):
    """New content: nobody sees it before it is committed, and nothing stays if it is not."""

    def write(data: Sequence[bytes]) -> None:
        """Append the pieces in order.

        :raises OutOfSpace, ReadOnly, Unavailable: nothing was made visible; abort.
        """

    def commit(etag: str, checksum: Checksum | None = None) -> ObjectInfo:
        """Publish the content with its metadata, atomically, in place of what the key held.

        When it returns, the object survives a power cut (durability strict).  ``etag`` is the MD5
        of the content in hex, and ``checksum`` is one of the content too.  On an error the old
        object is untouched and the new one is gone, except where only the last sync fails: then the
        new one is there, whole, and was not acknowledged.

        That the condition holds and that the content is published is one step, for all who write
        by way of a store, in whatever process or on whatever node.

        :raises ObjectExists: create-only, and the key is taken.
        :raises NoSuchKey, ConditionFailed: the condition does not hold.
        :raises ConditionConflict: others are writing the key all the while.
        :raises NoSuchBucket: the bucket was deleted meanwhile.
        """

    def abort() -> None:
        """Forget the content.  May be called twice, and after a failed or a good commit."""


class IPartWriter(Interface):
    """The content of one part; like :class:`IWriter`."""

    upload: UploadInfo = Attribute("UploadInfo: the upload that the part is of.")

    def write(data: Sequence[bytes]) -> None:
        """Append the pieces in order."""

    def commit(etag: str, checksum: Checksum | None = None) -> PartInfo:
        """Make this the part of its number, durably, in place of an earlier one of that number.

        ``checksum`` is that of the bytes that were written, whatever the upload's algorithm is.

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

    def create(name: str, owner: str | None, ownership: str | None = None) -> BucketInfo:
        """Make a bucket, durably; it is its owner's alone.

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

    def set_acl(name: str, decide: Callable[[BucketInfo], Grants | None]) -> None:
        """Replace the access control list, durably and in one step.

        ``decide`` is given the bucket that is going to be changed and says its new list (None:
        the owner's alone).  What it raises comes through, and nothing is changed.

        :raises NoSuchBucket:
        """

    def set_durability(name: str, level: Durability | None) -> None:
        """Give a top-level bucket, and those within it, a level of durability of its own, or take
        it away (None), durably whatever the level.

        It holds for what begins afterwards, in every process.  When a level is raised, what was
        acknowledged before is brought onto the device as far as this node has it.

        :raises NoSuchBucket:
        :raises BadBucketName: the bucket lies in another one, whose level it has.
        """


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
        bucket: str,
        key: str,
        attributes: Attributes,
        owner: str | None,
        condition: Condition = ALWAYS,
    ) -> IWriter:
        """Begin new content for a key; the condition is decided at the moment of the commit.

        :raises ConditionUnsupported: it could not be decided then.
        """

    def copy(
        source: IReader,
        bucket: str,
        key: str,
        attributes: Attributes,
        owner: str | None,
        condition: Condition = ALWAYS,
        checksum_algorithm: str | None = None,
    ) -> ObjectInfo:
        """Store the source's content under a key, durably and atomically, by the cheapest means.

        The ETag of the result is the MD5 of the content.  With ``checksum_algorithm`` it has a
        checksum of all its bytes, made with that; without, it has none.  Source and target may be
        the same key; the source's reader stays the caller's to close.  The condition is on the
        target.

        :raises Busy: another program is writing into the source: a copy would be a mix.
        :raises ObjectExists, NoSuchKey, ConditionFailed, ConditionConflict: as of a commit.
        :raises ConditionUnsupported:
        """

    def set_tags(bucket: str, key: str, tags: tuple[tuple[str, str], ...]) -> ObjectInfo:
        """Replace the tag set of the current version, durably; the content is not touched.

        :raises NoSuchKey:
        """

    def set_acl(bucket: str, key: str, decide: Callable[[ObjectInfo], Grants | None]) -> ObjectInfo:
        """Replace the access control list of the current version, durably; else nothing changes.

        ``decide`` is given the version that is going to be changed, and says its new list (None:
        the owner's alone).  What it raises comes through, and nothing is changed.  It may be
        called again, with a later version.

        :raises NoSuchKey: also for a directory that nobody put.
        """

    def delete(bucket: str, key: str, prune: bool = True, condition: Condition = ALWAYS) -> bool:
        """Remove an object, durably; True if there was one.

        A key ``name/`` removes what was put under it, and the directory when nothing is left in
        it; a directory that is not empty stays and that is no error.  With ``prune``, parents that
        exist only because an S3 client put something below them, and are empty now, go too.

        :raises NoSuchKey, ConditionFailed: the condition does not hold; nothing is removed.
        :raises ConditionConflict, ConditionUnsupported:
        """

    def delete_many(
        bucket: str, wanted: Sequence[tuple[str, Condition]], prune: bool = True
    ) -> Sequence[StorageError | None]:
        """Remove objects, one after the other, each as :meth:`delete` would; all of them are
        durable on return, which costs less than one by one.

        :param wanted: keys, with what has to be so for each.
        :return: for each why it was not removed, or is not durably, and None where it is gone.
        :raises NoSuchBucket: then nobody knows of any.
        """

    def list(bucket: str, query: ListQuery) -> ListPage:
        """One page of a listing, in UTF-8 byte order of the keys.

        A common prefix is given when it sorts after ``after`` as a whole, so a page that begins
        inside a rolled-up group does not repeat the group.
        """


#: What a Complete is held to: given the upload, the parts that are to be the object, and the
#: checksum that it would get, this raises whatever is to be raised instead.
CompleteCheck = Callable[[UploadInfo, Sequence[PartInfo], Checksum | None], None]


class IUploads(Interface):
    """Multipart uploads: all state is in the store, so another process can go on with them."""

    def create(
        bucket: str,
        key: str,
        attributes: Attributes,
        owner: str | None,
        checksum_algorithm: str | None = None,
        checksum_type: str | None = None,
    ) -> UploadInfo:
        """Begin an upload, durably; the last two are as in :class:`UploadInfo`."""

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
        condition: Condition = ALWAYS,
        check: CompleteCheck | None = None,
    ) -> ObjectInfo:
        """Publish the listed parts, in the order given, as the object; then the upload is gone.

        ``parts`` are ascending numbers with the ETag the client holds for each.  Unlisted parts are
        forgotten.  The object's checksum is what :func:`s3daemon.store.part_checksums.of_object`
        says.  ``check`` is called with what is about to be published, and what it raises goes
        through.  Repeating a Complete that succeeded gives the same result, unchecked, for as long
        as the object is still that upload's.  On an error the upload is as it was.

        :raises NoSuchUpload, InvalidPart, PartTooSmall:
        :raises ObjectExists, NoSuchKey, ConditionFailed, ConditionConflict: as of a commit.
        :raises ConditionUnsupported:
        """

    def abort(bucket: str, key: str, upload_id: str) -> None:
        """Forget an upload and its parts.  :raises NoSuchUpload:"""

    def expire(
        before_ns: int,
        limit: int = 1000,
        should_stop: Callable[[], bool] = lambda: False,
        leftovers_ns: int | None = None,
    ) -> int:
        """Forget uploads of all buckets that nobody has touched since; how many there were.

        Also removes what a crash has left anywhere, once nobody has touched it since
        ``leftovers_ns``, by default since the same time.  Bounded by ``limit`` removals a call.
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

    def may_sweep() -> bool:
        """Whether this store is the one of all that serve the same data that is to call ``expire``.

        Blocks, and does not raise.  Whoever has been told so is told so until it is closed, or its
        process ends in any way; then another one is.  Where stores cannot know of each other, as on
        nodes between which the file system carries no locks, more than one is told so.
        """

    def close() -> None:
        """Let go of descriptors; afterwards nothing may be called."""
