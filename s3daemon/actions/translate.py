"""Storage facts become S3 errors here, and nowhere else."""

from __future__ import annotations

from collections.abc import Mapping

from s3daemon.store import interfaces as store
from s3daemon.wire import errors


def s3_error(
    error: Exception,
    *,
    bucket: str = "",
    key: str = "",
    upload_id: str = "",
    resource: str | None = None,
) -> errors.S3Error:
    """The S3 error for a storage fact; the names are those of the request.

    An S3 error stays what it is.  What nobody knows becomes InternalError; its text is for the log
    and never reaches the client.

    :param resource: what the error is about, if not the target of the request.
    """
    if isinstance(error, errors.S3Error):
        return error
    for fact in type(error).__mro__:
        found = _FACTS.get(fact)
        if found is not None:
            break
    else:
        return errors.InternalError(resource=resource)
    kind, message, names = found
    detail = {
        name: value for name, value in _detail(names, bucket, key, upload_id).items() if value
    }
    if isinstance(error, store.PartTooSmall):
        detail = {
            "PartNumber": str(error.number),
            "ETag": error.etag,
            "ProposedSize": str(error.size),
        }
    elif isinstance(error, store.ObjectExists):
        detail = {"Condition": "If-None-Match"}
    elif isinstance(error, store.ConditionFailed):
        detail = {"Condition": _CONDITIONS.get(error.field, "")}
    return kind(message, detail=detail, resource=resource)


def _detail(names: tuple[str, ...], bucket: str, key: str, upload_id: str) -> dict[str, str]:
    values = {"BucketName": bucket, "Key": key, "UploadId": upload_id}
    return {name: values[name] for name in names}


#: Field of a condition -> how a request gave it.
_CONDITIONS: Mapping[str, str] = {
    "etag": "If-Match",
    "not_etag": "If-None-Match",
    "size": "x-amz-if-match-size",
    "modified_s": "x-amz-if-match-last-modified-time",
}

#: Fact -> S3 error, a message that says more than the error's own ("" for its own), and which names
#: it carries.
_FACTS: Mapping[type, tuple[type[errors.S3Error], str, tuple[str, ...]]] = {
    store.NoSuchBucket: (errors.NoSuchBucket, "", ("BucketName",)),
    store.BucketExists: (errors.BucketAlreadyExists, "", ("BucketName",)),
    store.BucketNotEmpty: (errors.BucketNotEmpty, "", ("BucketName",)),
    store.BadBucketName: (errors.InvalidBucketName, "", ("BucketName",)),
    store.NoSuchKey: (errors.NoSuchKey, "", ("Key",)),
    store.KeyTooLong: (errors.KeyTooLongError, "", ()),
    store.BadKey: (errors.InvalidArgument, "The object key is not valid.", ()),
    store.ObjectExists: (errors.PreconditionFailed, "", ()),
    store.ConditionFailed: (errors.PreconditionFailed, "", ()),
    store.ConditionConflict: (errors.ConditionalRequestConflict, "", ("Key",)),
    store.ConditionUnsupported: (
        errors.NotImplemented,
        "The storage behind this endpoint has no locks that hold between processes, so this"
        " condition could be overtaken by another writer. If-None-Match: * works.",
        (),
    ),
    store.NoSuchUpload: (errors.NoSuchUpload, "", ("UploadId",)),
    store.InvalidPart: (errors.InvalidPart, "", ("UploadId",)),
    store.PartTooSmall: (errors.EntityTooSmall, "", ()),
    store.OutOfSpace: (errors.StorageFull, "", ()),
    # Not the caller's rights, which AccessDenied would be taken for: other gateways may do it.
    store.ReadOnly: (
        errors.ServiceUnavailable,
        "The storage behind this endpoint is read-only at the moment.",
        (),
    ),
    store.AccessRefused: (errors.AccessDenied, "", ()),
    store.Busy: (errors.SlowDown, "", ()),
    store.Unavailable: (errors.ServiceUnavailable, "", ()),
    store.Corrupt: (errors.InternalError, "", ()),
}
