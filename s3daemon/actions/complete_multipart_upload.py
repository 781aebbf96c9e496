"""CompleteMultipartUpload: make the listed parts the object.

Query: uploadId.  Headers: a condition (:mod:`s3daemon.actions.conditions`), x-amz-mp-object-size,
``x-amz-checksum-*`` of the object and x-amz-checksum-type, Content-MD5.  Document:
CompleteMultipartUpload with the number and ETag of each part, and its checksum.  Repeating a
Complete gives the same answer.

Source: https://docs.aws.amazon.com/AmazonS3/latest/API/API_CompleteMultipartUpload.html
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from functools import partial
from urllib.parse import quote

import attrs

from s3daemon.actions import complete_checks, conditions
from s3daemon.actions.base import Answer, Context, DocumentAction
from s3daemon.actions.complete_checks import Expected, ListedPart, part_checksum
from s3daemon.actions.multipart import MAX_PARTS, UploadTarget, part_number, upload_target
from s3daemon.actions.multipart_checksums import checksum_elements
from s3daemon.store.interfaces import Condition
from s3daemon.wire import checksums, digests, errors, headers, xmlio
from s3daemon.wire.message import S3Request

#: Element of the document -> algorithm.
_CHECKSUMS: Mapping[str, str] = {a.element: a.name for a in checksums.ALGORITHMS.values()}


@attrs.frozen
class CompleteMultipartUpload:
    """Which upload, and on what conditions.

    :ivar location: where the object will be.
    :ivar expected: what the object has to be.
    :ivar content_md5: what the client says the document's digest is, or None.
    """

    upload: UploadTarget
    location: str
    condition: Condition
    expected: Expected
    content_md5: bytes | None


def parse(request: S3Request) -> CompleteMultipartUpload:
    """Read the head.

    :raises errors.NotImplemented: a condition that S3 does not take; encryption.
    :raises errors.InvalidRequest: see :func:`s3daemon.actions.complete_checks.expected`.
    :raises errors.InvalidDigest: Content-MD5 is none.
    """
    headers.refuse_unsupported(request)
    path = f"{request.base}/{quote(request.bucket, safe=':')}/{quote(request.key, safe='/')}"
    scheme = "https" if request.secure else "http"
    return CompleteMultipartUpload(
        upload=upload_target(request),
        location=f"{scheme}://{request.host}{path}" if request.host else path,
        condition=conditions.of_write(request),
        expected=complete_checks.expected(request),
        content_md5=digests.content_md5(request.headers),
    )


def run(context: Context, wanted: CompleteMultipartUpload, body: bytes) -> Answer:
    """Answer a CompleteMultipartUploadResult.

    :raises errors.MalformedXML: no part, too many, or another document.
    :raises errors.InvalidPartOrder, errors.InvalidRequest, errors.BadDigest:
    :raises s3daemon.store.interfaces.StorageError: NoSuchUpload, InvalidPart, PartTooSmall,
        a condition that does not hold: the upload is as it was.
    """
    upload = wanted.upload
    names = (upload.bucket, upload.key, upload.upload_id)
    bucket = context.upload(upload.bucket, upload.key, upload.upload_id)
    conditions.allow(context, bucket, upload.key, wanted.condition)
    digests.check(wanted.content_md5, hashlib.md5(body, usedforsecurity=False).digest())
    parts = listed_parts(body)
    info = context.uploads.complete(
        *names,
        [(part.number, part.etag) for part in parts],
        context.limits.min_part,
        wanted.condition,
        partial(wanted.expected.check, parts),
    )
    answer = xmlio.document(
        "CompleteMultipartUploadResult",
        xmlio.element("Location", wanted.location),
        xmlio.element("Bucket", upload.bucket),
        xmlio.element("Key", upload.key),
        xmlio.element("ETag", f'"{info.etag}"'),
        checksum_elements(info.checksum),
    )
    return Answer(body=answer)


def listed_parts(body: bytes) -> list[ListedPart]:
    """The parts of the document.

    Clients send ETags with quotes, without, and with quotes escaped once too often.

    :raises errors.MalformedXML: no part, more than 10,000, a part without its number or ETag.
    :raises errors.InvalidArgument: a number that no part can have, or a checksum that is none.
    :raises errors.InvalidPartOrder: the numbers do not ascend.
    """
    if not body.strip():
        raise errors.MalformedXML
    listed = xmlio.children(xmlio.parse(body, "CompleteMultipartUpload"), "Part")
    if not 1 <= len(listed) <= MAX_PARTS:
        raise errors.MalformedXML
    parts: list[ListedPart] = []
    previous = 0
    for part in listed:
        # One pass over each part: looking fields up by name takes twice as long for 10,000 parts.
        fields = {xmlio.local(field): field.text or "" for field in part}
        etag = fields.get("ETag", "").replace("&quot;", "").strip().strip('"')
        text = fields.get("PartNumber", "").strip()
        if not etag or not text.removeprefix("-").isdecimal() or len(fields) != len(part):
            raise errors.MalformedXML
        number = part_number(text)
        if number <= previous:
            raise errors.InvalidPartOrder
        sums = [
            (_CHECKSUMS[name], value.strip())
            for name, value in fields.items()
            if name in _CHECKSUMS and value
        ]
        parts.append(ListedPart(number, etag, part_checksum(sums) if sums else None))
        previous = number
    return parts


ACTION = DocumentAction("CompleteMultipartUpload", parse, run, checksummed=False)
