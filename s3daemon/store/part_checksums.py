"""The checksum of a multipart object, out of those of its parts: no byte is read again.

Source: S3 user guide, "Checking object integrity in Amazon S3": a *composite* checksum is that of
the binary checksums of the parts.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence

from s3daemon.store.values import Checksum, PartInfo, UploadInfo

COMPOSITE = "COMPOSITE"


def of_object(upload: UploadInfo, parts: Sequence[PartInfo]) -> Checksum | None:
    """The checksum of an object of these parts; None where a part has none of the right algorithm.

    :param parts: at least one, in order.
    """
    algorithm = upload.checksum_algorithm
    if algorithm not in ("SHA1", "SHA256") or upload.checksum_type != COMPOSITE:
        return None
    digests: list[bytes] = []
    for part in parts:
        if part.checksum is None or part.checksum.algorithm != algorithm:
            return None
        digests.append(base64.b64decode(part.checksum.value))
    whole = hashlib.new(algorithm, b"".join(digests), usedforsecurity=False).digest()
    return Checksum(algorithm, f"{base64.b64encode(whole).decode()}-{len(parts)}", COMPOSITE)


def of_parts(parts: Sequence[PartInfo]) -> tuple[str, ...]:
    """The parts' own, for :attr:`ObjectInfo.part_checksums`, once :func:`of_object` gives one."""
    return tuple(part.checksum.value for part in parts if part.checksum is not None)
