"""Whatever goes wrong becomes the S3 error that a client gets for it."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from twisted.logger import Logger

from s3daemon.actions.translate import s3_error
from s3daemon.http import body as bodies
from s3daemon.http.request import ClientGone
from s3daemon.store.interfaces import AccessRefused, ReadOnly, StorageError
from s3daemon.streams.pool import PoolBusy, PoolStopped
from s3daemon.wire import errors
from s3daemon.wire.message import S3Request

_BODY_ERRORS: Mapping[type[bodies.BodyError], type[errors.S3Error]] = MappingProxyType(
    {
        bodies.BodyIncomplete: errors.IncompleteBody,
        bodies.BodyTooSlow: errors.RequestTimeout,
        bodies.BodyMalformed: errors.InvalidRequest,
        bodies.BodyTooLarge: errors.MaxMessageLengthExceeded,
    }
)

#: Facts that an operator should hear of although the answer is no 5xx.
_WORTH_A_LINE = (AccessRefused, ReadOnly)


def refusal(error: Exception, s3: S3Request | None, log: Logger, request_id: str) -> errors.S3Error:
    """The S3 error for it; a bug becomes InternalError, and its traceback goes to the log.

    :param s3: the request, None where its target could not be read.
    :raises ClientGone: nobody is there to be told.
    """
    if isinstance(error, errors.S3Error):
        return error
    if isinstance(error, ClientGone):
        raise error
    if isinstance(error, StorageError):
        return _of_storage(error, s3, log, request_id)
    if isinstance(error, PoolBusy):
        return errors.SlowDown("The storage behind this endpoint does not keep up. Try again.")
    if isinstance(error, PoolStopped):
        return errors.ServiceUnavailable("This node is shutting down. Try again.")
    if isinstance(error, bodies.BodyError):
        return _BODY_ERRORS[type(error)](str(error))
    log.failure("request_id={request_id} bug", request_id=request_id)
    return errors.InternalError()


def _of_storage(
    error: StorageError, s3: S3Request | None, log: Logger, request_id: str
) -> errors.S3Error:
    refused = (
        s3_error(error)
        if s3 is None
        else s3_error(error, bucket=s3.bucket, key=s3.key, upload_id=s3.query.get("uploadId", ""))
    )
    if refused.status >= 500 or isinstance(error, _WORTH_A_LINE):
        log.warn("request_id={request_id} storage: {error!r}", request_id=request_id, error=error)
    return refused
