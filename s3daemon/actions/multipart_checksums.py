"""The rules of S3 for checksums of multipart uploads, as far as several actions share them.

An upload may name an algorithm and whether the object's checksum is to be ``COMPOSITE`` (of the
checksums of the parts) or ``FULL_OBJECT`` (of all bytes, which only CRCs can be joined to).  Every
part is then to have a checksum of that algorithm.

Sources: S3 user guide, "Checking object integrity in Amazon S3"; S3 API reference,
CreateMultipartUpload, UploadPart.  The messages are those that S3 sends.
"""

from __future__ import annotations

from s3daemon.store.interfaces import Checksum, PartInfo, UploadInfo
from s3daemon.wire import checksums, errors, integrity
from s3daemon.wire.checksums import Algorithm
from s3daemon.wire.message import S3Request
from s3daemon.wire.xmlio import element

ALGORITHM_HEADER = "x-amz-checksum-algorithm"
TYPE_HEADER = "x-amz-checksum-type"


def wanted(request: S3Request) -> tuple[str | None, str | None]:
    """Algorithm and type that CreateMultipartUpload asks for; both None where it asks for nothing.

    :raises errors.InvalidRequest: there is no such algorithm or type, or not the two together.
    :raises errors.NotImplemented: the library for the algorithm is not installed here.
    """
    found, kind = integrity.requested(request.headers), checksum_type(request)
    if found is None:
        if kind is not None:
            raise errors.InvalidRequest(
                f"The {TYPE_HEADER} header can only be used with the {ALGORITHM_HEADER} header."
            )
        return None, None
    algorithm = found.name
    composite = checksums.supports_composite(algorithm)
    if kind is None:
        return algorithm, checksums.COMPOSITE if composite else checksums.FULL_OBJECT
    if kind == checksums.COMPOSITE:
        possible = composite
    else:
        possible = checksums.supports_full_object(algorithm)
    if not possible:
        raise errors.InvalidRequest(
            f"The {kind} checksum type cannot be used with the {algorithm.lower()} checksum "
            "algorithm."
        )
    return algorithm, kind


def checksum_type(request: S3Request) -> str | None:
    """The value of x-amz-checksum-type.  :raises errors.InvalidRequest: S3 knows no such type."""
    kind = request.headers.get(TYPE_HEADER)
    if kind not in (None, checksums.COMPOSITE, checksums.FULL_OBJECT):
        raise invalid_value(TYPE_HEADER)
    return kind


def check_part(upload: UploadInfo, given: Algorithm | None) -> None:
    """Return if a part may come with a checksum of this algorithm, or with none.

    :raises errors.InvalidRequest: it is not the upload's; or none comes with a part of an object
        whose checksum is to be composite, so that the client could not tell it to Complete.
    """
    if upload.checksum_algorithm is None:
        return
    if given is None:
        refused = upload.checksum_type == checksums.COMPOSITE
    else:
        refused = given.name != upload.checksum_algorithm
    if refused:
        raise mismatch(upload.checksum_algorithm, None if given is None else given.name)


def part_algorithm(upload: UploadInfo) -> Algorithm | None:
    """What the checksum of a part is made with; None where nobody asked and none comes cheaply."""
    if upload.checksum_algorithm is None:
        return checksums.DEFAULT
    return checksums.ALGORITHMS[upload.checksum_algorithm]


def shown(upload: UploadInfo, part: PartInfo) -> Checksum | None:
    """The checksum of a part that answers show: not one that nobody asked for.

    A client would send it back with Complete, which S3 then refuses.
    """
    return None if upload.checksum_algorithm is None else part.checksum


def invalid_value(header: str) -> errors.InvalidRequest:
    """The error for a header field whose value is not what it has to be."""
    return errors.InvalidRequest(f"Value for {header} header is invalid.")


def mismatch(expected: str | None, actual: str | None) -> errors.InvalidRequest:
    """The error for a checksum of another algorithm than the upload's; None for no algorithm."""
    return errors.InvalidRequest(
        f"Checksum Type mismatch occurred, expected checksum Type: {(expected or 'null').lower()}, "
        f"actual checksum Type: {(actual or 'null').lower()}"
    )


def checksum_elements(checksum: Checksum | None, with_type: bool = True) -> str:
    """``<ChecksumCRC32>`` and, if wanted, ``<ChecksumType>``; "" where there is none."""
    if checksum is None:
        return ""
    value = element(checksums.ALGORITHMS[checksum.algorithm].element, checksum.value)
    return value + (element("ChecksumType", checksum.kind) if with_type else "")
