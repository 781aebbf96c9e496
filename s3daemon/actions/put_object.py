"""PutObject: https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObject.html

Reads the attributes of :mod:`s3daemon.actions.attributes`, a list of grants, Content-Length (or
x-amz-decoded-content-length), Content-MD5, x-amz-checksum-* (or a trailer of that name),
x-amz-sdk-checksum-algorithm and a condition (:mod:`s3daemon.actions.conditions`).  Where no
checksum is given, one is computed as S3 does (:data:`s3daemon.wire.checksums.DEFAULT`).  A key that
ends in ``/`` is a key like any other, with or without bytes.
"""

from __future__ import annotations

import attrs

from s3daemon.actions import attributes, conditions, grants
from s3daemon.actions.base import Context, ISink, UploadAction
from s3daemon.actions.sink import MAX_OBJECT, ExpectedBody, ObjectSink, expected_body
from s3daemon.store.interfaces import ALWAYS, Attributes, Condition
from s3daemon.wire import errors
from s3daemon.wire.acl import Given
from s3daemon.wire.checksums import DEFAULT
from s3daemon.wire.message import S3Request


@attrs.frozen
class PutObject:
    """What the head of a PUT says."""

    bucket: str
    key: str
    attributes: Attributes
    body: ExpectedBody
    condition: Condition = ALWAYS
    acl: Given = Given()


def parse(request: S3Request) -> PutObject:
    """Read the head; pure.

    :raises S3Error: of :mod:`s3daemon.actions.attributes` and :func:`expected_body`;
        NotImplemented for Content-Range, since a part must not be stored as the whole
        (RFC 9110 section 14.5).
    """
    if "content-range" in request.headers:
        raise errors.NotImplemented(detail={"Header": "content-range"})
    condition = conditions.of_write(request)
    return PutObject(
        request.bucket,
        request.key,
        attributes.parse(request),
        expected_body(request, MAX_OBJECT),
        condition,
        grants.parse(request),
    )


def begin(context: Context, put: PutObject) -> ISink:
    """Check everything that can be known before the body is here, and open the object."""
    bucket = context.bucket(put.bucket, put.key)
    attributes.check(put.attributes, context.limits)
    owner, acl = grants.new_object(context, bucket, put.acl)
    conditions.check(context, bucket, put.key, put.condition)
    given = attributes.with_acl(put.attributes, acl)
    writer = context.objects.create(put.bucket, put.key, given, owner, put.condition)
    return ObjectSink(writer, put.body, put.body.checksum.algorithm or DEFAULT, context.aside)


ACTION = UploadAction("PutObject", parse, begin)
