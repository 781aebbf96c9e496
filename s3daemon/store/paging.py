"""One page of a listing, from any source of sorted keys: prefix, delimiter, marker and limit.

Shared by all stores, so that they answer alike.  The order is that of the UTF-8 bytes of the keys.
Keys that hold the delimiter after the prefix are rolled up into one *common prefix*, which counts
as one item of the page; a source is asked to go past such a group in one step, not to read it.

https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html
https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListMultipartUploads.html
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Protocol, TypeVar

from s3daemon.store.interfaces import (
    ListPage,
    ListQuery,
    ObjectInfo,
    UploadInfo,
    UploadsPage,
    UploadsQuery,
)

Entry = TypeVar("Entry")
Entry_co = TypeVar("Entry_co", covariant=True)


class Source(Protocol[Entry_co]):
    """Keys in ascending order, which can be entered anywhere."""

    def seek(self, at: bytes) -> Iterator[tuple[bytes, Entry_co]]:
        """All keys ``>= at`` in order, each with what the source needs to load it.

        An iterator is not used again after the next call.  A source that is made for one query may
        leave out keys that do not begin with its prefix, and give one key for a whole group.
        """


def list_objects(
    source: Source[Entry],
    query: ListQuery,
    load: Callable[[bytes, Entry], ObjectInfo | None],
) -> ListPage:
    """The page a query asks for.

    ``load`` makes the facts of an entry; it is called only for keys that come on the page (and
    once more, to know exactly whether the page is the last).  None from it means that the object
    has vanished: it is left out, and another takes its place.
    """
    room = query.max_keys
    if room <= 0:
        return ListPage()
    prefix, delimiter = _encode(query.prefix), _encode(query.delimiter)
    start = len(prefix)
    objects: list[ObjectInfo] = []
    prefixes: list[str] = []
    entries = source.seek(_first(prefix, delimiter, _encode(query.after)))
    last = b""
    while True:
        found = next(entries, None)
        if found is None or not found[0].startswith(prefix):
            return ListPage(tuple(objects), tuple(prefixes))
        key, entry = found
        cut = key.find(delimiter, start) if delimiter else -1
        info = None
        if cut < 0:
            info = load(key, entry)
            if info is None:
                continue
        if not room:
            return ListPage(tuple(objects), tuple(prefixes), last.decode())
        room -= 1
        if info is not None:
            objects.append(info)
            last = key
        else:
            # It sorts after the marker: _first() has skipped the only group that might not.
            last = key[: cut + len(delimiter)]
            prefixes.append(last.decode())
            entries = source.seek(past(last))


def list_uploads(uploads: Iterable[UploadInfo], query: UploadsQuery) -> UploadsPage:
    """The page a query asks for, from all uploads of a bucket in any order.

    Where the last item is a common prefix, ``next_key`` is that prefix and ``next_upload_id`` is
    "".  When the upload a marker names is gone by now, the page begins with the first upload of
    the marker's key: showing one twice is harmless, leaving one out is not.
    """
    room = query.max_uploads
    if room <= 0:
        return UploadsPage()
    prefix, delimiter = _encode(query.prefix), _encode(query.delimiter)
    rows = sorted(
        (
            (_encode(upload.key), upload.initiated_ns, upload.upload_id, upload)
            for upload in uploads
            if upload.key.startswith(query.prefix) and query.owner in (None, upload.owner)
        ),
        key=lambda row: row[:3],
    )
    chosen: list[UploadInfo] = []
    prefixes: list[str] = []
    index = _first_upload(rows, prefix, delimiter, query)
    mark = ("", "")
    while index < len(rows):
        if not room:
            return UploadsPage(tuple(chosen), tuple(prefixes), *mark)
        key, _, upload_id, upload = rows[index]
        cut = key.find(delimiter, len(prefix)) if delimiter else -1
        if cut >= 0:
            group = key[: cut + len(delimiter)]
            prefixes.append(group.decode())
            mark = (group.decode(), "")
            index = bisect_left(rows, (past(group),), lo=index)
        else:
            chosen.append(upload)
            mark = (upload.key, upload_id)
            index += 1
        room -= 1
    return UploadsPage(tuple(chosen), tuple(prefixes))


def past(prefix: bytes) -> bytes:
    """The smallest bytes that sort after everything that begins with ``prefix`` (not empty).

    UTF-8 has no byte 0xFF, so the last one can always be counted up; what comes out need not be
    UTF-8 and is only compared.
    """
    return prefix[:-1] + bytes((prefix[-1] + 1,))


def _first(prefix: bytes, delimiter: bytes, after: bytes) -> bytes:
    """Where the page begins: behind the marker, or behind the whole group that the marker is in."""
    if after < prefix or not after:
        return prefix
    if delimiter and after.startswith(prefix):
        cut = after.find(delimiter, len(prefix))
        if cut >= 0:
            return past(after[: cut + len(delimiter)])
    return after + b"\0"


def _first_upload(
    rows: Sequence[tuple[bytes, int, str, UploadInfo]],
    prefix: bytes,
    delimiter: bytes,
    query: UploadsQuery,
) -> int:
    """The index of the first upload of the page."""
    after = _encode(query.after_key)
    at = _first(prefix, delimiter, after)
    behind = bisect_left(rows, (at,))
    if not query.after_upload_id or at != after + b"\0":
        return behind
    begin = bisect_left(rows, (after,), hi=behind)
    for index in range(begin, behind):
        if rows[index][2] == query.after_upload_id:
            return index + 1
    return begin


def _encode(text: str) -> bytes:
    """UTF-8; a lone surrogate, which no key holds, gets its place in the order and matches none."""
    return text.encode("utf-8", "surrogatepass")
