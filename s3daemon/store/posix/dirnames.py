"""The names in one directory that can be part of keys: read once, sorted, and compact.

As one text with an array of offsets, a million names take 4 MB beside their own bytes.

Reading takes a system call for every 32 KiB of names, and what is renamed over another file between
two of them may change its place: on btrfs and tmpfs it goes to the end, so that it is met twice, or
not at all though it was there all the while (POSIX leaves that open, readdir(3)).  So a directory
that is large and changes is :func:`read_through`.
"""

from __future__ import annotations

import os
import stat
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import accumulate, groupby
from typing import TypeAlias

import attrs

from s3daemon.store.posix import names
from s3daemon.store.posix.entries import entries

#: Reads the true segment of an entry whose name holds only a digest, from its record:
#: (directory descriptor, name) -> segment, or None where there is none to be had.
SegmentOf = Callable[[int, bytes], "bytes | None"]

_OVERHEAD_BYTES = 700
#: Of names, with what the kernel says of each, that certainly come with one system call: half of
#: what the C library has room for.
_ONE_CALL_BYTES = 16 * 1024
_ENTRY_BYTES = 24
#: How often a directory is read at the most where nobody tells what has changed meanwhile.
_SCANS = 2
_OURS = (names.PRIVATE_DIR, names.UPLOADS_DIR)


class Snapshot:
    """The entries of one directory that can be (part of) keys, in key order.  Immutable.

    An entry has a *sort key*: its segment, for directories with a ``/`` behind it, which is how
    they sort among the keys.  One sort key may stand for two entries, the natural and the escaped
    one.

    :ivar links: sort keys of symbolic links; whether they are files is yet to be found out.
    :ivar complete: False where the segment of a hashed name could not be read.
    """

    __slots__ = ("_blob", "_names", "_offsets", "complete", "links")

    def __init__(
        self,
        keys: Sequence[bytes],
        escaped: Mapping[bytes, tuple[bytes, ...]],
        links: frozenset[bytes],
        complete: bool,
    ) -> None:
        self._blob = b"".join(keys)
        kind = "I" if len(self._blob) < 1 << 32 else "Q"
        self._offsets = array(kind, accumulate(map(len, keys), initial=0))
        self._names = escaped
        self.links = links
        self.complete = complete

    def __len__(self) -> int:
        return len(self._offsets) - 1

    @property
    def nbytes(self) -> int:
        """About how much memory it takes."""
        special = len(self._names) + len(self.links)
        offsets = len(self._offsets) * self._offsets.itemsize
        return len(self._blob) + offsets + special * _OVERHEAD_BYTES + _OVERHEAD_BYTES

    @property
    def is_large(self) -> bool:
        """Whether reading it may have taken several system calls."""
        return len(self._blob) + len(self) * _ENTRY_BYTES > _ONE_CALL_BYTES

    def key(self, index: int) -> bytes:
        """The sort key of an entry."""
        offsets = self._offsets
        return self._blob[offsets[index] : offsets[index + 1]]

    def find(self, at: bytes) -> int:
        """The index of the first entry with a sort key ``>= at``."""
        return bisect_left(range(len(self)), at, key=self.key)

    def __contains__(self, key: bytes) -> bool:
        index = self.find(key)
        return index < len(self) and self.key(index) == key

    def names(self, key: bytes) -> tuple[bytes, ...]:
        """The names on disk of an entry; of two, readers prefer the first."""
        return self._names.get(key) or (key.removesuffix(b"/"),)

    def has_escape(self, key: bytes) -> bool:
        """Whether one of the names on disk is an escape."""
        return key in self._names

    def escapes(self, keys: Sequence[bytes]) -> dict[bytes, tuple[bytes, ...]]:
        """The names on disk of those of the sorted keys that have an escape."""
        if not self._names:
            return {}
        first, last = keys[0], keys[-1]
        return {key: found for key, found in self._names.items() if first <= key <= last}


def read(directory: int, segment_of: SegmentOf) -> Snapshot:
    """Read a directory through its descriptor (not shared with another thread).

    Regular files, directories and symbolic links count; what is neither, or has no name that could
    belong to a key, is left out.  There is no stat(2) for each entry where the file system tells
    types (readdir(3), ``d_type``).

    :raises OSError: it cannot be read.
    """
    with entries(directory) as found:
        return _snapshot(found, directory, segment_of)


