"""One entry of a bucket's tree: its record, its name, the other forms of its key, its content."""

from __future__ import annotations

import os
import stat

import attrs

from s3daemon.store.interfaces import MAX_KEY_BYTES
from s3daemon.store.posix import metadata, names
from s3daemon.store.posix.errnos import GONE
from s3daemon.store.posix.metadata import Record
from s3daemon.store.posix.paths import NOTHING_THERE, READ, Place, open_place, open_quietly
from s3daemon.store.posix.resolving import file_places
from s3daemon.store.posix.scrub.content import Changed, judge
from s3daemon.store.posix.scrub.findings import (
    BAD_NAME,
    CONTENT,
    DAMAGED_BUCKET,
    DAMAGED_RECORD,
    EMPTY_DIRECTORY,
    HIDDEN,
    LATER_RECORD,
    LOST_SPILL,
    STALE_STAMP,
)
from s3daemon.store.posix.scrub.pacing import ENTRY
from s3daemon.store.posix.scrub.round import Round, names_in
from s3daemon.store.posix.sidecars import is_sidecar
from s3daemon.store.posix.volume import Bucket

_OPEN = READ | os.O_NOFOLLOW


@attrs.frozen
class Entry:
    """An entry that may belong to a key.

    :ivar place: its names on disk, from the bucket.
    :ivar above: the segments of the directories; :ivar segment: its own, None where only its
        record has it.
    :ivar escaped: whether one of the names is an escape.
    """

    bucket: Bucket
    place: Place
    above: Place
    segment: bytes | None
    escaped: bool

    @property
    def key(self) -> bytes:
        """The key of a file; the path of a directory without the slash behind it."""
        return b"/".join((*self.above, self.segment or b""))


# ---------------------------------------------------------------- files


def check_file(round_: Round, entry: Entry, above: int) -> None:
    """Check a regular file.

    :param above: descriptor of its directory.
    :raises Stopped: see :class:`Pacer`.
    """
    round_.pacer.spend(ENTRY)
    try:
        fd = open_quietly(entry.place[-1], _OPEN, above)
    except OSError as exc:
        round_.failed(exc, entry.bucket, entry.place, entry.key)
        return
    try:
        _check_open_file(round_, entry, fd)
    except OSError as exc:
        round_.failed(exc, entry.bucket, entry.place, entry.key)
    finally:
        os.close(fd)


def _check_open_file(round_: Round, entry: Entry, fd: int) -> None:
    st = os.fstat(fd)
    if not stat.S_ISREG(st.st_mode):
        return
    record = round_.volume.metadata.load(fd, entry.bucket.home)
    if record.damaged and not os.fstat(fd).st_nlink:
        return  # and with the file went what was kept of it elsewhere
    if entry.segment is None:
        entry = attrs.evolve(entry, segment=_named(round_, entry.bucket, entry.place, record))
        if entry.segment is None or not entry.key.startswith(round_.scope.prefix):
            return
    if len(entry.key) > MAX_KEY_BYTES:
        round_.totals.unreachable += 1
        return
    round_.totals.objects += 1
    _check_record(round_, entry, record, metadata.stamp(st))
    if entry.escaped and round_.is_old(st):
        _check_form(round_, entry, metadata.stamp(st))
    if max(st.st_mtime_ns, st.st_ctime_ns) >= round_.scope.since_ns:
        _check_content(round_, entry, fd, st, record)


def _check_record(
    round_: Round, entry: Entry, record: Record, seen: tuple[int, int, int] | None
) -> None:
    if not record.damaged:
        return
    where = entry.bucket, entry.place, entry.key
    if record.later:
        round_.found(LATER_RECORD, *where, "a later version has written it", seen)
    elif has_spill(record):
        what = f"{record.spill} in .s3gate/spill is not there, or damaged"
        round_.found(LOST_SPILL, *where, what, seen)
    else:
        round_.found(DAMAGED_RECORD, *where, "the record cannot be understood", seen)


def has_spill(record: Record) -> bool:
    """Whether the record names a spill file: a sidecar is a record, and names none."""
    return record.spill is not None and not is_sidecar(record.spill)


def _check_form(round_: Round, entry: Entry, seen: tuple[int, int, int]) -> None:
    """Whether another form of the key takes precedence over this one.

    For a moment that is so whenever a key changes its form.
    """
    winner = winner_of(entry.bucket.fd, (*entry.above, entry.segment or b""))
    if winner is not None and winner != entry.place:
        shown = b"/".join(winner).decode("utf-8", "replace")
        round_.found(
            HIDDEN, entry.bucket, entry.place, entry.key, f"readers find {shown} instead", seen
        )


