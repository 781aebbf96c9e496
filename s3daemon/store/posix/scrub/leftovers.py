"""The gateway's own directories: what lies in them that nobody needs any more."""

from __future__ import annotations

import os
from contextlib import suppress

from s3daemon.store.posix import orphans, private
from s3daemon.store.posix.identities import KINDS
from s3daemon.store.posix.names import PRIVATE_DIR
from s3daemon.store.posix.paths import Place
from s3daemon.store.posix.scrub.findings import (
    ORPHAN_SIDECAR,
    ORPHAN_SPILL,
    STAGED,
    STRANGE,
    TRASH,
    Kind,
)
from s3daemon.store.posix.scrub.pacing import ENTRY
from s3daemon.store.posix.scrub.round import Round, names_in
from s3daemon.store.posix.sidecars import path_of
from s3daemon.store.posix.spills import SPILL_NAME, STEP, search
from s3daemon.store.posix.volume import Bucket

_SIDECARS = frozenset(kind.directory.rpartition(b"/")[2] for kind in KINDS)
#: What may be there, beneath the root and in a bucket.
_OF_ROOT = frozenset((b"staging", b"trash", b"locks", b"probe.json", b"janitor")) | _SIDECARS
_OF_BUCKET = frozenset((b"staging", b"spill")) | _SIDECARS


def scrub_root(round_: Round) -> None:
    """Check what is beneath the root.  :raises Stopped: see :class:`Pacer`."""
    home = round_.volume.fd
    _list(round_, None, home, private.STAGING, STAGED, "its writer died before publishing it")
    _list(round_, None, home, private.TRASH, TRASH, "it is what is left of a deleted bucket")
    for name, place in _names(round_, None, home, PRIVATE_DIR):
        if private.TRIALS.fullmatch(name):
            _look(round_, None, home, place, STAGED, "who tried the file system has died")
        elif name not in _OF_ROOT:
            round_.found(STRANGE, None, place, None, "the gateway has not made it")
    _scrub_sidecars(round_, None, home)


def scrub_bucket(round_: Round, bucket: Bucket) -> None:
    """Check what is in a top-level bucket.  :raises Stopped: see :class:`Pacer`."""
    what = "its writer died before publishing it"
    _list(round_, bucket, bucket.fd, private.STAGING, STAGED, what)
    for name, place in _names(round_, bucket, bucket.fd, PRIVATE_DIR):
        if name not in _OF_BUCKET:
            round_.found(STRANGE, bucket, place, None, "the gateway has not made it")
    _scrub_sidecars(round_, bucket, bucket.fd)
    try:
        _scrub_spills(round_, bucket)
    except OSError as exc:
        round_.failed(exc, bucket, _place(private.SPILL))


def _scrub_spills(round_: Round, bucket: Bucket) -> None:
    """Look for spill files that no record names: in the whole bucket, records only, and twice."""
    old: set[bytes] = set()
    for name, place in _names(round_, bucket, bucket.fd, private.SPILL):
        if SPILL_NAME.fullmatch(name):
            with suppress(FileNotFoundError):
                st = os.stat(b"/".join(place), dir_fd=bucket.fd, follow_symlinks=False)
                if round_.is_old(st):
                    old.add(name)
        else:
            round_.found(STRANGE, bucket, place, None, "the gateway has not made it")

    for _ in range(2):
        # Other programs may move an object about just when it is looked for.
        if not old:
            return
        found = search(bucket, frozenset(old), lambda: _go_on(round_))
        old.difference_update(found or ())
    for name in sorted(old):
        place = (*_place(private.SPILL), name)
        round_.found(ORPHAN_SPILL, bucket, place, None, "no record names it")


def _scrub_sidecars(round_: Round, bucket: Bucket | None, base: int) -> None:
    """Look for sidecars that are nobody's: among all entries beneath the base, and twice."""
    try:
        if not _SIDECARS.intersection(names_in(PRIVATE_DIR, base)):
            return
        found = orphans.find(base, round_.scope.before_ns, lambda: _go_on(round_))
    except OSError as exc:
        round_.failed(exc, bucket, _place(private.RECORDS))
        return
    for name in found or ():
        place = _place(path_of(name))
        round_.found(ORPHAN_SIDECAR, bucket, place, None, "its file or directory is gone")


def _go_on(round_: Round) -> bool:
    """Wait for the turn of some entries.  :raises Stopped: see :class:`Pacer`."""
    round_.pacer.spend(ENTRY * STEP)
    return False


def _list(
    round_: Round, bucket: Bucket | None, home: int, path: bytes, kind: Kind, what: str
) -> None:
    for _, place in _names(round_, bucket, home, path):
        _look(round_, bucket, home, place, kind, what)


def _look(
    round_: Round, bucket: Bucket | None, home: int, place: Place, kind: Kind, what: str
) -> None:
    round_.pacer.spend(ENTRY)
    try:
        st = os.stat(b"/".join(place), dir_fd=home, follow_symlinks=False)
        if round_.is_old(st):
            round_.found(kind, bucket, place, None, what)
    except OSError as exc:
        round_.failed(exc, bucket, place)


def _names(
    round_: Round, bucket: Bucket | None, home: int, path: bytes
) -> list[tuple[bytes, Place]]:
    """The names in one of our directories, and where they are."""
    try:
        return [(name, (*_place(path), name)) for name in names_in(path, home)]
    except OSError as exc:
        round_.failed(exc, bucket, _place(path))
        return []


def _place(path: bytes) -> Place:
    return tuple(path.split(b"/"))
