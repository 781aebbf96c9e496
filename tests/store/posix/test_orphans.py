"""Sidecars that belong to nothing are removed, and no others."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs
import pytest

from s3daemon.store.interfaces import Attributes
from s3daemon.store.posix import identities, orphans
from s3daemon.store.posix.durable import Disk
from s3daemon.store.posix.identities import Identity
from s3daemon.store.posix.orphans import Orphans, find
from s3daemon.store.posix.probe import probe
from s3daemon.store.posix.probed import SIDECAR
from s3daemon.store.posix.sidecars import SidecarMetadata
from s3daemon.store.posix.store import PosixStore
from tests.store.posix.disks import CutAt, PowerCut, descriptors
from tests.store.tools import begin, listed, put, put_part

FUTURE = 1 << 62
TAGGED = Attributes(tags=(("a", "b"),))
LONG = "k" * 300


@pytest.fixture
def store(root: Path) -> Iterator[PosixStore]:
    """A store with sidecars, some objects, and an upload."""
    made = PosixStore(root, "relaxed", attrs.evolve(probe(root), metadata=SIDECAR, xattr_bytes=0))
    made.uploads._orphans = Orphans(made.disk, 0)  # type: ignore[attr-defined]
    made.buckets.create("bucket", "alice")
    made.buckets.create("bucket:within", "bob")
    for key in ("k", "d/e", "d/", f"{LONG}/{LONG}", "/" * 700 + "deep", "l"):
        put(made, "bucket", key, b"" if key.endswith("/") else b"x", TAGGED)
    yield made
    made.close()


def kept(root: Path) -> set[str]:
    """The names of all sidecars."""
    return {path.name for path in (root / ".s3gate" / "records").glob("*/*")}


def test_what_is_in_use_stays(store: PosixStore, root: Path) -> None:
    before, keys = kept(root), listed(store, "bucket")
    upload = begin(store, "bucket", "u")
    put_part(store, "bucket", upload, 1, b"part")
    open_before = descriptors()
    store.uploads.expire(0, leftovers_ns=FUTURE)
    assert descriptors() == open_before
    assert kept(root) == before
    assert listed(store, "bucket") == keys
    assert store.objects.stat("bucket", "/" * 700 + "deep").attributes == TAGGED


def test_what_is_nobodys_goes(store: PosixStore, root: Path) -> None:
    before = kept(root)
    (root / "bucket" / "k").unlink()
    (root / "bucket" / "l").rename(root / "elsewhere")
    store.uploads.expire(0, leftovers_ns=0)
    assert kept(root) == before, "it is not old"
    store.uploads.expire(0, leftovers_ns=FUTURE)
    assert len(kept(root)) == len(before) - 1
    os.rename(root / "elsewhere", root / "bucket" / "back")
    assert store.objects.stat("bucket", "back").attributes == TAGGED


def test_whatever_a_crash_leaves(root: Path) -> None:
    known = attrs.evolve(probe(root), metadata=SIDECAR, xattr_bytes=0)
    number = 0
    while True:
        cut = CutAt(number)
        store = PosixStore(root, "relaxed", known)
        bucket = f"bucket{number}"
        store.buckets.create(bucket, "alice")
        put(store, bucket, "d/k", b"old", TAGGED)
        store.disk.hooks.append(cut)
        try:
            put(store, bucket, "d/k", b"new", TAGGED)
            store.objects.delete(bucket, "d/k")
            store.buckets.delete(bucket)
        except PowerCut:
            pass
        store.close()
        store = PosixStore(root, "relaxed", known)
        store.uploads._orphans = Orphans(store.disk, 0)  # type: ignore[attr-defined]
        store.uploads.expire(FUTURE)
        shown = {name.name for name in store.buckets.list()}
        objects = [info for name in shown for info in listed(store, name)]
        for name in shown:
            assert store.buckets.get(name).owner == "alice"
            for key in listed(store, name):
                assert store.objects.stat(name, key).attributes == TAGGED
                store.objects.delete(name, key)
            store.buckets.delete(name)
        assert len(objects) <= 1
        assert kept(root) == set(), number
        store.close()
        if not cut.fired:
            break
        number += 1
    assert number > 15


def test_it_is_done_once_a_day(store: PosixStore, root: Path) -> None:
    (root / "bucket" / "k").unlink()
    base = os.open(root, os.O_RDONLY)
    sweeper = Orphans(store.disk)
    before = len(kept(root))
    assert sweeper.sweep(base, 0, 10, lambda: False) == 0
    assert sweeper.sweep(base, FUTURE, 10, lambda: False) == 0
    assert Orphans(store.disk).sweep(base, FUTURE, 0, lambda: False) == 0
    assert Orphans(store.disk).sweep(base, FUTURE, 10, lambda: False) == 1
    assert len(kept(root)) == before - 1
    os.close(base)


def test_it_can_be_stopped(store: PosixStore, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(orphans, "STEP", 1)
    (root / "bucket" / "k").unlink()
    base = os.open(root, os.O_RDONLY)
    assert find(base, FUTURE, lambda: True) is None
    before = kept(root)
    assert Orphans(store.disk, 0).sweep(base, FUTURE, 10, lambda: True) == 0
    assert kept(root) == before
    os.close(base)


def test_a_file_that_is_moved_about_is_looked_for_twice(
    store: PosixStore, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    base = os.open(root, os.O_RDONLY)
    entries, searches = orphans._entries, []

    def some(fd: int, kind: Identity) -> Iterator[str]:
        searches.append(fd)
        return entries(fd, kind) if len(searches) > 1 else iter(())

    monkeypatch.setattr(orphans, "_entries", some)
    assert find(base, FUTURE, lambda: False) == []
    assert len(searches) == 2
    os.close(base)


@pytest.mark.parametrize(
    ("code", "fails"),
    [(errno.ENOENT, False), (errno.EOPNOTSUPP, False), (errno.EIO, True), (errno.EACCES, True)],
)
def test_entries_that_cannot_be_looked_at(
    store: PosixStore, root: Path, monkeypatch: pytest.MonkeyPatch, code: int, fails: bool
) -> None:
    (root / "bucket" / "k").unlink()
    (root / "bucket" / "strange").touch()
    real = identities.handle_of

    def refuse(fd: int, name: bytes = b"") -> str:
        if name == b"strange":
            raise OSError(code, os.strerror(code))
        return real(fd, name)

    monkeypatch.setattr(identities, "handle_of", refuse)
    before = len(kept(root))
    if fails:
        with pytest.raises(Exception, match=errno.errorcode[code]):
            store.uploads.expire(0, leftovers_ns=FUTURE)
    else:
        store.uploads.expire(0, leftovers_ns=FUTURE)
    assert len(kept(root)) == before - (not fails)


def test_what_is_no_sidecar_is_not_ours(store: PosixStore, root: Path) -> None:
    records = root / ".s3gate" / "records"
    (records / "notes").mkdir()
    (records / "notes" / "h01").touch()
    next(path for path in records.glob("??")).joinpath("README").touch()
    store.uploads.expire(0, leftovers_ns=FUTURE)
    assert (records / "notes" / "h01").exists()
    assert "README" in kept(root)


def test_a_root_without_sidecars_is_not_searched(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def search(*_: Any) -> None:
        raise AssertionError("it was searched")

    monkeypatch.setattr(orphans, "find", search)
    store = PosixStore(root)
    store.uploads._orphans = Orphans(store.disk, 0)  # type: ignore[attr-defined]
    store.buckets.create("bucket", "alice")
    store.uploads.expire(FUTURE)
    store.close()


def test_a_mounted_bucket_is_searched_for_itself(root: Path) -> None:
    store = PosixStore(root)
    store.buckets.create("bucket", "alice")
    base = os.open(root / "bucket", os.O_RDONLY)
    # As if it were another file system: it has sidecars of its own.
    (root / "bucket" / "k").touch()
    fd = os.open(root / "bucket" / "k", os.O_RDONLY)
    SidecarMetadata(base).save(Disk("relaxed"), fd, base, store._volume.metadata.load(fd, base))
    os.close(fd)
    own = root / "bucket" / ".s3gate" / "records"
    store.uploads._orphans = Orphans(store.disk, 0)  # type: ignore[attr-defined]
    store.uploads.expire(FUTURE)
    assert len(list(own.glob("*/*"))) == 1
    (root / "bucket" / "k").unlink()
    store.uploads.expire(FUTURE)
    assert list(own.glob("*/*")) == []
    os.close(base)
    store.close()
