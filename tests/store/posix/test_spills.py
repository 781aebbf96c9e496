"""Spill files that nothing names are swept, and no other one ever is."""

from __future__ import annotations

import errno
import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import attrs
import pytest

from s3daemon.store.interfaces import Attributes
from s3daemon.store.posix import packing, spills
from s3daemon.store.posix.probe import probe
from s3daemon.store.posix.records import ATTRIBUTE
from s3daemon.store.posix.spills import FOUND, Spills
from s3daemon.store.posix.store import PosixStore
from tests.store.posix.disks import CutAt, PowerCut
from tests.store.tools import begin, complete, put, put_part

FUTURE = 1 << 62
LONG = Attributes(metadata={"m": "v" * 1500})


def poor_store(root: Path) -> PosixStore:
    """A store where attributes of files hold little."""
    with tempfile.TemporaryDirectory(dir=root.parent) as other:
        known = probe(Path(other))
    return PosixStore(root, "relaxed", attrs.evolve(known, xattr_bytes=600))


@pytest.fixture
def store(root: Path) -> Iterator[PosixStore]:
    made = poor_store(root)
    made.buckets.create("bucket", "alice")
    yield made
    made.close()


def spill_dir(root: Path) -> Path:
    return root / "bucket" / ".s3gate" / "spill"


def spill_of(path: Path) -> str | None:
    """The spill file that the record of a file names."""
    return packing.parse(os.getxattr(path, ATTRIBUTE)).spill


def sweep(store: PosixStore, before_ns: int = FUTURE, limit: int = 1000, stop: bool = False) -> int:
    """One round of a gateway that has not searched so far."""
    with store._volume.bucket("bucket") as bucket:
        return Spills(store.disk, 0).sweep(bucket, before_ns, limit, lambda: stop)


def test_what_is_in_use_stays(store: PosixStore, root: Path) -> None:
    put(store, "bucket", "k", b"1", LONG)
    put(store, "bucket", "a/b//c", b"1", LONG)
    put(store, "bucket", "folder/", b"", LONG)
    put(store, "bucket", "l" * 255, b"1", LONG)
    put(store, "bucket", "d/" * 500 + "x", b"1", LONG)
    store.buckets.set_tags("bucket", tuple((f"t{n}", "v" * 50) for n in range(20)))
    upload = begin(store, "bucket", "in/parts", LONG)
    parts = [put_part(store, "bucket", upload, n, b"1") for n in (1, 2)]
    complete(store, "bucket", upload, [(part.number, part.etag) for part in parts])
    before = sorted(os.listdir(spill_dir(root)))
    assert len(before) == 7
    for _ in range(3):
        assert sweep(store) == 0
        assert sorted(os.listdir(spill_dir(root))) == before
    for key in ("k", "a/b//c", "folder/", "l" * 255, "d/" * 500 + "x", "in/parts"):
        assert store.objects.stat("bucket", key).attributes == LONG
    assert os.getxattr(spill_dir(root) / (spill_of(root / "bucket" / "k") or ""), FOUND) == b"k"
    assert os.getxattr(spill_dir(root) / (spill_of(root / "bucket") or ""), FOUND) == b"."


def test_what_nothing_names_goes_the_second_time(store: PosixStore, root: Path) -> None:
    put(store, "bucket", "k", b"1", LONG)
    used = os.listdir(spill_dir(root))
    (spill_dir(root) / ("0" * 32)).write_text("{}")
    assert sweep(store, before_ns=1) == 0
    assert sweep(store, before_ns=1) == 0
    assert sweep(store) == 0
    assert len(os.listdir(spill_dir(root))) == 2
    assert sweep(store) == 1
    assert os.listdir(spill_dir(root)) == used


def test_what_other_programs_move_is_found_again(store: PosixStore, root: Path) -> None:
    put(store, "bucket", "a/k", b"1", LONG)
    assert sweep(store) == 0
    (root / "bucket" / "elsewhere").mkdir()
    (root / "bucket" / "a" / "k").rename(root / "bucket" / "elsewhere" / "k")
    for _ in range(3):
        assert sweep(store) == 0
    assert store.objects.stat("bucket", "elsewhere/k").attributes == LONG
    # Moved just when it was looked for: missed once, and found the next time.
    spill = spill_dir(root) / os.listdir(spill_dir(root))[0]
    os.setxattr(spill, FOUND, b"")
    for _ in range(3):
        assert sweep(store) == 0
    assert os.getxattr(spill, FOUND) == b"elsewhere/k"


def test_another_link_keeps_it(store: PosixStore, root: Path) -> None:
    put(store, "bucket", "k", b"1", LONG)
    assert sweep(store) == 0
    os.link(root / "bucket" / "k", root / "bucket" / "link")
    store.objects.delete("bucket", "k")
    for _ in range(3):
        assert sweep(store) == 0
    assert store.objects.stat("bucket", "link").attributes == LONG


