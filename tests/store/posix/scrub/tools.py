"""A root to damage, and words for scrubbing it."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path

import attrs

from s3daemon.store.interfaces import Attributes, Checksum
from s3daemon.store.posix.probe import probe
from s3daemon.store.posix.scrub.findings import Finding, Totals
from s3daemon.store.posix.scrub.pacing import Pacer
from s3daemon.store.posix.scrub.round import Round, Scope
from s3daemon.store.posix.scrub.scrubbing import Position, open_to_read, scrub
from s3daemon.store.posix.store import PosixStore
from tests.store.tools import begin, complete, put, put_part

FUTURE = 1 << 62
#: Its record does not fit into the attributes of :func:`poor_store`.
LONG = Attributes(metadata={"m": "v" * 1500})
#: The checksum of ``hello``.
HELLO = Checksum("CRC32", "NhCmhg==")


def poor_store(root: Path) -> PosixStore:
    """A store where attributes of files hold little."""
    with tempfile.TemporaryDirectory(dir=root.parent) as other:
        known = probe(Path(other))
    return PosixStore(root, "relaxed", attrs.evolve(known, xattr_bytes=600))


def fill(store: PosixStore) -> None:
    """One of everything."""
    store.buckets.create("bucket", "alice")
    put(store, "bucket", "plain", b"hello")
    put(store, "bucket", "summed", b"hello", checksum=HELLO)
    put(store, "bucket", "empty")
    put(store, "bucket", "long", b"hello", LONG)
    put(store, "bucket", "a/b//c", b"hello")
    put(store, "bucket", "a", b"hello")
    put(store, "bucket", "d" * 300 + "/x", b"hello")
    put(store, "bucket", "n" * 300, b"hello")
    put(store, "bucket", "folder/")
    put(store, "bucket", "full/", b"hello")
    upload = begin(store, "bucket", "parts", algorithm="CRC32", kind="COMPOSITE")
    parts = [
        put_part(store, "bucket", upload, number, b"hello", checksum=HELLO) for number in (1, 2, 3)
    ]
    complete(store, "bucket", upload, [(part.number, part.etag) for part in parts])
    upload = begin(store, "bucket", "under/way")
    put_part(store, "bucket", upload, 1, b"hello", checksum=HELLO)
    put_part(store, "bucket", upload, 1, b"again")
    store.buckets.create("bucket:within", "alice")
    put(store, "bucket:within", "k", b"hello")
    upload = begin(store, "bucket:within", "under/way")
    put_part(store, "bucket:within", upload, 1, b"hello")
    store.buckets.create("other", None)
    put(store, "other", "k", b"hello")


#: Files of :func:`fill` that are objects.
OBJECTS = 12
#: ... and parts.
PARTS = 2


def scrubbed(
    root: Path,
    bucket: str | None = None,
    after: Position | None = None,
    done: Callable[[Position], None] = lambda _: None,
    should_stop: Callable[[], bool] = lambda: False,
    **scope: object,
) -> tuple[list[Finding], Totals]:
    """What a scrub finds and counts."""
    found: list[Finding] = []
    totals = Totals()
    volume = open_to_read(root)
    try:
        chosen = attrs.evolve(Scope(FUTURE), **scope)
        round_ = Round(volume, chosen, Pacer(should_stop=should_stop), totals, found.append)
        scrub(round_, bucket, after, done)
    finally:
        volume.close()
    return found, totals


def kinds(found: list[Finding]) -> list[str]:
    """The names of the kinds of findings."""
    return [one.kind.name for one in found]


def paths_in(root: Path) -> list[str]:
    """Everything in a tree."""
    found = [str(root)]
    for path, directories, files in os.walk(root):
        found += [os.path.join(path, name) for name in (*directories, *files)]
    return found


def state_of(paths: list[str]) -> list[tuple[int, ...]]:
    """All that can be seen of these without looking into them, times of access too."""
    return [tuple(os.lstat(path)[:7]) + _times(path) for path in paths]


def _times(path: str) -> tuple[int, ...]:
    st = os.lstat(path)
    return st.st_atime_ns, st.st_mtime_ns, st.st_ctime_ns
