"""What a scrub can find, and what is counted on the way."""

from __future__ import annotations

from collections import Counter
from typing import Literal

import attrs

from s3daemon.store.posix.metadata import Record
from s3daemon.store.posix.paths import Place

#: ``damage``: something that was stored is not there (any more) as it was stored.
#: ``inconsistent``: it is all there, but not as the format wants it.
#: ``leftover``: a crash left it; the janitor, or a repair, removes it.
#: ``note``: nothing is wrong with it, but somebody may want to know.
Level = Literal["damage", "inconsistent", "leftover", "note"]


@attrs.frozen
class Kind:
    """A kind of finding.

    :ivar name: for programs.
    :ivar repair: what a repair does about it, "" where it can do nothing.
    """

    name: str
    level: Level
    repair: str = ""


CONTENT = Kind("content-mismatch", "damage")
UNREADABLE = Kind("unreadable", "damage")
DAMAGED_RECORD = Kind("damaged-record", "damage", "drop the record")
DAMAGED_BUCKET = Kind("damaged-bucket", "damage")
LOST_SPILL = Kind("lost-spill", "damage", "keep what the attribute holds")
BAD_NAME = Kind("bad-name", "damage")
DAMAGED_UPLOAD = Kind("damaged-upload", "damage")
LOST_PART = Kind("lost-part", "damage")
PART_CONTENT = Kind("part-mismatch", "damage")

STALE_STAMP = Kind("stale-stamp", "inconsistent", "write the stamp anew")
HIDDEN = Kind("hidden-form", "inconsistent", "remove the form that nobody sees")

ORPHAN_SPILL = Kind("orphan-spill", "leftover", "remove it")
ORPHAN_SIDECAR = Kind("orphan-sidecar", "leftover", "remove it")
STAGED = Kind("staged", "leftover", "remove it")
TRASH = Kind("trash", "leftover", "remove it")
GONE_UPLOAD = Kind("gone-upload", "leftover", "remove it")
STATELESS_UPLOAD = Kind("stateless-upload", "leftover", "remove it")
FINISHED_UPLOAD = Kind("finished-upload", "leftover", "remove it")
ABANDONED_SEAL = Kind("abandoned-seal", "leftover", "remove the seal")
ORPHAN_CONTENT = Kind("orphan-content", "leftover", "remove it")
STALE_POINTER = Kind("stale-pointer", "leftover", "remove it")
EMPTY_DIRECTORY = Kind("empty-directory", "leftover", "remove it")

LATER_RECORD = Kind("later-record", "note")
STRANGE = Kind("strange-entry", "note")

#: All of them.
KINDS = (
    *(CONTENT, UNREADABLE, DAMAGED_RECORD, DAMAGED_BUCKET, LOST_SPILL, BAD_NAME),
    *(DAMAGED_UPLOAD, LOST_PART, PART_CONTENT, STALE_STAMP, HIDDEN),
    *(ORPHAN_SPILL, ORPHAN_SIDECAR, STAGED, TRASH, GONE_UPLOAD, STATELESS_UPLOAD, FINISHED_UPLOAD),
    *(ABANDONED_SEAL, ORPHAN_CONTENT, STALE_POINTER, EMPTY_DIRECTORY, LATER_RECORD, STRANGE),
)


@attrs.frozen
class Finding:
    """One thing that was found.

    :ivar bucket: its name; None for what belongs to the root.
    :ivar path: where it is on disk, from the root.
    :ivar place: where it is, from the directory of the bucket, or from the root.
    :ivar key: of the object, or of the upload; None where there is none.
    :ivar detail: what is wrong with it, for people.
    :ivar seen: of a file: (size, mtime in ns, inode) when it was looked at.
    :ivar record: what the content of a file was compared with.
    """

    kind: Kind
    bucket: str | None
    path: Place
    place: Place
    key: str | None = None
    detail: str = ""
    seen: tuple[int, int, int] | None = None
    record: Record | None = None


@attrs.define
class Totals:
    """What a scrub has met so far.

    :ivar objects: files that can be reached by a key.
    :ivar verified: those, and parts, that are what their ETag and checksum say.
    :ivar verified_bytes: their bytes.
    :ivar foreign: files that no S3 client has put.
    :ivar changed: files that other programs have changed since a client put them.
    :ivar unverifiable: objects whose ETag and checksum nobody can compute here.
    :ivar skipped: files that were written into, and uploads that ended, while they were read.
    :ivar links: symbolic links; what they lead to is looked at where it is.
    :ivar unreachable: entries that no key can name, such as FIFOs and names that are not UTF-8.
    :ivar uploads: uploads under way.
    :ivar parts: their parts.
    :ivar found: findings by the name of their kind.
    """

    buckets: int = 0
    directories: int = 0
    objects: int = 0
    verified: int = 0
    verified_bytes: int = 0
    foreign: int = 0
    changed: int = 0
    unverifiable: int = 0
    skipped: int = 0
    links: int = 0
    unreachable: int = 0
    uploads: int = 0
    parts: int = 0
    found: Counter[str] = attrs.field(factory=Counter)

    def at(self, *levels: Level) -> int:
        """How many findings there are of some levels."""
        return sum(self.found[kind.name] for kind in KINDS if kind.level in levels)
