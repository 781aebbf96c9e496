"""The source of a copy: ``x-amz-copy-source`` and the conditions and rules that go with it.

Source: S3 API reference, CopyObject and UploadPartCopy.
"""

from __future__ import annotations

import re
from urllib.parse import unquote_to_bytes

import attrs

from s3daemon.actions.base import Context
from s3daemon.actions.translate import s3_error
from s3daemon.store.interfaces import IReader, NoSuchKey, StorageError
from s3daemon.wire import conditional, errors
from s3daemon.wire.conditional import Conditions
from s3daemon.wire.errors import AccessDenied, InvalidArgument
from s3daemon.wire.message import Personality, S3Request

_NAME = "x-amz-copy-source"
_BAD_ESCAPE = re.compile("%(?![0-9A-Fa-f]{2})")


@attrs.frozen
class CopySource:
    """Where a copy comes from.

    :ivar conditions: of ``x-amz-copy-source-if-*``.
    :ivar expected_owner: of ``x-amz-source-expected-bucket-owner``; None where nothing is expected.
    :ivar folders: a directory that nobody put as an object is one, as for a GET.
    """

    bucket: str
    key: str
    conditions: Conditions | None = None
    expected_owner: str | None = None
    folders: bool = False

    @property
    def resource(self) -> str:
        """The path an error names."""
        return f"/{self.bucket}/{self.key}"


def parse(request: S3Request) -> CopySource:
    """Read the source: ``bucket/key``, with or without a slash before it, percent-encoded.

    As in a path a ``+`` is a ``+``.  ``?versionId=null`` is the only version there is.

    :raises InvalidArgument: no bucket, no key, a broken escape, not UTF-8.
    :raises NotImplemented: another version.
    """
    value = request.headers.get(_NAME, "")
    path, mark, version = value.partition("?versionId=")
    if mark and version != "null":
        raise errors.NotImplemented(
            "Versioning is not implemented; leave out the versionId of the copy source.",
            detail={"Header": _NAME},
        )
    if _BAD_ESCAPE.search(path):
        raise _invalid("Invalid copy source encoding", value)
    try:
        decoded = unquote_to_bytes(path).decode("utf-8")
    except UnicodeError:  # bytes that are no UTF-8, escaped or as they are
        raise _invalid("Invalid copy source encoding", value) from None
    bucket, _, key = decoded.removeprefix("/").partition("/")
    if not bucket:
        raise _invalid("Invalid copy source bucket name", value)
    if not key:
        raise _invalid("Invalid copy source object key", value)
    return CopySource(
        bucket,
        key,
        conditional.parse(request, _NAME + "-"),
        request.headers.get("x-amz-source-expected-bucket-owner"),
        request.personality is Personality.ALLUXIO,
    )


def open_source(context: Context, source: CopySource) -> IReader:
    """Open the source, if the caller may read it and its conditions hold; the caller closes it.

    Errors name the source, not the target of the request.

    :raises S3Error: NoSuchBucket, NoSuchKey, AccessDenied, PreconditionFailed and what else the
        store has to say.
    """
    try:
        bucket = context.look_up(source.bucket, target=False)
        if source.expected_owner is not None and source.expected_owner != bucket.owner:
            raise AccessDenied(resource=source.resource)
        reader = context.open(bucket, source.key, operation="GetObject")
        try:
            info = reader.info
            if info.folder and not source.folders:
                raise NoSuchKey(source.key)
            if source.conditions is not None:
                source.conditions.check_source(info.etag, info.modified_ns)
        except BaseException:
            reader.close()
            raise
        return reader
    except StorageError as error:
        raise s3_error(
            error, bucket=source.bucket, key=source.key, resource=source.resource
        ) from error


def _invalid(message: str, value: str) -> InvalidArgument:
    return InvalidArgument(message, detail={"ArgumentName": _NAME, "ArgumentValue": value})