def read_through(
    directory: int, segment_of: SegmentOf, changes: Callable[[], set[bytes] | None]
) -> Snapshot:
    """The same while others change the directory: what is there all the while is there once.

    Something that was there for a part of the time may be there too, though it is gone by now.

    :param changes: the names that have changed since it was last called, or since before this was;
        None where that is not known.  Then what is met in one of two readings is there.
    :raises OSError: it cannot be read, or an entry cannot be looked at.
    """
    return _snapshot(_met(directory, changes), directory, segment_of, repeats=True)


def _met(directory: int, changes: Callable[[], set[bytes] | None]) -> Iterator[_Entry]:
    """What is met, and what has changed meanwhile: some of it twice, and some is gone by now."""
    for _ in range(_SCANS):
        with entries(directory) as found:
            yield from found
        changed = changes()
        if changed is None:
            continue
        for name in changed:
            with suppress(FileNotFoundError):
                status = os.stat(name, dir_fd=directory, follow_symlinks=False)
                yield _Looked(os.fsdecode(name), status.st_mode)
        return


@attrs.frozen
class _Looked:
    """What os.DirEntry would say of an entry."""

    name: str
    mode: int

    def is_file(self, *, follow_symlinks: bool) -> bool:
        return stat.S_ISREG(self.mode)

    def is_dir(self, *, follow_symlinks: bool) -> bool:
        return stat.S_ISDIR(self.mode)

    def is_symlink(self) -> bool:
        return stat.S_ISLNK(self.mode)


_Entry: TypeAlias = "os.DirEntry[str] | _Looked"


def _snapshot(
    found: Iterable[_Entry], directory: int, segment_of: SegmentOf, repeats: bool = False
) -> Snapshot:
    keys: list[bytes] = []
    escaped: dict[bytes, bytes] = {}
    links: set[bytes] = set()
    complete = True
    for entry in found:
        text = entry.name
        if entry.is_file(follow_symlinks=False):
            kind, tail = "file", b""
        elif entry.is_dir(follow_symlinks=False):
            kind, tail = "dir", b"/"
        elif entry.is_symlink():
            kind, tail = "link", b""
        else:
            continue
        ascii_only = text.isascii()
        name = text.encode() if ascii_only else os.fsencode(text)
        if ascii_only and not name.startswith(_OURS):
            key = name + tail
        else:
            decoded = names.decode(name)
            if decoded is None or (
                decoded.kind != "natural" and (decoded.kind == "dir") != (kind == "dir")
            ):
                continue
            segment = decoded.segment
            if segment is None:
                segment = segment_of(directory, name)
                if segment is None or not names.is_name_of(name, segment):
                    complete = False
                    continue
            key = segment + tail
            if decoded.kind != "natural":
                escaped[key] = name
        if kind == "link":
            links.add(key)
        keys.append(key)
    keys.sort()
    pairs = _pair(keys, escaped)
    if repeats:
        keys = [key for key, _ in groupby(keys)]
    return Snapshot(keys, pairs, frozenset(links), complete)


def _pair(keys: list[bytes], escaped: Mapping[bytes, bytes]) -> dict[bytes, tuple[bytes, ...]]:
    """The names of entries that have an escaped one; removes repeated keys from the sorted list."""
    found: dict[bytes, tuple[bytes, ...]] = {}
    for key, name in escaped.items():
        begin, end = bisect_left(keys, key), bisect_right(keys, key)
        both = end - begin > 1
        found[key] = (key.removesuffix(b"/"), name) if both else (name,)
        del keys[begin + 1 : end]
    return found


def plain_file(directory: int, room: int) -> bytes | None:
    """The first name met, of at most ``room`` bytes, of a regular file that is its own segment.

    :raises OSError: the directory cannot be read.
    """
    with entries(directory) as found:
        for entry in found:
            text = entry.name
            if entry.is_file(follow_symlinks=False) and text.isascii() and len(text) <= room:
                name = text.encode()
                if not name.startswith(_OURS):
                    return name
    return None
