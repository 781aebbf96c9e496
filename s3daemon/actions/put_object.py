"""PutObject: https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObject.html

Reads the attributes of :mod:`s3daemon.actions.attributes`, Content-Length (or
x-amz-decoded-content-length), Content-MD5, x-amz-checksum-* (or a trailer of that name),
x-amz-sdk-checksum-algorithm and ``If-None-Match: *``.  Where no checksum is given, one is computed
as S3 does (:data:`s3daemon.wire.checksums.DEFAULT`).  A key that ends in ``/`` is a key like any
other, with or without bytes.
"""

from __future__ import annotations

import attrs

from s3daemon.actions import attributes
from s3daemon.actions.base import Context, ISink, UploadAction
from s3daemon.actions.sink import MAX_OBJECT, ExpectedBody, ObjectSink, expected_body
from s3daemon.store.interfaces import Attributes, NoSuchKey, ObjectExists
from s3daemon.wire import errors
from s3daemon.wire.checksums import DEFAULT
from s3daemon.wire.message import S3Request


@attrs.frozen
class PutObject:
    """What the head of a PUT says."""

    bucket: str
    key: str
    attributes: Attributes
    body: ExpectedBody
    create_only: bool = False


def parse(request: S3Request) -> PutObject:
    """Read the head; pure.

    :raises S3Error: of :mod:`s3daemon.actions.attributes` and :func:`expected_body`;
        NotImplemented for Content-Range, since a part must not be stored as the whole
        (RFC 9110 section 14.5).
    """
    if "content-range" in request.headers:
        raise errors.NotImplemented(detail={"Header": "content-range"})
    create_only = attributes.create_only(request)
    return PutObject(
        request.bucket,
        request.key,
        attributes.parse(request),
        expected_body(request, MAX_OBJECT),
        create_only,
    )


def begin(context: Context, put: PutObject) -> ISink:
    """Check everything that can be known before the body is here, and open the object."""
    context.bucket(put.bucket, put.key)
    attributes.check(put.attributes, context.limits)
    if put.create_only:
        _refuse_taken(context, put)
    writer = context.objects.create(
        put.bucket, put.key, put.attributes, context.caller.id, put.create_only
    )
    return ObjectSink(writer, put.body, put.body.checksum.algorithm or DEFAULT, context.aside)


def _refuse_taken(context: Context, put: PutObject) -> None:
    """Spare the client the body; commit decides again, and for good."""
    try:
        info = context.objects.stat(put.bucket, put.key)
    except NoSuchKey:
        return
    if not info.folder:
        raise ObjectExists(put.key)


ACTION = UploadAction("PutObject", parse, begin)
