"""The checksum of a multipart object, out of those of its parts: no byte is read again.

Source: S3 user guide, "Checking object integrity in Amazon S3": a *composite* checksum is that of
the binary checksums of the parts, a *full object* one is that of the content, which the CRCs of the
parts and their sizes determine.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence

from s3daemon.store.values import Checksum, PartInfo, UploadInfo
from s3daemon.wire import checksums

#: What the checksum of an upload is made with for which nothing is named, as S3 does it.
DEFAULT = "CRC64NVME"


def of_object(upload: UploadInfo, parts: Sequence[PartInfo]) -> Checksum | None:
    """The checksum of an object of these parts; None where a part has none of the right algorithm.

    :param parts: at least one, in order.
    :raises s3daemon.wire.errors.NotImplemented: the library for it is not installed here.
    """
    algorithm = upload.checksum_algorithm or DEFAULT
    digests: list[tuple[bytes, int]] = []
    for part in parts:
        if part.checksum is None or part.checksum.algorithm != algorithm:
            return None
        digests.append((base64.b64decode(part.checksum.value), part.size))
    if upload.checksum_type == checksums.COMPOSITE:
        value = checksums.composite(algorithm, [digest for digest, _ in digests])
        return Checksum(algorithm, value, checksums.COMPOSITE)
    return Checksum(algorithm, checksums.encode(checksums.combine(algorithm, digests)))


def of_parts(parts: Sequence[PartInfo]) -> tuple[str, ...]:
    """The parts' own, for :attr:`ObjectInfo.part_checksums`, once :func:`of_object` gives one."""
    return tuple(part.checksum.value for part in parts if part.checksum is not None)