def winner_of(bucket_fd: int, segments: Place) -> Place | None:
    """Where readers find the file of a key; None if nowhere.

    :raises OSError: one of its forms cannot be opened.
    """
    for place in file_places(bucket_fd, segments):
        try:
            fd = open_place(bucket_fd, place, READ)
        except OSError as exc:
            if exc.errno in NOTHING_THERE:
                continue
            raise
        try:
            if stat.S_ISREG(os.fstat(fd).st_mode):
                return place
        finally:
            os.close(fd)
    return None


def _check_content(
    round_: Round, entry: Entry, fd: int, st: os.stat_result, record: Record
) -> None:
    totals = round_.totals
    if record.etag is None:
        totals.foreign += 1
        return
    stamp = metadata.stamp(st)
    is_true = record.stamp == stamp
    if not is_true and (record.stamp is None or record.stamp[0] != st.st_size):
        totals.changed += 1
        return
    if is_true and not round_.scope.contents:
        return
    try:
        judgement = judge(fd, st.st_size, record, round_.pacer)
        if metadata.stamp(now := os.fstat(fd)) != stamp or not now.st_nlink:
            raise Changed
    except Changed:
        totals.skipped += 1
        return
    except OSError as exc:
        if exc.errno not in GONE:
            raise
        totals.skipped += 1  # another node has removed it
        return
    if judgement.verdict == "unknown":
        totals.unverifiable += 1
    elif judgement.verdict == "true":
        totals.verified += 1
        totals.verified_bytes += st.st_size
        if not is_true:
            what = "the content is what was put, but its times or its inode are not"
            round_.found(STALE_STAMP, entry.bucket, entry.place, entry.key, what, stamp, record)
    elif is_true:
        round_.found(CONTENT, entry.bucket, entry.place, entry.key, judgement.detail, stamp)
    else:
        totals.changed += 1


# ---------------------------------------------------------------- directories


def check_bucket(round_: Round, bucket: Bucket) -> None:
    """Check the record of the directory of a bucket."""
    try:
        record = round_.volume.metadata.load(bucket.fd, bucket.home)
    except OSError as exc:
        round_.failed(exc, bucket, ())
        return
    if record.damaged and not record.later and not has_spill(record):
        what = "nobody can tell whose it is, so it is nobody's: its record has to be restored"
        round_.found(DAMAGED_BUCKET, bucket, (), None, what)
    else:
        _check_record(round_, Entry(bucket, (), (), None, False), record, None)


def check_directory(round_: Round, entry: Entry, fd: int, empty: bool) -> None:
    """Check a directory below that of the bucket."""
    bucket, place, key = entry.bucket, entry.place, entry.key + b"/"
    round_.totals.directories += 1
    try:
        record = round_.volume.metadata.load(fd, bucket.home)
        st = os.fstat(fd)
    except OSError as exc:
        round_.failed(exc, bucket, place, key)
        return
    if not st.st_nlink:
        return
    _check_record(round_, attrs.evolve(entry, segment=(entry.segment or b"") + b"/"), record, None)
    ours = record.implicit or (record == metadata.EMPTY and place[-1].startswith(names.ESCAPE))
    if empty and ours and record.put_ns is None and record.bucket is None and round_.is_old(st):
        what = "it was made for an object that did not come"
        round_.found(EMPTY_DIRECTORY, bucket, place, key, what)


def segment_of(round_: Round, bucket: Bucket, place: Place, fd: int) -> bytes | None:
    """The segment of a directory whose name holds only a digest, from its record."""
    try:
        record = round_.volume.metadata.load(fd, bucket.home)
        if record == metadata.EMPTY and not names_in(b".", fd):
            # It is made first, and gets its record then; whoever uses it mends that.
            if round_.is_old(os.fstat(fd)):
                what = "it was made for an object that did not come"
                round_.found(EMPTY_DIRECTORY, bucket, place, None, what)
            return None
    except OSError as exc:
        round_.failed(exc, bucket, place)
        return None
    return _named(round_, bucket, place, record)


def _named(round_: Round, bucket: Bucket, place: Place, record: Record) -> bytes | None:
    """The segment that a record gives for a digest."""
    text = record.name
    segment = None if text is None else text.encode("utf-8", "surrogatepass")
    if segment is not None and names.is_name_of(place[-1], segment):
        return segment
    what = "its record does not say of which name this is the digest, so that no key leads to it"
    round_.found(BAD_NAME, bucket, place, None, what)
    return None
