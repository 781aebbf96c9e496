"""The repeated elements of list answers, as escaped text.

A page is up to 1,000 entries, so this is written as plain string work: one formatted string an
entry, no tree.  The elements and their order are those of ListObjects, ListObjectsV2,
ListObjectVersions, ListParts and ListMultipartUploads (S3 API reference); the actions write what
stands around them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from itertools import count, repeat
from typing import Protocol
from urllib.parse import quote

from s3daemon.wire.dates import iso8601
from s3daemon.wire.xmlio import element, escape, group

#: Turns a key, prefix, marker or delimiter into what stands between the tags.
Text = Callable[[str], str]
#: Renders a time.
Time = Callable[[int], str]
#: Renders the owner element of an entry, given the canonical id that the entry carries.
Owner = Callable[[str | None], str]

_DAY = 86_400 * 10**9
#: What ``encoding-type=url`` changes: all but ``/`` and RFC 3986 section 2.3 "unreserved".
_UNSAFE = re.compile("[^A-Za-z0-9/._~-]")


class ListedObject(Protocol):
    """What an entry of ListObjects is made of; sizes in bytes, times in nanoseconds."""

    @property
    def key(self) -> str: ...
    @property
    def size(self) -> int: ...
    @property
    def modified_ns(self) -> int: ...
    @property
    def etag(self) -> str: ...
    @property
    def owner(self) -> str | None: ...
    @property
    def checksum(self) -> ListedChecksum | None: ...


class ListedChecksum(Protocol):
    """A checksum of an entry: its algorithm as the S3 API names it, its value in base64, and its
    kind."""

    @property
    def algorithm(self) -> str: ...
    @property
    def value(self) -> str: ...
    @property
    def kind(self) -> str: ...


class ListedPart(Protocol):
    """What an entry of ListParts is made of."""

    @property
    def number(self) -> int: ...
    @property
    def size(self) -> int: ...
    @property
    def etag(self) -> str: ...
    @property
    def modified_ns(self) -> int: ...
    @property
    def checksum(self) -> ListedChecksum | None: ...


class ListedUpload(Protocol):
    """What an entry of ListMultipartUploads is made of."""

    @property
    def key(self) -> str: ...
    @property
    def upload_id(self) -> str: ...
    @property
    def owner(self) -> str | None: ...
    @property
    def initiated_ns(self) -> int: ...
    @property
    def checksum_algorithm(self) -> str | None: ...
    @property
    def checksum_type(self) -> str | None: ...


def url_encoded(text: str) -> str:
    """``encoding-type=url``: UTF-8, percent-encoded, with ``/`` kept.

    A blank becomes ``%20``, which every decoder reads alike; ``+`` would be read as itself by those
    that decode paths.  The result needs no escaping.
    """
    if text.isascii():
        return _UNSAFE.sub(lambda found: f"%{ord(found[0]):02X}", text)
    return quote(text, safe="/", errors="surrogatepass")


def text_for(encoding_type: str) -> Text:
    """How keys are written: percent-encoded for ``url``, else as escaped XML text."""
    return url_encoded if encoding_type == "url" else escape


def owner_element(canonical_id: str, display_name: str, name: str = "Owner") -> str:
    """``<Owner>`` or, with ``name``, ``<Initiator>``."""
    return group(name, element("ID", canonical_id), element("DisplayName", display_name))


def times() -> Time:
    """:func:`~s3daemon.wire.dates.iso8601` for many times of few days, at a third of the cost."""
    days: dict[int, str] = {}

    def render(time_ns: int) -> str:
        day, rest = divmod(time_ns, _DAY)
        date = days.get(day)
        if date is None:
            date = days[day] = iso8601(time_ns).partition("T")[0]
        seconds, milliseconds = divmod(rest // 1_000_000, 1000)
        minutes, seconds = divmod(seconds, 60)
        return f"{date}T{minutes // 60:02}:{minutes % 60:02}:{seconds:02}.{milliseconds:03}Z"

    return render


def contents(objects: Iterable[ListedObject], text: Text, owner: Owner | None) -> str:
    """``<Contents>`` of each object, with an owner element when ``owner`` is given.

    What has no ETag (a directory) is written without one.
    """
    return _objects("Contents", "", objects, text, owner)


def versions(objects: Iterable[ListedObject], text: Text, owner: Owner) -> str:
    """``<Version>`` of each object, as where versioning was never on: the one version is null."""
    one = "<VersionId>null</VersionId><IsLatest>true</IsLatest>"
    return _objects("Version", one, objects, text, owner)


def common_prefixes(prefixes: Iterable[str], text: Text) -> str:
    """``<CommonPrefixes>`` of each prefix."""
    return "".join(
        [f"<CommonPrefixes><Prefix>{text(prefix)}</Prefix></CommonPrefixes>" for prefix in prefixes]
    )


def parts(listed: Iterable[ListedPart], algorithm: str | None) -> str:
    """``<Part>`` of each stored part, with its checksum if that is made with ``algorithm``."""
    time = times()
    return "".join(
        [
            f"<Part><PartNumber>{part.number}</PartNumber>"
            f"<LastModified>{time(part.modified_ns)}</LastModified>"
            f"{_etag(part.etag)}<Size>{part.size}</Size>"
            f"{_checksum(part.checksum, algorithm)}</Part>"
            for part in listed
        ]
    )


def object_parts(after: int, sizes: Sequence[int], algorithm: str, checksums: Sequence[str]) -> str:
    """``<Part>`` of each part of an object, as GetObjectAttributes has it.

    :param after: number of the part before the first of these.
    :param checksums: one for each of the sizes, made with ``algorithm``; or none at all.
    """
    sums = [f"<Checksum{algorithm}>{value}</Checksum{algorithm}>" for value in checksums]
    return "".join(
        [
            f"<Part>{checksum}<PartNumber>{number}</PartNumber><Size>{size}</Size></Part>"
            for number, size, checksum in zip(
                count(after + 1), sizes, sums or repeat(""), strict=False
            )
        ]
    )


def uploads(listed: Iterable[ListedUpload], text: Text, initiator: Owner, owner: Owner) -> str:
    """``<Upload>`` of each multipart upload."""
    return "".join(
        [
            f"<Upload><Key>{text(upload.key)}</Key><UploadId>{escape(upload.upload_id)}</UploadId>"
            f"{initiator(upload.owner)}{owner(upload.owner)}<StorageClass>STANDARD</StorageClass>"
            f"<Initiated>{iso8601(upload.initiated_ns)}</Initiated>"
            f"{element('ChecksumAlgorithm', upload.checksum_algorithm)}"
            f"{element('ChecksumType', upload.checksum_type)}</Upload>"
            for upload in listed
        ]
    )


def _objects(
    name: str,
    version: str,
    objects: Iterable[ListedObject],
    text: Text,
    owner: Owner | None,
) -> str:
    time = times()
    checksum = _checksum_kinds()
    return "".join(
        [
            f"<{name}><Key>{text(entry.key)}</Key>{version}"
            f"<LastModified>{time(entry.modified_ns)}</LastModified>"
            f"{_etag(entry.etag)}{checksum(entry.checksum)}<Size>{entry.size}</Size>"
            f"{owner(entry.owner) if owner else ''}<StorageClass>STANDARD</StorageClass></{name}>"
            for entry in objects
        ]
    )


def _checksum(checksum: ListedChecksum | None, algorithm: str | None) -> str:
    if checksum is None or checksum.algorithm != algorithm:
        return ""
    return element(f"Checksum{algorithm}", checksum.value)


def _checksum_kinds() -> Callable[[ListedChecksum | None], str]:
    """Which checksum an entry has, without its value; each kind is rendered once."""
    known: dict[tuple[str, str], str] = {}

    def render(checksum: ListedChecksum | None) -> str:
        if checksum is None:
            return ""
        kind = (checksum.algorithm, checksum.kind)
        found = known.get(kind)
        if found is None:
            found = known[kind] = element("ChecksumAlgorithm", kind[0]) + element(
                "ChecksumType", kind[1]
            )
        return found

    return render


def _etag(etag: str) -> str:
    if etag.isalnum():
        return f"<ETag>&quot;{etag}&quot;</ETag>"
    return f"<ETag>&quot;{escape(etag)}&quot;</ETag>" if etag else ""
