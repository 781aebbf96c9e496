"""UploadPartCopy: a part whose bytes are those of an object, or of a range of it.

Query: partNumber, uploadId.  Headers: x-amz-copy-source, x-amz-copy-source-range (``bytes=a-b``
only), x-amz-copy-source-if-match and its siblings.

Source: https://docs.aws.amazon.com/AmazonS3/latest/API/API_UploadPartCopy.html
"""

from __future__ import annotations

import hashlib

import attrs

from s3daemon.actions import copy_source
from s3daemon.actions.base import Action, Answer, Context
from s3daemon.actions.copy_source import CopySource
from s3daemon.actions.multipart import UploadTarget, part_number, upload_target
from s3daemon.actions.multipart_checksums import checksum_elements, part_algorithm, shown
from s3daemon.actions.sink import MAX_PART
from s3daemon.store.interfaces import Checksum, IPartWriter, IReader, PartInfo
from s3daemon.wire import checksums, errors, headers, ranges
from s3daemon.wire.dates import iso8601
from s3daemon.wire.message import S3Request
from s3daemon.wire.xmlio import document, element

#: Bytes that are read, hashed and written at a time.
_PIECE = 1024 * 1024


@attrs.frozen
class UploadPartCopy:
    """Which part, and where its bytes come from.

    :ivar range: first and last byte; None for all of the source.
    """

    upload: UploadTarget
    number: int
    source: CopySource
    range: tuple[int, int] | None


def parse(request: S3Request) -> UploadPartCopy:
    """Read the head.

    :raises errors.InvalidArgument: no part has that number, or the source or range is malformed.
    :raises errors.NotImplemented: encryption, or a version of the source.
    """
    headers.refuse_unsupported(request)
    wanted = request.headers.get("x-amz-copy-source-range")
    return UploadPartCopy(
        upload_target(request),
        part_number(request.query.get("partNumber", "")),
        copy_source.parse(request),
        None if wanted is None else ranges.parse_copy_source(wanted),
    )


def run(context: Context, wanted: UploadPartCopy) -> Answer:
    """Answer a CopyPartResult; the checksum is made here, as the client does not see the bytes.

    :raises errors.InvalidRange: the range reaches beyond the end of the source.
    :raises errors.InvalidRequest: more than 5 GiB.
    :raises errors.NotImplemented: the library for the upload's checksum is not installed here.
    :raises errors.OperationAborted: the source was cut short meanwhile, outside S3.
    :raises s3daemon.store.interfaces.NoSuchUpload:
    """
    upload = wanted.upload
    context.upload(upload.bucket, upload.key, upload.upload_id)
    reader = copy_source.open_source(context, wanted.source)
    try:
        size = reader.info.size
        offset, length = (0, size)
        if wanted.range is not None:
            offset, length = ranges.resolve_copy_source(*wanted.range, size)
        if length > MAX_PART:
            raise errors.InvalidRequest(
                "The specified copy source is larger than the maximum allowable size for a copy "
                f"source: {MAX_PART}"
            )
        writer = context.uploads.write_part(
            upload.bucket, upload.key, upload.upload_id, wanted.number, length
        )
        try:
            part = _copy(reader, writer, offset, length)
            checksum = shown(writer.upload, part)
        except BaseException:
            writer.abort()
            raise
    finally:
        reader.close()
    body = document(
        "CopyPartResult",
        element("LastModified", iso8601(part.modified_ns)),
        element("ETag", f'"{part.etag}"'),
        checksum_elements(checksum, with_type=False),
    )
    return Answer(body=body)


def _copy(reader: IReader, writer: IPartWriter, offset: int, length: int) -> PartInfo:
    """Make the bytes the part, with the checksum that the upload's parts have."""
    md5 = hashlib.md5(usedforsecurity=False)
    algorithm = part_algorithm(writer.upload)
    hasher = None if algorithm is None else checksums.hasher_of(algorithm)
    end = offset + length
    while offset < end:
        piece: bytes = reader.read(offset, min(_PIECE, end - offset))
        if not piece:
            raise errors.OperationAborted(
                "The copy source was changed while it was read. Try again."
            )
        md5.update(piece)
        if hasher is not None:
            hasher.update(piece)
        writer.write((piece,))
        offset += len(piece)
    checksum = None
    if algorithm is not None and hasher is not None:
        checksum = Checksum(algorithm.name, checksums.encode(hasher.digest()))
    part: PartInfo = writer.commit(md5.hexdigest(), checksum)
    return part


ACTION = Action("UploadPartCopy", parse, run)
