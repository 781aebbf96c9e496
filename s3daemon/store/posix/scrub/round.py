"""What all parts of one scrub share."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable

import attrs

from s3daemon.store.posix.metadata import Record
from s3daemon.store.posix.paths import DIRECTORY, Place, open_quietly
from s3daemon.store.posix.scrub.findings import UNREADABLE, Finding, Kind, Totals
from s3daemon.store.posix.scrub.pacing import Pacer
from s3daemon.store.posix.volume import Bucket, Volume

#: The file systems are asked not to tell us of changes of the time of access.
QUIET_DIR = DIRECTORY | os.O_NOFOLLOW

#: Of what is not there any more.
VANISHED = frozenset((errno.ENOENT, errno.ENOTDIR, errno.ESTALE))


@attrs.frozen
class Scope:
    """What is to be looked at, and how closely.

    :ivar prefix: only keys that begin so, in UTF-8.
    :ivar since_ns: only the content of files that have changed since.
    :ivar before_ns: leftovers count from this age on: what is younger may be at work.
    :ivar contents: read all contents; else only those of which a repair may have to know.
    """

    before_ns: int
    prefix: bytes = b""
    since_ns: int = 0
    contents: bool = True


@attrs.frozen
class Round:
    """One scrub.

    :ivar report: is told each finding.
    :ivar sizes: of all contents together, see :class:`Totals`.
    """

    volume: Volume
    scope: Scope
    pacer: Pacer
    totals: Totals
    report: Callable[[Finding], None]

    def found(
        self,
        kind: Kind,
        bucket: Bucket | None,
        place: Place,
        key: bytes | str | None = None,
        detail: str = "",
        seen: tuple[int, int, int] | None = None,
        record: Record | None = None,
    ) -> None:
        """Count and report something."""
        self.totals.found[kind.name] += 1
        text = key.decode("utf-8", "replace") if isinstance(key, bytes) else key
        above = () if bucket is None else bucket.place
        name = None if bucket is None else bucket.name
        self.report(Finding(kind, name, (*above, *place), place, text, detail, seen, record))

    def failed(
        self, exc: OSError, bucket: Bucket | None, place: Place, key: bytes | str | None = None
    ) -> None:
        """Report what cannot be read; what has vanished is nobody's business."""
        if exc.errno not in VANISHED:
            self.found(UNREADABLE, bucket, place, key, exc.strerror or str(exc))

    def is_old(self, st: os.stat_result) -> bool:
        """Whether something is old enough to have been left behind.

        Moving it sets its ctime only, restoring it may set its mtime to what that was.
        """
        return max(st.st_mtime_ns, st.st_ctime_ns) < self.scope.before_ns


def names_in(path: bytes, dir_fd: int) -> list[bytes]:
    """The names in a directory, in order; none where there is no such directory.

    :raises OSError: it cannot be read.
    """
    try:
        fd = open_quietly(path, QUIET_DIR, dir_fd)
    except OSError as exc:
        if exc.errno in VANISHED:
            return []
        raise
    try:
        return sorted(os.fsencode(name) for name in os.listdir(fd))
    finally:
        os.close(fd)
