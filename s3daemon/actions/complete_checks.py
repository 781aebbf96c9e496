"""What a client says that a multipart object will be, held against what it is going to be.

The store calls :meth:`Expected.check` with the parts that it is about to publish, so nothing can
change between the look and the deed, and what is refused leaves the upload as it was.

Source: S3 API reference, CompleteMultipartUpload; the messages are those that S3 sends.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

import attrs

from s3daemon.actions.multipart_checksums import (
    TYPE_HEADER,
    checksum_type,
    invalid_value,
    mismatch,
)
from s3daemon.store import part_checksums
from s3daemon.store.interfaces import Checksum, PartInfo, UploadInfo
from s3daemon.wire import checksums, errors
from s3daemon.wire.message import S3Request

SIZE_HEADER = "x-amz-mp-object-size"

_NUMBER = re.compile("[0-9]{1,19}")
#: A checksum of a whole object: a composite one may have the number of parts behind it.
_WHOLE = re.compile("([A-Za-z0-9+/=]+)(?:-([0-9]{1,5}))?")


class ListedPart(NamedTuple):
    """One part of the document.

    :ivar etag: bare.
    :ivar checksum: (algorithm, value), or None.
    """

    number: int
    etag: str
    checksum: tuple[str, str] | None = None


@attrs.frozen
class Expected:
    """What the head of a Complete says of the object; None for what it does not say.

    :ivar checksum: algorithm, value without a number of parts, and that number.
    :ivar checksum_type: ``COMPOSITE`` or ``FULL_OBJECT``.
    :ivar size: bytes.
    """

    checksum: tuple[str, str, int | None] | None = None
    checksum_type: str | None = None
    size: int | None = None

    def check(
        self,
        listed: Sequence[ListedPart],
        upload: UploadInfo,
        parts: Sequence[PartInfo],
        checksum: Checksum | None,
    ) -> None:
        """Return if the object may be made.

        :param listed: the document, part by part as ``parts``.
        :param checksum: that the object is going to have.
        :raises errors.BadDigest: it is another one, or of another type.
        :raises errors.InvalidPart: a part has another one.
        :raises errors.InvalidRequest: the sizes differ, a part comes without its checksum, or the
            checksums are made with another algorithm than the upload's.
        """
        kind = upload.checksum_type or checksums.FULL_OBJECT
        if self.checksum_type not in (None, kind):
            raise errors.BadDigest(
                f"The upload was created using the {kind} checksum mode. The complete request must "
                "use the same checksum mode.",
                detail={"Header": TYPE_HEADER},
            )
        given = self._checksum_for(upload, kind)
        if upload.checksum_algorithm is not None:
            _check_algorithm(listed, upload.checksum_algorithm, kind)
        if given is not None and kind == checksums.COMPOSITE:
            # First what the client says itself: S3 does not get to the parts if that is wrong.
            algorithm, value, count = given
            digests = [
                checksums.decode(algorithm, part.checksum[1]) for part in listed if part.checksum
            ]
            whole, _, number = checksums.composite(algorithm, digests).partition("-")
            if whole != value or count not in (None, int(number)):
                raise _bad_digest(algorithm)
        _check_parts(listed, upload, parts)
        if given is not None and (checksum is None or checksum.value.partition("-")[0] != given[1]):
            raise _bad_digest(given[0])
        if self.size is not None:
            found = sum(part.size for part in parts)
            if found != self.size:
                raise errors.InvalidRequest(
                    f"The provided '{SIZE_HEADER}' header value {self.size} does not match what "
                    f"was computed: {found}"
                )

    def _checksum_for(self, upload: UploadInfo, kind: str) -> tuple[str, str, int | None] | None:
        """What is said of this upload's checksum."""
        if self.checksum is None:
            return None
        algorithm, _, count = self.checksum
        if upload.checksum_algorithm is None:
            # The parts have no checksum of any algorithm but the default one: S3 lets that pass.
            return self.checksum if algorithm == part_checksums.DEFAULT else None
        if algorithm != upload.checksum_algorithm:
            raise mismatch(upload.checksum_algorithm, algorithm)
        if count is not None and kind != checksums.COMPOSITE:
            raise invalid_value(checksums.ALGORITHMS[algorithm].header)
        return self.checksum


def expected(request: S3Request) -> Expected:
    """Read the head.

    :raises errors.InvalidRequest: a value that is none, or more than one checksum.
    """
    size = request.headers.get(SIZE_HEADER)
    if size is not None and not _NUMBER.fullmatch(size):
        raise errors.InvalidRequest(f"Value for {SIZE_HEADER} header is invalid: '{size}'")
    found = [name for name in checksums.HEADERS if name in request.headers]
    if len(found) > 1:
        raise errors.InvalidRequest(
            "Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed."
        )
    checksum = _whole(found[0], request.headers[found[0]]) if found else None
    return Expected(checksum, checksum_type(request), None if size is None else int(size))


def _whole(header: str, text: str) -> tuple[str, str, int | None]:
    """The checksum of a whole object in a header field."""
    algorithm, match = checksums.HEADERS[header].name, _WHOLE.fullmatch(text.strip())
    try:
        if match is None:
            raise ValueError("no checksum")
        checksums.decode(algorithm, match[1])
    except ValueError:
        raise invalid_value(header) from None
    return algorithm, match[1], None if match[2] is None else int(match[2])


def part_checksum(fields: Sequence[tuple[str, str]]) -> tuple[str, str] | None:
    """The checksum of a part of the document.

    :param fields: (algorithm, value) of each element that is a checksum.
    :raises errors.InvalidArgument: there are several, or it is no value of its algorithm.
    """
    if not fields:
        return None
    try:
        ((algorithm, value),) = fields
        checksums.decode(algorithm, value)
    except ValueError:
        raise errors.InvalidArgument(
            "Invalid Base64 or multiple checksums present in request",
            detail={
                "ArgumentName": "Checksum",
                "ArgumentValue": "".join(f"{name}:{value};" for name, value in fields),
            },
        ) from None
    return algorithm, value


def _check_algorithm(listed: Sequence[ListedPart], algorithm: str, kind: str) -> None:
    """Hold the document to the upload's algorithm; a composite checksum needs each part's."""
    for part in listed:
        if part.checksum is None:
            if kind == checksums.COMPOSITE:
                raise errors.InvalidRequest(
                    f"The upload was created using a {algorithm.lower()} checksum. The complete "
                    "request must include the checksum for each part. It was missing for part "
                    f"{part.number} in the request."
                )
        elif part.checksum[0] != algorithm:
            raise errors.BadDigest(
                f"The {part.checksum[0].lower()} you specified for part {part.number} did not "
                "match what we received."
            )


def _check_parts(
    listed: Sequence[ListedPart], upload: UploadInfo, parts: Sequence[PartInfo]
) -> None:
    for said, part in zip(listed, parts, strict=True):
        if said.checksum is None:
            continue
        # Of an upload that has named no algorithm the parts have no checksum to speak of.
        has = part.checksum if upload.checksum_algorithm is not None else None
        if has is None or said.checksum != (has.algorithm, has.value):
            raise errors.InvalidPart(
                detail={
                    "UploadId": upload.upload_id,
                    "PartNumber": str(part.number),
                    "ETag": part.etag,
                }
            )


def _bad_digest(algorithm: str) -> errors.BadDigest:
    return errors.BadDigest(
        f"The {algorithm.lower()} you specified did not match the calculated checksum."
    )
