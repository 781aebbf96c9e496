"""What an action is, and what it gets.

An action is one file.  ``parse`` turns the request head into a frozen input and is pure; ``run``
(or ``begin`` for a streamed body) does the work.  Both of the latter *block*: the room above calls
them in one job on a pool thread, so that a small request costs one hop.  Nothing here sees HTTP.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import attrs

from s3daemon.actions.digesting import Aside
from s3daemon.auth.decision import May
from s3daemon.auth.identity import Identity
from s3daemon.store.interfaces import (
    BucketInfo,
    IBuckets,
    IObjects,
    IReader,
    IUploads,
    NoSuchKey,
    NoSuchUpload,
    ObjectInfo,
    UploadInfo,
)
from s3daemon.wire import errors
from s3daemon.wire.integrity import Announced
from s3daemon.wire.message import Fields, S3Request

#: Bodies up to this many bytes are read in the action's own job and sent with the head.
INLINE_BYTES = 65536


@attrs.frozen
class Slice:
    """A body that is part of an open object.  Whoever sends it closes the reader."""

    reader: IReader
    offset: int
    length: int


@attrs.frozen
class Answer:
    """What goes back: status, header fields, and a body of bytes or a piece of a file.

    A HEAD answer carries no body but the Content-Length of the GET in ``fields``; otherwise
    Content-Length is the room's above to set.
    """

    status: int = 200
    fields: Fields = ()
    body: bytes | Slice = b""


@attrs.frozen
class Limits:
    """What the operator allows; sizes in bytes.

    :ivar metadata: all user metadata of an object, names and values (S3: 2 KB).
    :ivar min_part: least size of a part that is not the last (S3: 5 MiB).
    :ivar document: longest XML body of a request.
    :ivar strict_names: CreateBucket on an aws endpoint takes S3's bucket names only.
    """

    metadata: int = 2048
    min_part: int = 5 * 1024 * 1024
    document: int = 4 * 1024 * 1024
    strict_names: bool = True


class Users(Protocol):
    """Whom there is: see :class:`s3daemon.auth.known_users.KnownUsers`."""

    def display_name(self, canonical_id: str, /) -> str: ...
    def knows(self, canonical_id: str, /) -> bool: ...
    def by_email(self, address: str, /) -> str | None: ...


@attrs.frozen
class Context:
    """One request's world: the store, who asks, and when.

    An action asks before it touches anything: by :meth:`bucket`, by :meth:`open` and :meth:`stat`
    for an object that it reads, by :meth:`upload` for an upload under way.

    :ivar now_ns: the time of the request, nanoseconds since the epoch.
    :ivar may: the one decision function.
    :ivar expected_owner: what x-amz-expected-bucket-owner says: the target bucket must be theirs.
    :ivar users: whom a grant can name.
    :ivar aside: makes digests of large bodies on another thread; None to make them here.
    """

    buckets: IBuckets
    objects: IObjects
    uploads: IUploads
    caller: Identity
    operation: str
    may: May
    users: Users
    limits: Limits = Limits()
    now_ns: int = 0
    region: str = "us-east-1"
    expected_owner: str | None = None
    aside: Aside | None = None

    def display_name(self, canonical_id: str) -> str:
        """The name to show beside an id."""
        return self.users.display_name(canonical_id)

    def bucket(self, name: str, key: str = "", operation: str = "") -> BucketInfo:
        """The bucket, if it is there and the caller may do this in it.

        :param key: the object's, or the prefix of a listing.
        :raises s3daemon.store.interfaces.NoSuchBucket:
        :raises errors.AccessDenied:
        """
        info = self.look_up(name, target=not operation)
        self.may(self.caller, operation or self.operation, info, key)
        return info

    def look_up(self, name: str, target: bool = True) -> BucketInfo:
        """The bucket, with its owner, for an action that asks :attr:`may` for each key itself.

        :param target: it is what the request is about, and not the source of a copy.
        :raises s3daemon.store.interfaces.NoSuchBucket:
        :raises errors.AccessDenied: it is not the expected owner's.
        """
        info = self.buckets.get(name)
        while info.owner is None and ":" in name:
            # A directory inside a bucket is its bucket's owner's, unless it was made as a bucket.
            name = name.rpartition(":")[0]
            above = self.buckets.get(name)
            info = attrs.evolve(info, owner=above.owner, acl=above.acl)
        if target and self.expected_owner not in (None, info.owner):
            raise errors.AccessDenied
        return info

    def open(self, bucket: BucketInfo, key: str, operation: str = "") -> IReader:
        """Open an object that the caller may read; decided by the very version that is given.

        :param bucket: of :meth:`look_up`.
        :raises s3daemon.store.interfaces.NoSuchKey:
        :raises errors.AccessDenied:
        """
        reader, missing = None, None

        def find() -> ObjectInfo | None:
            nonlocal reader, missing
            try:
                reader = self.objects.open(bucket.name, key)
            except NoSuchKey as error:
                missing = error
                return None
            info: ObjectInfo = reader.info
            return info

        try:
            self.may(self.caller, operation or self.operation, bucket, key, find)
        except BaseException:
            if reader is not None:
                reader.close()
            raise
        if missing is not None:
            raise missing
        return self.objects.open(bucket.name, key) if reader is None else reader

    def stat(self, bucket: BucketInfo, key: str) -> ObjectInfo:
        """The facts of an object that the caller may read; as :meth:`open`."""
        info, missing = None, None

        def find() -> ObjectInfo | None:
            nonlocal info, missing
            try:
                info = self.objects.stat(bucket.name, key)
            except NoSuchKey as error:
                missing = error
            return info

        self.may(self.caller, self.operation, bucket, key, find)
        if missing is not None:
            raise missing
        return self.objects.stat(bucket.name, key) if info is None else info

    def upload(self, name: str, key: str, upload_id: str) -> BucketInfo:
        """The bucket, if the caller may do this with an upload of theirs in it.

        That the upload is there is not certain.

        :raises s3daemon.store.interfaces.NoSuchBucket:
        :raises errors.AccessDenied:
        """
        bucket = self.look_up(name)

        def find() -> UploadInfo | None:
            try:
                return self.uploads.get(bucket.name, key, upload_id)
            except NoSuchUpload:
                return None

        self.may(self.caller, self.operation, bucket, key, find)
        return bucket


class ISink(Protocol):
    """Where a streamed body goes.  All methods block; one caller at a time."""

    def write(self, data: Sequence[bytes]) -> None:
        """Take the next pieces of the body as it came; aws-chunked is decoded here."""

    def finish(self) -> Answer:
        """The body is whole: check it, publish it, answer.  Aborts itself when it raises."""

    def abort(self) -> None:
        """The body will never be whole.  May be called at any time, more than once."""


class ParseFn(Protocol):
    """Head -> input; pure; raises :class:`s3daemon.wire.errors.S3Error`."""

    def __call__(self, request: S3Request, /) -> Any:
        """Read what this action needs from the head."""


@attrs.frozen
class Action:
    """An action without a body: ``run(context, input)``.

    :ivar name: as in the S3 API reference.
    """

    name: str
    parse: ParseFn
    run: Callable[[Context, Any], Answer]


@attrs.frozen
class DocumentAction:
    """An action with a small document as its body: ``run(context, input, document)``.

    :ivar checksummed: the checksum of the request is one of the document; else it speaks of
        something else.
    """

    name: str
    parse: ParseFn
    run: Callable[[Context, Any, bytes], Answer]
    checksummed: bool = True

    def perform(
        self,
        context: Context,
        given: Any,
        document: bytes,
        checksum: Announced,
        trailers: Mapping[str, str],
    ) -> Answer:
        """Run on a document that is what the client says it is.

        :param checksum: what the head says; :param trailers: those of the body.
        :raises errors.BadDigest, errors.InvalidRequest, errors.MalformedTrailerError: it is not.
        """
        checksum.check_document(document, trailers)
        return self.run(context, given, document)


@attrs.frozen
class UploadAction:
    """An action with a streamed body: ``begin(context, input)`` gives the sink."""

    name: str
    parse: ParseFn
    begin: Callable[[Context, Any], ISink]


AnyAction = Action | DocumentAction | UploadAction

__all__ = [
    "INLINE_BYTES",
    "Action",
    "Answer",
    "AnyAction",
    "Context",
    "DocumentAction",
    "ISink",
    "Limits",
    "Slice",
    "UploadAction",
]
