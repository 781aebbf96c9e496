"""The S3 errors: class name = S3 code; status and message are data.

Source: S3 API reference, "Error responses".  A message says what the client can do about it.
The HTTP status is 400 where a class does not say otherwise.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar


class S3Error(Exception):
    """An error that S3 defines.  Raise a subclass.

    :cvar status: HTTP status.
    :cvar message: what is said unless the raiser says something better.
    :ivar detail: further elements of the error document, in order (``BucketName`` ...).
    :ivar headers: header fields the answer carries besides (``Allow``, ``Content-Range`` ...).
    :ivar resource: what the error is about, if not the target of the request.
    """

    status: ClassVar[int] = 400
    message: ClassVar[str] = ""

    def __init__(
        self,
        message: str = "",
        *,
        detail: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        resource: str | None = None,
    ) -> None:
        super().__init__(message or self.message)
        self.detail = dict(detail or {})
        self.headers = dict(headers or {})
        self.resource = resource

    @property
    def code(self) -> str:
        """The S3 error code."""
        return type(self).__name__


class AccessDenied(S3Error):
    status = 403
    message = "Access Denied"


class AccessForbidden(S3Error):
    status = 403
    message = "Access Forbidden"


class AuthorizationHeaderMalformed(S3Error):
    message = "The authorization header that you provided is not valid."


class AuthorizationQueryParametersError(S3Error):
    message = "The authorization query parameters that you provided are not valid."


class BadDigest(S3Error):
    message = (
        "The Content-MD5 or checksum value that you specified did not match what the "
        "server received."
    )


class BadRequest(S3Error):
    message = "Bad Request"


class BucketAlreadyExists(S3Error):
    status = 409
    message = (
        "The requested bucket name is not available. Please select a different name and try again."
    )


class BucketAlreadyOwnedByYou(S3Error):
    status = 409
    message = "The bucket that you tried to create already exists, and you own it."


class BucketNotEmpty(S3Error):
    status = 409
    message = "The bucket that you tried to delete is not empty."


class ConditionalRequestConflict(S3Error):
    status = 409
    message = (
        "Another request for the same object came in between, so the condition could not be "
        "decided. Try again."
    )


class EntityTooLarge(S3Error):
    message = "Your proposed upload exceeds the maximum allowed object size."


class EntityTooSmall(S3Error):
    message = "Your proposed upload is smaller than the minimum allowed object size."


class IllegalLocationConstraintException(S3Error):
    message = (
        "The specified location constraint is not valid for the region this request was sent to."
    )


class IncompleteBody(S3Error):
    message = "You did not provide the number of bytes specified by the Content-Length HTTP header."


class InternalError(S3Error):
    status = 500
    message = "An internal error occurred. Try again."


class InvalidAccessKeyId(S3Error):
    status = 403
    message = "The AWS Access Key Id you provided does not exist in our records."


class InvalidArgument(S3Error):
    message = "Invalid Argument"


class InvalidBucketName(S3Error):
    message = "The specified bucket is not valid."


class InvalidDigest(S3Error):
    message = "The Content-MD5 or checksum value that you specified is not valid."


class InvalidLocationConstraint(S3Error):
    message = "The specified location constraint is not valid."


class InvalidPart(S3Error):
    message = (
        "One or more of the specified parts could not be found. The part might not have "
        "been uploaded, or the specified entity tag might not have matched the part's "
        "entity tag."
    )


class InvalidPartNumber(S3Error):
    status = 416
    message = "The requested partnumber is not satisfiable"


class InvalidPartOrder(S3Error):
    message = (
        "The list of parts was not in ascending order. The parts list must be specified "
        "in order by part number."
    )


class InvalidRange(S3Error):
    status = 416
    message = "The requested range cannot be satisfied."


class InvalidRequest(S3Error):
    message = "The request is not valid."


class InvalidStorageClass(S3Error):
    message = "The storage class that you specified is not valid."


class InvalidTag(S3Error):
    message = "The tag provided was not a valid tag."


class InvalidToken(S3Error):
    message = "The provided token is malformed or otherwise invalid."


class InvalidURI(S3Error):
    message = "The specified URI couldn't be parsed."


class KeyTooLongError(S3Error):
    message = "Your key is too long."


class MalformedTrailerError(S3Error):
    message = (
        "The request contained trailing data that was not well-formed or did not conform to our "
        "published schema."
    )


class MalformedXML(S3Error):
    message = (
        "The XML that you provided was not well formed or did not validate against our "
        "published schema."
    )


class MaxMessageLengthExceeded(S3Error):
    message = "Your request was too large."


class MetadataTooLarge(S3Error):
    message = "Your metadata headers exceed the maximum allowed metadata size."


class MethodNotAllowed(S3Error):
    status = 405
    message = "The specified method is not allowed against this resource."


class MissingContentLength(S3Error):
    status = 411
    message = "You must provide the Content-Length HTTP header."


class MissingRequestBodyError(S3Error):
    message = "You sent an empty XML document as a request."


class NoSuchBucket(S3Error):
    status = 404
    message = "The specified bucket does not exist."


class NoSuchKey(S3Error):
    status = 404
    message = "The specified key does not exist."


class NoSuchTagSet(S3Error):
    status = 404
    message = "The TagSet does not exist."


class NoSuchUpload(S3Error):
    status = 404
    message = (
        "The specified multipart upload does not exist. The upload ID might not be "
        "valid, or the multipart upload might have been aborted or completed."
    )


class NotImplemented(S3Error):
    status = 501
    message = "A header or query you provided implies functionality that is not implemented."


class NotModified(S3Error):
    status = 304
    message = "Not Modified"


class OperationAborted(S3Error):
    status = 409
    message = (
        "A conflicting conditional operation is currently in progress against this "
        "resource. Try again."
    )


class PreconditionFailed(S3Error):
    status = 412
    message = "At least one of the preconditions that you specified did not hold."


class RequestHeaderSectionTooLarge(S3Error):
    message = (
        "The request header and query parameters used to make the request exceed the "
        "maximum allowed size."
    )


class RequestTimeout(S3Error):
    message = (
        "Your socket connection to the server was not read from or written to within "
        "the timeout period."
    )


class RequestTimeTooSkewed(S3Error):
    status = 403
    message = "The difference between the request time and the current time is too large."


class ServiceUnavailable(S3Error):
    status = 503
    message = "Service is unable to handle request. Try again."


class SignatureDoesNotMatch(S3Error):
    status = 403
    message = (
        "The request signature we calculated does not match the signature you provided. "
        "Check your key and signing method."
    )


class SlowDown(S3Error):
    status = 503
    message = "Please reduce your request rate."


class StorageFull(S3Error):
    status = 507
    message = (
        "There is no space left to store this. Free some space or ask the operator for "
        "more, then try again."
    )


class XAmzContentSHA256Mismatch(S3Error):
    message = "The provided 'x-amz-content-sha256' header does not match what was computed."
