"""What the actions on one multipart upload have in common: which upload, which part.

Source: S3 user guide, "Amazon S3 multipart upload limits".
"""

from __future__ import annotations

import re

import attrs

from s3daemon.wire import errors
from s3daemon.wire.message import S3Request

#: The highest part number, and the most parts of an object.
MAX_PARTS = 10_000

_NUMBER = re.compile("[0-9]{1,10}")


@attrs.frozen
class UploadTarget:
    """One upload: its bucket, key and id."""

    bucket: str
    key: str
    upload_id: str


def upload_target(request: S3Request) -> UploadTarget:
    """The upload a request is about; whether there is one is for the store to say."""
    return UploadTarget(request.bucket, request.key, request.query.get("uploadId", ""))


def part_number(text: str) -> int:
    """The number of a part.

    :raises errors.InvalidArgument: no number from 1 to 10,000.
    """
    if _NUMBER.fullmatch(text) and 1 <= int(text) <= MAX_PARTS:
        return int(text)
    raise errors.InvalidArgument(
        "Part number must be an integer between 1 and 10000, inclusive",
        detail={"ArgumentName": "partNumber", "ArgumentValue": text},
    )