def test_what_is_restored_is_as_young_as_that(store: PosixStore, root: Path) -> None:
    """Backups give back old times, and the files that name it may come later."""
    spill_dir(root).mkdir(parents=True, exist_ok=True)
    restored = spill_dir(root) / ("0" * 32)
    restored.write_text("{}")
    os.utime(restored, ns=(0, 0))
    border = time.time_ns() - 10**9
    for _ in range(3):
        assert sweep(store, before_ns=border) == 0
    assert restored.exists()


def test_other_names_are_left_alone(store: PosixStore, root: Path) -> None:
    spill_dir(root).mkdir(parents=True, exist_ok=True)
    names = ["notes", "A" * 32, "0" * 31, "0" * 33]
    for name in names:
        (spill_dir(root) / name).touch()
    for _ in range(3):
        assert sweep(store) == 0
    assert sorted(os.listdir(spill_dir(root))) == sorted(names)


def test_a_bucket_without_spill_files(store: PosixStore) -> None:
    assert sweep(store) == 0


def test_no_more_than_the_limit(store: PosixStore, root: Path) -> None:
    spill_dir(root).mkdir(parents=True, exist_ok=True)
    for number in range(5):
        (spill_dir(root) / f"{number:032}").touch()
    assert sweep(store) == 0
    assert sweep(store, limit=2) == 2
    assert len(os.listdir(spill_dir(root))) == 3


def test_what_cannot_be_looked_at_may_be_in_use(
    store: PosixStore, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(store, "bucket", "d/k", b"1", LONG)
    (spill_dir(root) / ("0" * 32)).touch()
    sweep(store)

    def refuse(fd: int, name: str) -> bytes | None:
        if name == ATTRIBUTE:
            raise OSError(errno.EIO, "no")
        return real(fd, name)

    real = spills._attribute
    monkeypatch.setattr(spills, "_attribute", refuse)
    with pytest.raises(OSError, match="no"):
        sweep(store)
    assert len(os.listdir(spill_dir(root))) == 2


def test_a_search_that_is_told_to_stop_finds_nothing_out(
    store: PosixStore, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spills, "STEP", 1)
    put(store, "bucket", "k", b"1", LONG)
    (spill_dir(root) / ("0" * 32)).touch()
    for _ in range(3):
        assert sweep(store, stop=True) == 0
    assert len(os.listdir(spill_dir(root))) == 2
    with pytest.raises(OSError, match="No data"):
        os.getxattr(spill_dir(root) / ("0" * 32), FOUND)


def test_the_janitor_searches_a_bucket_once_a_day(store: PosixStore, root: Path) -> None:
    spill_dir(root).mkdir(parents=True, exist_ok=True)
    (spill_dir(root) / ("0" * 32)).touch()
    for _ in range(3):
        store.uploads.expire(FUTURE)
    assert len(os.listdir(spill_dir(root))) == 1
    # Another gateway, or this one after a day.
    other = poor_store(root)
    other.uploads.expire(FUTURE)
    other.close()
    assert os.listdir(spill_dir(root)) == []


@pytest.mark.parametrize("what", ["put", "put over", "tags", "complete"])
def test_what_a_crash_leaves(root: Path, what: str) -> None:
    """Before each change: afterwards each spill file is named, and each record has its own."""
    for number in range(1000):
        name = f"bucket{number}"
        store = poor_store(root)
        store.buckets.create(name, "alice")
        if what != "put":
            put(store, name, "k", b"old", LONG)
        upload = begin(store, name, "k", LONG)
        part = put_part(store, name, upload, 1, b"new")
        cut = CutAt(number)
        store.disk.hooks.append(cut)
        try:
            if what == "tags":
                store.objects.set_tags(name, "k", (("t", "1"),))
            elif what == "complete":
                complete(store, name, upload, [(1, part.etag)])
            else:
                put(store, name, "k", b"new", LONG)
        except PowerCut:
            pass
        store.close()
        if not cut.fired:
            assert number > 3
            return
        after = poor_store(root)
        for _ in range(2):
            with after._volume.bucket(name) as bucket:
                Spills(after.disk, 0).sweep(bucket, FUTURE, 1000, lambda: False)
        named = {
            spill_of(path)
            for path in (root / name).rglob("*")
            if path.is_file() and ATTRIBUTE in os.listxattr(path)
        } - {None}
        spilled = root / name / ".s3gate" / "spill"
        assert set(os.listdir(spilled) if spilled.is_dir() else []) == named
        after.close()
    raise AssertionError("there is no end of changes")
