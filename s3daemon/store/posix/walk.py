"""The keys of a bucket's directory tree, in order, entered anywhere: the source of listings.

Depth first, along sorted snapshots of the directories.  A directory is opened only if keys of the
page may lie in it: seeking compares path prefixes and finds its place in each snapshot by
bisection, and where a whole directory is rolled up into a common prefix, nothing but the existence
of one object below it is established.

What vanishes on the way is left out.  On NFS, ESTALE says that an open file or directory below the
bucket has been removed by another machine (nfs(5)), or a file replaced, and then the new one is
looked at; should all of the export be stale, then the bucket itself is, and the listing fails.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator

from s3daemon.store import paging
from s3daemon.store.interfaces import MAX_KEY_BYTES, ListPage, ListQuery, ObjectInfo
from s3daemon.store.posix.chunks import Chunks
from s3daemon.store.posix.dirnames import Snapshot
from s3daemon.store.posix.entryfacts import EntryFacts
from s3daemon.store.posix.frames import Frame
from s3daemon.store.posix.names import is_natural
from s3daemon.store.posix.paths import NOTHING_THERE, READ
from s3daemon.store.posix.places import Place, Places
from s3daemon.store.posix.snapshots import Snapshots

_FILE = READ | os.O_NOFOLLOW

#: How often a file may be replaced on another node while it is looked at.
_TRIES = 20


#: A frame and the sort key of the entry in it; None for the directory of the frame itself.
Entry = tuple[Frame, "bytes | None"]


class Walk:
    """The keys of a bucket as a :class:`~s3daemon.store.paging.Source`, for one query and thread.

    :param bucket: descriptor of the bucket's directory; it stays the caller's.
    """

    def __init__(
        self, bucket: int, query: ListQuery, snapshots: Snapshots, facts: EntryFacts
    ) -> None:
        self._snapshots = snapshots
        self._facts = facts
        self._prefix = query.prefix.encode("utf-8", "surrogatepass")
        self._delimiter = query.delimiter.encode("utf-8", "surrogatepass")
        self._folders = query.folders
        self._places = Places(bucket)
        top = self._places.top
        try:
            self._stack = [Frame(b"", [top], [snapshots.of(top.fd, facts.segment)])]
        except BaseException:
            self._places.close()
            raise

    def close(self) -> None:
        """Close all descriptors."""
        self._places.close()

    def seek(self, at: bytes) -> Iterator[tuple[bytes, Entry]]:
        """All keys ``>= at``; of those outside the prefix, only some."""
        self._enter(at)
        return self._run(1, self._delimiter != b"")

    def load(self, key: bytes, entry: Entry) -> ObjectInfo | None:
        """The facts of the entry that the walk stands at; None if it has vanished."""
        frame, sort_key = entry
        text = key.decode()
        if sort_key is None:
            return self._load_directory(text, frame)
        candidates = frame.candidates(sort_key)
        # A writer may have moved it from its escaped to its natural name since the directory was
        # read.  The other way there is a moment without any object.
        moved = [(place, sort_key) for place, name in candidates if name != sort_key]
        for place, name in (*candidates, *(moved if is_natural(sort_key) else ())):
            found = self._load_file(text, place, name)
            if found is not None:
                return found
        if not sort_key:
            # An empty object has taken the place of the content: the record first, then the file.
            return self._load_directory(text, frame)
        return None

    # ------------------------------------------------------------ the way down

    def _enter(self, at: bytes) -> None:
        """Make the stack stand before the first key ``>= at``."""
        while len(self._stack) > 1:
            path = self._stack[-1].path
            if at != path and at.startswith(path):
                break
            self._pop()
        while True:
            frame = self._stack[-1]
            rest = at[len(frame.path) :]
            slash = rest.find(b"/") + 1
            if not slash or slash == len(rest):
                frame.at = frame.listing.find(rest)
                return
            sort_key = rest[:slash]
            frame.at = frame.listing.find(sort_key)
            if frame.at == len(frame.listing) or frame.listing.key(frame.at) != sort_key:
                return
            frame.at += 1
            below = self._down(frame, sort_key)
            if below is None:
                return
            self._stack.append(below)

    def _run(self, floor: int, rolling: bool) -> Iterator[tuple[bytes, Entry]]:
        """The keys from where the stack stands, to the end of its frame number ``floor``."""
        stack, folders = self._stack, self._folders
        while True:
            frame = stack[-1]
            listing = frame.listing
            if frame.at >= len(listing):
                if len(stack) <= floor:
                    return
                self._pop()
                continue
            sort_key = listing.key(frame.at)
            frame.at += 1
            key = frame.path + sort_key
            if len(key) > MAX_KEY_BYTES or not key:
                continue
            if sort_key[-1:] != b"/":
                if self._is_file(frame, sort_key):
                    yield key, (frame, sort_key)
                continue
            if not key.startswith(self._prefix) and not self._prefix.startswith(key):
                if key > self._prefix:
                    return
                continue
            if rolling and self._is_rolled_up(key):
                if folders or self._is_occupied(frame, sort_key):
                    yield key, (frame, sort_key)
                continue
            below = self._down(frame, sort_key)
            if below is None:
                continue
            stack.append(below)
            if b"" in below.listing and self._is_file(below, b""):
                continue  # the key of the directory has content, in a file of its own
            if folders or self._is_object(below):
                yield key, (below, None)

    def _down(self, frame: Frame, sort_key: bytes) -> Frame | None:
        """Open what the sort key of a directory stands for; None if it has vanished."""
        places: list[Place] = []
        snapshots: list[Snapshot | Chunks] = []
        for parent, name in frame.candidates(sort_key):
            place = self._places.below(parent, name)
            if place is None:
                continue
            try:
                snapshots.append(self._snapshots.of(place.fd, self._facts.segment))
            except OSError as failed:
                self._places.leave(place)
                if failed.errno != errno.ESTALE:
                    raise
            else:
                places.append(place)
        return Frame(frame.path + sort_key, places, snapshots) if places else None

    def _pop(self) -> None:
        for place in self._stack.pop().places:
            self._places.leave(place)

    # ------------------------------------------------------------ what is there

    def _is_file(self, frame: Frame, sort_key: bytes) -> bool:
        """Whether an entry that is no directory is a file: of a link, that is to be found out."""
        links = frame.listing.links
        key = frame.path + sort_key
        return sort_key not in links or self.load(key, (frame, sort_key)) is not None

    def _is_rolled_up(self, path: bytes) -> bool:
        return path.startswith(self._prefix) and path.find(self._delimiter, len(self._prefix)) >= 0

    def _is_occupied(self, frame: Frame, sort_key: bytes) -> bool:
        """Whether there is any object in a directory or below it, or it is one itself."""
        room = MAX_KEY_BYTES - len(frame.path) - len(sort_key)
        for parent, name in frame.candidates(sort_key):
            place = self._places.below(parent, name)
            if place is not None:
                try:
                    if self._snapshots.witnesses.holds_file(place.fd, room):
                        return True
                except OSError as failed:
                    if failed.errno != errno.ESTALE:
                        raise
                finally:
                    self._places.leave(place)
        below = self._down(frame, sort_key)
        if below is None:
            return False
        self._stack.append(below)
        height = len(self._stack)
        found = self._is_object(below) or next(self._run(height, False), None) is not None
        while len(self._stack) >= height:
            self._pop()
        return found

    def _is_object(self, frame: Frame) -> bool:
        descriptors = map(self._places.descriptor, frame.places)
        return any(fd >= 0 and self._facts.is_object(fd) for fd in descriptors)

    def _load_directory(self, key: str, frame: Frame) -> ObjectInfo | None:
        found = None
        for place in frame.places:
            fd = self._places.descriptor(place)
            if fd >= 0:
                info = self._facts.directory(key, fd, os.fstat(fd))
                if not info.folder:
                    return info
                found = found or info
        return found if self._folders else None

    def _load_file(self, key: str, place: Place, name: bytes) -> ObjectInfo | None:
        """The facts of a file, or of another one that has its name by now."""
        for _ in range(_TRIES):
            try:
                return self._load_current(key, place, name)
            except OSError as failed:
                if failed.errno != errno.ESTALE:
                    raise
        return None

    def _load_current(self, key: str, place: Place, name: bytes) -> ObjectInfo | None:
        """:raises OSError: ESTALE: it was replaced, or removed, and nobody can tell of it."""
        above = self._places.descriptor(place)
        if above < 0:
            return None
        try:
            known = self._known(key, above, name)
            if known is not None:
                return known
            fd = os.open(name, _FILE, dir_fd=above)
        except OSError as failed:
            if failed.errno == errno.EACCES:
                return self._unreadable(key, above, name)
            if failed.errno not in NOTHING_THERE:
                raise
            if failed.errno != errno.ELOOP:
                return None
            fd = self._facts.open_link(self._places.top.fd, place.path() + name)
            if fd < 0:
                return None
        try:
            status = os.fstat(fd)
            if not stat.S_ISREG(status.st_mode):
                return None
            info = self._facts.file(key, fd, status)
        finally:
            os.close(fd)
        self._snapshots.facts.put(status, info)
        return info

    def _known(self, key: str, above: int, name: bytes) -> ObjectInfo | None:
        """Facts from an earlier page; they cost no open(2)."""
        facts = self._snapshots.facts
        if not facts:
            return None
        return facts.get(key, os.stat(name, dir_fd=above, follow_symlinks=False))

    def _unreadable(self, key: str, above: int, name: bytes) -> ObjectInfo | None:
        try:
            status = os.stat(name, dir_fd=above, follow_symlinks=False)
        except FileNotFoundError:
            return None
        return self._facts.unreadable(key, status) if stat.S_ISREG(status.st_mode) else None


def list_objects(
    bucket: int, query: ListQuery, snapshots: Snapshots, facts: EntryFacts
) -> ListPage:
    """One page of a bucket, given the descriptor of its directory.

    :raises OSError: a directory or file cannot be read.
    """
    if query.max_keys <= 0:
        return ListPage()
    walk = Walk(bucket, query, snapshots, facts)
    try:
        return paging.list_objects(walk, query, walk.load)
    finally:
        walk.close()
