"""Other programs write in place, cut, replace and remove what is being read: nobody gets a mix."""

from __future__ import annotations

import os
import random
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from s3daemon.store.interfaces import Attributes, Busy, NoSuchKey, Replaced
from s3daemon.store.posix.store import PosixStore
from tests.store.posix.disks import Before
from tests.store.tools import content, copy, get, md5, put

OLD, NEW = b"old " * 1000, b"new " * 1000


def _write_in_place(path: Path) -> None:
    with open(path, "r+b") as file:
        file.write(NEW)
    os.utime(path, ns=(1, 1))


def _write_anew(path: Path) -> None:
    """As a shell does: cut to nothing and written, to a length that it never had."""
    with open(path, "wb") as file:
        file.write(b"x" * random.randrange(70_000, 90_000))


def _cut(path: Path) -> None:
    os.truncate(path, 10)


def _append(path: Path) -> None:
    with open(path, "ab") as file:
        file.write(b"more")


def _replace(path: Path) -> None:
    other = path.with_name("other")
    other.write_bytes(NEW)
    other.rename(path)


def _remove(path: Path) -> None:
    path.unlink()


@pytest.mark.parametrize("change", [_write_in_place, _cut, _append])
def test_what_is_written_into_while_it_is_open_is_another_version(
    change: Callable[[Path], None], disk_store: PosixStore, root: Path
) -> None:
    put(disk_store, "bucket", "k", OLD)
    reader = disk_store.objects.open("bucket", "k")
    change(root / "bucket" / "k")
    with pytest.raises(Replaced):
        reader.read(0, len(OLD))
    reader.close()
    info, data = get(disk_store, "bucket", "k")
    assert (info.size, "-" in info.etag) == (len(data), True)


@pytest.mark.parametrize("change", [_replace, _remove])
def test_what_is_replaced_or_removed_stays_the_version_it_was(
    change: Callable[[Path], None], disk_store: PosixStore, root: Path
) -> None:
    put(disk_store, "bucket", "k", OLD)
    reader = disk_store.objects.open("bucket", "k")
    change(root / "bucket" / "k")
    assert reader.read(0, len(OLD) + 10) == OLD
    reader.close()


@pytest.mark.parametrize("change", [_write_in_place, _cut])
def test_no_mix_is_copied(
    change: Callable[[Path], None], disk_store: PosixStore, root: Path
) -> None:
    """A copy would make for good what was there for a moment."""
    put(disk_store, "bucket", "k", OLD)
    disk_store.disk.hooks.append(Before("copy_range", lambda: change(root / "bucket" / "k")))
    with pytest.raises(Busy):
        copy(disk_store, ("bucket", "k"), ("bucket", "copy"))
    with pytest.raises(NoSuchKey):
        disk_store.objects.stat("bucket", "copy")
    copy(disk_store, ("bucket", "k"), ("bucket", "copy"))
    assert content(disk_store, "bucket", "copy") == (root / "bucket" / "k").read_bytes()


def test_a_file_that_only_others_write_may_grow_while_it_is_read(
    disk_store: PosixStore, root: Path
) -> None:
    """As a log does, all the time: what was there is given, under a token that says nothing."""
    path = root / "bucket" / "log"
    path.write_bytes(OLD)
    reader = disk_store.objects.open("bucket", "log")
    _append(path)
    assert reader.read(0, len(OLD) + 10) == OLD
    disk_store.disk.hooks.append(Before("copy_range", lambda: _append(path)))
    info = disk_store.objects.copy(reader, "bucket", "copy", Attributes(), None)
    reader.close()
    assert (content(disk_store, "bucket", "copy"), info.etag) == (OLD, md5(OLD))


@pytest.mark.parametrize("seed", range(2))
def test_readers_beside_all_of_them(seed: int, disk_store: PosixStore, root: Path) -> None:
    """Whatever comes, an MD5 as ETag is that of the bytes, and the metadata is of their version.

    A file that another program made or wrote into has a token for an ETag, which says nothing.
    """
    chance = random.Random(seed)
    path = root / "bucket" / "k"
    over = threading.Event()
    seen: list[str] = []
    errors: list[BaseException] = []

    def write() -> None:
        for number in range(400):
            what = chance.choice([_write_anew, _cut, _append, _replace, _remove, None, None])
            try:
                if what is None:
                    data = b"%d " % number * chance.choice([1, 500, 20_000])
                    put(disk_store, "bucket", "k", data, Attributes(metadata={"md5": md5(data)}))
                else:
                    what(path)
            except FileNotFoundError:
                pass
        over.set()

    def read() -> None:
        try:
            while not over.is_set():
                try:
                    info, data = get(disk_store, "bucket", "k")
                except (NoSuchKey, Replaced, Busy):
                    continue
                assert len(data) == info.size
                seen.append(info.etag)
                if "-" not in info.etag:
                    assert info.etag == md5(data) == info.attributes.metadata["md5"]
        except BaseException as exc:
            errors.append(exc)

    threads = [threading.Thread(target=work) for work in (write, read, read)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert any("-" in etag for etag in seen)
