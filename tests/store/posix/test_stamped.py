"""Sidecars that are found by size and time, as on FUSE, where inode numbers are made up."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import attrs
import pytest

from s3daemon.store.interfaces import Attributes, KeyTooLong
from s3daemon.store.posix import identities, sidecars
from s3daemon.store.posix.identities import STAMPS, is_replaced
from s3daemon.store.posix.orphans import find
from s3daemon.store.posix.probe import probe
from s3daemon.store.posix.probed import STAMPED, Probe
from s3daemon.store.posix.records import ATTRIBUTE, is_lost
from s3daemon.store.posix.sidecars import SidecarMetadata
from s3daemon.store.posix.store import PosixStore
from tests.store.posix.disks import descriptors
from tests.store.tools import content, get, listed, md5, put, put_in_parts

TAGGED = Attributes(system={"content-type": "text/x"}, tags=(("a", "b"),))
FUTURE = 1 << 62


@pytest.fixture
def known(root: Path) -> Probe:
    """A file system without attributes and handles."""
    return attrs.evolve(probe(root), metadata=STAMPED, xattr_bytes=0)


@pytest.fixture
def store(root: Path, known: Probe) -> Iterator[PosixStore]:
    """A store on it, with a bucket."""
    made = PosixStore(root, known=known)
    made.buckets.create("bucket", "alice")
    yield made
    made.close()


def kept(root: Path) -> set[str]:
    """The names of all sidecars."""
    return {path.name for path in (root / ".s3gate" / "stamped").glob("*/*")}


def renumber(path: Path) -> None:
    """Give a file another inode, as mounting again does."""
    shutil.copy2(path, path.with_name("copy"))
    path.with_name("copy").rename(path)


def test_a_record_outlives_the_inode_number(store: PosixStore, root: Path) -> None:
    info = put(store, "bucket", "k", b"data", TAGGED)
    assert ATTRIBUTE not in os.listxattr(root / "bucket" / "k")
    assert len(kept(root)) == 2
    renumber(root / "bucket" / "k")
    assert get(store, "bucket", "k") == (info, b"data")
    assert info.attributes == TAGGED
    info = put_in_parts(store, "bucket", "k", b"one", b"two")
    renumber(root / "bucket" / "k")
    assert store.objects.stat("bucket", "k") == info
    assert len(kept(root)) == 2


def test_a_root_that_is_mounted_again(store: PosixStore, root: Path, known: Probe) -> None:
    info = put(store, "bucket", "a/k", b"data", TAGGED)
    put(store, "bucket", "f/", b"")
    store.close()
    moved = root.with_name("elsewhere")
    shutil.copytree(root, moved)
    again = PosixStore(moved, known=known)
    assert again.buckets.get("bucket").owner == "alice"
    assert again.objects.stat("bucket", "a/k") == info
    assert listed(again, "bucket") == ["a/k", "f/"]
    again.close()


def test_what_is_written_from_outside_is_a_stranger(store: PosixStore, root: Path) -> None:
    info = put(store, "bucket", "k", b"data", TAGGED)
    (root / "bucket" / "k").write_bytes(b"DATA")
    assert store.objects.stat("bucket", "k").etag != info.etag
    assert store.objects.stat("bucket", "k").attributes == Attributes()


def test_files_of_one_size_and_time_are_told_apart(store: PosixStore, root: Path) -> None:
    for name in "abc":
        (root / "bucket" / name).write_bytes(b"data")
        os.utime(root / "bucket" / name, ns=(0, 1_700_000_000_000_000_000))
    store.objects.set_tags("bucket", "a", (("of", "a"),))
    store.objects.set_tags("bucket", "b", (("of", "b"),))
    tags = [store.objects.stat("bucket", key).attributes.tags for key in "abc"]
    assert tags == [(("of", "a"),), (("of", "b"),), ()]
    store.objects.set_tags("bucket", "a", ())
    assert store.objects.stat("bucket", "b").attributes.tags == (("of", "b"),)
    millisecond = {(root / "bucket" / key).stat().st_mtime_ns // 1_000_000 for key in "abc"}
    assert millisecond == {1_700_000_000_000}


def test_a_time_that_is_taken_is_not_chosen(
    store: PosixStore, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen = [7, 7, 7, 8]
    monkeypatch.setattr(sidecars.secrets, "randbelow", lambda _: chosen.pop(0))
    monkeypatch.setattr(sidecars, "SPAN_NS", 1 << 62)
    first = put(store, "bucket", "a", b"data", TAGGED)
    second = put(store, "bucket", "b", b"DATA")
    assert chosen == []
    assert store.objects.stat("bucket", "a") == first
    assert store.objects.stat("bucket", "b") == second


def test_a_reader_of_what_is_replaced_does_not_take_it_for_a_stranger(
    store: PosixStore, root: Path
) -> None:
    put(store, "bucket", "k", b"old", TAGGED)
    fd = os.open(root / "bucket" / "k", os.O_RDONLY)
    assert not is_replaced(fd)
    # As FUSE shows it: the old file has a name as long as it is open.
    (root / "hidden").hardlink_to(root / "bucket" / "k")
    put(store, "bucket", "k", b"newer")
    assert is_replaced(fd)
    base = os.open(root, os.O_RDONLY)
    (root / os.fsdecode(sidecars.path_of(STAMPS.of(base, fd, b"")))).unlink()
    record = SidecarMetadata(base, STAMPS).load(fd, base)
    assert record.damaged
    assert is_lost(record, fd)
    os.close(base)
    os.close(fd)


def test_a_bucket_is_made_again_by_somebody_else(store: PosixStore) -> None:
    store.buckets.delete("bucket")
    assert store.buckets.create("bucket", "bob").owner == "bob"
    assert store.buckets.get("bucket").owner == "bob"


def test_paths_that_the_kernel_cannot_say(store: PosixStore, root: Path) -> None:
    with pytest.raises(KeyTooLong):
        put(store, "bucket", "/" * 1000, b"data")
    assert listed(store, "bucket", folders=True) == []


def test_nothing_is_left(store: PosixStore, root: Path) -> None:
    before = kept(root), descriptors()
    for data in (b"1", b"22"):
        put(store, "bucket", "a/k", data, TAGGED)
        assert content(store, "bucket", "a/k") == data
    put(store, "bucket", "f/", b"", TAGGED)
    store.objects.set_tags("bucket", "f/", (("x", "y"),))
    assert store.objects.stat("bucket", "a/k").etag == md5(b"22")
    for key in ("a/k", "f/"):
        store.objects.delete("bucket", key)
    assert (kept(root), descriptors()) == before


def test_what_is_nobodys_is_found(store: PosixStore, root: Path) -> None:
    for key in ("a/1", "a/2", "f/"):
        put(store, "bucket", key, key.encode() * (key != "f/"))
    base = os.open(root, os.O_RDONLY)
    assert find(base, FUTURE, lambda: False) == []
    of_file = identities.STAMPS.of(base, os.open(root / "bucket" / "a" / "1", os.O_RDONLY), b"")
    (root / "bucket" / "a" / "1").unlink()
    shutil.rmtree(root / "bucket" / "f")
    found = find(base, FUTURE, lambda: False)
    assert found is not None
    assert of_file in found
    assert len(found) == 2
    os.close(base)
