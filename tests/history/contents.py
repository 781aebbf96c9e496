"""Contents that say who they are, so that a mix of two is noticed."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence

import attrs


def _md5(data: bytes) -> bytes:
    return hashlib.md5(data, usedforsecurity=False).digest()


@attrs.frozen
class Content:
    """What a client writes, once in a history.

    :ivar name: nobody else's; every block of the bytes begins with it.
    :ivar parts: the bytes, cut as they are sent in a multipart upload.
    """

    name: str
    parts: tuple[bytes, ...]

    @property
    def data(self) -> bytes:
        """All bytes."""
        return b"".join(self.parts)

    @property
    def metadata(self) -> dict[str, str]:
        """What is stored beside them: the name again, and where they were cut."""
        return {"name": self.name, "cuts": ",".join(str(len(part)) for part in self.parts)}

    @property
    def etag(self) -> str:
        """Of what is put, or copied, in one piece."""
        return _md5(self.data).hex()

    @property
    def etag_of_parts(self) -> str:
        """Of what is put in parts."""
        return f"{_md5(b''.join(map(_md5, self.parts))).hex()}-{len(self.parts)}"


def make(name: str, sizes: Sequence[int]) -> Content:
    """Content of parts with these sizes."""
    block = f"{name}.".encode()
    size = sum(sizes)
    data = (block * (size // len(block) + 1))[:size]
    parts = []
    for one in sizes:
        parts.append(data[:one])
        data = data[one:]
    return Content(name, tuple(parts))


class Torn(AssertionError):
    """A reader was given a mix of two versions, or a part of one."""


def verify(etag: str, size: int, metadata: Mapping[str, str], data: bytes | None) -> None:
    """Whether ETag, length, metadata and bytes (None: not read) are of one version.

    :raises Torn:
    """
    name, cuts = metadata.get("name", ""), metadata.get("cuts", "")
    if not name or not cuts:
        raise Torn(f"no metadata beside {etag}: {dict(metadata)}")
    content = make(name, [int(one) for one in cuts.split(",")])
    if etag not in (content.etag, content.etag_of_parts):
        raise Torn(f"the ETag {etag} is not that of {name}")
    if size != len(content.data):
        raise Torn(f"{size} bytes of {name}, which has {len(content.data)}")
    if data is not None and data != content.data:
        raise Torn(f"the bytes beside the metadata of {name} are others: {data[:60]!r} ...")
