"""How the checksum of a content is said in header fields."""

from __future__ import annotations

import re

from s3daemon.store.interfaces import Checksum
from s3daemon.wire.checksums import ALGORITHMS
from s3daemon.wire.message import Fields

#: Base64, of a composite checksum with the number of parts.
_VALUE = re.compile(r"[A-Za-z0-9+/]+={0,2}(?:-[0-9]{1,5})?")


def checksum_fields(checksum: Checksum | None, typed: bool = True) -> Fields:
    """``x-amz-checksum-ALGORITHM`` and, unless it is a part's, ``x-amz-checksum-type``.

    A record that something else wrote may hold what is none: that is not sent.
    """
    if checksum is None:
        return ()
    algorithm = ALGORITHMS.get(checksum.algorithm)
    if algorithm is None or not _VALUE.fullmatch(checksum.value):
        return ()
    value = (algorithm.header, checksum.value)
    return (value, ("x-amz-checksum-type", checksum.kind)) if typed else (value,)
