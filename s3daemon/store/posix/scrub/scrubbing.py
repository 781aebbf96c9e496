"""A whole scrub: root, buckets, and where to go on after an interruption."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs

from s3daemon.store.interfaces import NoSuchBucket
from s3daemon.store.posix.durable import Disk
from s3daemon.store.posix.paths import DIRECTORY, Place, is_listed_bucket
from s3daemon.store.posix.probed import Probe, recorded
from s3daemon.store.posix.scrub import entries, leftovers, uploads
from s3daemon.store.posix.scrub.round import Round, names_in
from s3daemon.store.posix.scrub.tree import Tree
from s3daemon.store.posix.volume import Bucket, Volume

#: What is taken for granted of a root that no gateway has tried.
_UNTRIED = Probe(
    xattr_bytes=0,
    tmpfile=False,
    proc_link=False,
    hard_links=False,
    noreplace=False,
    openat2=True,
    copy_range=False,
    dir_sync=True,
    name_bytes=255,
    case_folding=False,
)


def open_to_read(root: Path) -> Volume:
    """Open a root that nobody can change by way of this; close it afterwards.

    What the file system can do is what the last gateway to start has found out.

    :raises OSError: it is no directory, or cannot be read.
    """
    fd = os.open(root, DIRECTORY)
    try:
        known = recorded(fd)
    finally:
        os.close(fd)
    return Volume(root, Disk(hooks=[_refuse]), known or _UNTRIED)


def _refuse(name: str, call: Callable[..., Any], *args: Any) -> Any:
    raise OSError(errno.EROFS, f"a scrub does not change the disk: {name}")


@attrs.frozen
class Position:
    """How far a scrub has come.

    :ivar bucket: the one that it is at.
    :ivar place: the last entry of its tree that is done; None where what the gateway keeps beside
        the tree is not.
    """

    bucket: str
    place: Place | None = None


def scrub(
    round_: Round,
    bucket: str | None = None,
    after: Position | None = None,
    done: Callable[[Position], None] = lambda _: None,
) -> None:
    """Look at all buckets, or at one.

    :param after: how far an earlier one came, of the same buckets and with the same scope.
    :param done: is told after each entry how far it is.
    :raises Stopped: see :class:`Pacer`.
    :raises NoSuchBucket: of the one asked for.
    :raises OSError: the root cannot be read.
    """
    volume = round_.volume
    if bucket is not None:
        with volume.bucket(bucket) as only:
            _scrub_bucket(round_, only, after, done)
        return
    if after is None:
        leftovers.scrub_root(round_)
    for raw in names_in(b".", volume.fd):
        if not is_listed_bucket(raw):
            continue
        name = raw.decode()
        if after is not None and raw < after.bucket.encode():
            continue
        try:
            one = volume.bucket(name)
        except NoSuchBucket:
            continue
        except OSError as exc:
            round_.failed(exc, None, (raw,))
            continue
        with one:
            same = after is not None and after.bucket == name
            _scrub_bucket(round_, one, after if same else None, done)


def _scrub_bucket(
    round_: Round, bucket: Bucket, after: Position | None, done: Callable[[Position], None]
) -> None:
    place = None if after is None else after.place
    if place is None:
        round_.totals.buckets += 1
        if len(bucket.place) == 1 and not round_.scope.prefix:
            leftovers.scrub_bucket(round_, bucket)
        entries.check_bucket(round_, bucket)
        uploads.scrub(round_, bucket)
    Tree(round_, bucket, place, lambda at: done(Position(bucket.name, at))).scrub()
