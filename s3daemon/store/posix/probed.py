"""What was found out about a file system, and remembered for when it is full."""

from __future__ import annotations

import json
import os
import time
from contextlib import suppress

import attrs

from s3daemon.store.posix import private
from s3daemon.store.posix.durable import Disk
from s3daemon.store.posix.lock_kinds import KINDS
from s3daemon.store.posix.names import PRIVATE_DIR

#: The longest value that the kernel passes on (XATTR_SIZE_MAX, limits.h).
XATTR_MAX = 65536

#: Where what S3 knows of an object is kept: in extended attributes, or, where there are none, in
#: files of the gateway's own.
XATTR = "xattr"
SIDECAR = "sidecar"
#: Sidecars too, found by size and time (see :mod:`identities`).
STAMPED = "stamped"

#: What the last probe of a root found, so that it can be served when it is full.
_RECORD = PRIVATE_DIR + b"/probe.json"
#: In that record, beside the fields of a :class:`Probe`.
_SURROUNDINGS = "surroundings"
#: Seconds for which it is taken for what would be found again: servers change behind a mount.
_GOOD_FOR = 86400.0


@attrs.frozen
class Probe:
    """What was found.

    :ivar xattr_bytes: the longest extended attribute that a new file takes.
    :ivar tmpfile: files without a name (O_TMPFILE).
    :ivar proc_link: such a file, and any open one, can be given a name through /proc.
    :ivar hard_links: a file may have two names.
    :ivar noreplace: renaming only where the new name is free (RENAME_NOREPLACE).
    :ivar openat2: the kernel resolves paths beneath a directory.
    :ivar copy_range: the kernel copies between files (copy_file_range).
    :ivar dir_sync: fsync of a directory.
    :ivar name_bytes: the longest name.
    :ivar case_folding: names that differ only in case are one name here.
    :ivar locks: the kind of lock that holds between processes, of
        :mod:`s3daemon.store.posix.lock_kinds`; "" where none does.
    :ivar unicode_folding: names that differ only in how accented letters are composed are one.
    :ivar metadata: where records are kept: :data:`XATTR`, :data:`SIDECAR` or
        :data:`STAMPED`.
    """

    xattr_bytes: int
    tmpfile: bool
    proc_link: bool
    hard_links: bool
    noreplace: bool
    openat2: bool
    copy_range: bool
    dir_sync: bool
    name_bytes: int
    case_folding: bool
    locks: str = ""
    metadata: str = XATTR
    unicode_folding: bool = False

    @property
    def spills(self) -> bool:
        """Whether records can be too long for an attribute, so that there may be spill files."""
        return self.xattr_bytes < XATTR_MAX

    def describe(self) -> str:
        """One line for the log."""
        found = [
            "no xattrs, records in files of their own"
            if self.metadata != XATTR
            else f"xattrs up to {self.xattr_bytes} bytes",
            f"names up to {self.name_bytes} bytes",
        ]
        for name, can in (
            ("O_TMPFILE", self.tmpfile),
            ("links through /proc", self.proc_link),
            ("hard links", self.hard_links),
            ("RENAME_NOREPLACE", self.noreplace),
            ("openat2", self.openat2),
            ("copy_file_range", self.copy_range),
            ("fsync of directories", self.dir_sync),
        ):
            found.append(name if can else f"no {name}")
        if self.locks:
            found.append(f"locks between processes ({self.locks})")
        else:
            found.append(
                "no locks between processes: conditional writes other than If-None-Match: *"
                " are refused"
            )
        if self.case_folding:
            found.append("folds case: keys that differ only in case are one object here")
        if self.unicode_folding:
            found.append("folds Unicode: keys that differ only in composition are one object here")
        return ", ".join(found)


def recorded(root_fd: int) -> Probe | None:
    """What the last probe of this root found, None where there is none that can be read.

    A file system that is full cannot be tried, but must be served: deleting makes room.
    """
    return _recorded(root_fd)[0]


def recorded_within(root_fd: int, surroundings: str) -> Probe | None:
    """The same, if it was found in these surroundings and not long ago."""
    known, within = _recorded(root_fd)
    if known is None or within != surroundings:
        return None
    age = abs(time.time() - os.stat(_RECORD, dir_fd=root_fd, follow_symlinks=False).st_mtime)
    return known if age < _GOOD_FOR else None


def _recorded(root_fd: int) -> tuple[Probe | None, str]:
    nothing = None, ""
    try:
        fd = os.open(_RECORD, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW, dir_fd=root_fd)
    except OSError:
        return nothing
    with open(fd, "rb") as file:
        raw = file.read()
    try:
        read = json.loads(raw)
        surroundings = str(read.pop(_SURROUNDINGS, ""))
        known = Probe(**read)
    except (ValueError, TypeError, AttributeError):
        return nothing
    facts = attrs.asdict(known)
    whole = facts.pop("locks") in ("", *KINDS) and facts.pop("metadata") in (
        XATTR,
        SIDECAR,
        STAMPED,
    )
    whole = whole and all(isinstance(value, int) for value in facts.values())
    return (known, surroundings) if whole else nothing


def record(disk: Disk, root_fd: int, found: Probe, surroundings: str = "") -> None:
    """Remember what was found; without it only a full file system cannot be served.

    :param surroundings: in which it was found; see :mod:`s3daemon.store.posix.known`.
    """
    staged = PRIVATE_DIR + b"/probe." + private.unique()
    with suppress(OSError):
        fd = disk.create(staged, root_fd)
        try:
            kept = {**attrs.asdict(found), _SURROUNDINGS: surroundings}
            disk.write(fd, [json.dumps(kept).encode()])
            disk.settle(fd)
            disk.rename(staged, root_fd, _RECORD, root_fd)
        except OSError:
            disk.unlink(staged, root_fd)
        finally:
            os.close(fd)
