"""What is left to do when names have been removed: each directory is synced once, and pruned."""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from s3daemon.store.interfaces import ALWAYS, Condition, Unavailable
from s3daemon.store.posix.store import PosixStore
from tests.store.posix.disks import PowerCut, descriptors
from tests.store.posix.test_lasting import Synced
from tests.store.tools import listed, put


def delete_all(store: PosixStore, *keys: str) -> list[type | None]:
    """Remove keys together; the kinds of the errors."""
    results = store.objects.delete_many("bucket", [(key, ALWAYS) for key in keys])
    return [None if result is None else type(result) for result in results]


class Breaks:
    """Fails the sync of the directory of a name."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __call__(self, name: str, call: Callable[..., Any], *args: Any) -> Any:
        if name == "fsync" and os.readlink(f"/proc/self/fd/{args[0]}").endswith(self._name):
            raise OSError(errno.EIO, "broken")
        return call(*args)


def test_each_directory_is_synced_once(root: Path, disk_store: PosixStore) -> None:
    keys = [f"{name}/{number}" for name in ("a", "b") for number in range(20)] + ["k", "l"]
    for key in keys:
        put(disk_store, "bucket", key)
    put(disk_store, "bucket", "b/stays")
    disk_store.disk.hooks.append(synced := Synced(root))
    before = descriptors()
    assert delete_all(disk_store, *keys) == [None] * 42
    assert descriptors() == before
    assert sorted(synced.taken()) == ["bucket", "bucket/a", "bucket/b"]
    assert listed(disk_store, "bucket") == ["b/stays"]
    assert not (root / "bucket" / "a").exists()


def test_where_nothing_is_synced_it_is_pruned_all_the_same(
    root: Path, disk_store: PosixStore
) -> None:
    for key in ("a/b/1", "a/2", "k"):
        put(disk_store, "bucket", key)
    disk_store.buckets.set_durability("bucket", "relaxed")
    disk_store.disk.hooks.append(synced := Synced(root))
    assert delete_all(disk_store, "a/b/1", "a/2", "k", "none") == [None] * 4
    assert synced.taken() == []
    assert os.listdir(root / "bucket") == []


def test_folders_with_what_is_in_them(root: Path, disk_store: PosixStore) -> None:
    for key in ("d/", "d/e/", "d/e/x", "d/y", "f/"):
        put(disk_store, "bucket", key)
    assert delete_all(disk_store, "f/", "d/y", "d/e/x", "d/e/", "d/") == [None] * 5
    assert sorted(os.listdir(root / "bucket")) == []


def test_a_sync_that_fails_fails_its_directory(root: Path, disk_store: PosixStore) -> None:
    for key in ("a/1", "a/2", "b/1", "k"):
        put(disk_store, "bucket", key)
    disk_store.disk.hooks.append(Breaks("/bucket/a"))
    assert delete_all(disk_store, "a/1", "b/1", "a/2", "k") == [
        Unavailable,
        None,
        Unavailable,
        None,
    ]
    assert disk_store.disk.failed_syncs == 1
    # What nobody knows to be durable is not pruned either.
    assert sorted(os.listdir(root / "bucket")) == ["a"]
    put(disk_store, "bucket", "c/1")
    disk_store.disk.hooks[:] = [Breaks("/bucket/c")]
    with pytest.raises(Unavailable):
        disk_store.objects.delete("bucket", "c/1")


def test_many_directories(root: Path, disk_store: PosixStore) -> None:
    """Not all of them are kept open."""
    keys = [f"{number}/k" for number in range(150)]
    for key in keys:
        put(disk_store, "bucket", key)
    most = before = descriptors()

    def count(name: str, call: Callable[..., Any], *args: Any) -> Any:
        nonlocal most
        most = max(most, descriptors())
        return call(*args)

    disk_store.disk.hooks[:] = [synced := Synced(root), count]
    assert delete_all(disk_store, *keys) == [None] * 150
    assert len(synced.taken()) == 150
    assert most < before + 80
    assert descriptors() == before
    assert os.listdir(root / "bucket") == []


def test_an_error_of_one_key_is_no_other_ones(disk_store: PosixStore) -> None:
    put(disk_store, "bucket", "a")
    put(disk_store, "bucket", "b")

    def refuse(name: str, call: Callable[..., Any], *args: Any) -> Any:
        if name == "unlink" and args[0] == b"a":
            raise OSError(errno.EIO, "broken")
        return call(*args)

    disk_store.disk.hooks.append(refuse)
    assert delete_all(disk_store, "a", "b") == [Unavailable, None]
    assert listed(disk_store, "bucket") == ["a"]


def test_what_is_hidden_is_gone_for_good_before_what_hides_it(
    root: Path, disk_store: PosixStore
) -> None:
    """Else a power cut might bring an old object to light."""
    put(disk_store, "bucket", "a", b"1")
    put(disk_store, "bucket", "a/k", b"old")
    os.unlink(root / "bucket" / "a")
    (root / "bucket" / "a").mkdir()
    (root / "bucket" / "a" / "k").write_bytes(b"new")
    names: list[str] = []

    def note(name: str, call: Callable[..., Any], *args: Any) -> Any:
        names.append(name)
        return call(*args)

    disk_store.disk.hooks.append(note)
    assert delete_all(disk_store, "a/k") == [None]
    assert [name for name in names if name != "rmdir"] == ["unlink", "fsync", "unlink", "fsync"]
    assert listed(disk_store, "bucket") == []


def test_hidden_and_not_durably_removed(root: Path, disk_store: PosixStore) -> None:
    put(disk_store, "bucket", "a", b"1")
    put(disk_store, "bucket", "a/k", b"old")
    os.unlink(root / "bucket" / "a")
    (root / "bucket" / "a").mkdir()
    (root / "bucket" / "a" / "k").write_bytes(b"new")
    disk_store.disk.hooks.append(Breaks(".s3gate%d+a"))
    assert delete_all(disk_store, "a/k") == [Unavailable]
    # What hides it is there.
    assert (root / "bucket" / "a" / "k").read_bytes() == b"new"


def test_what_another_has_removed_a_moment_ago(
    root: Path, disk_store: PosixStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may not have come to syncing that, and has not answered; but we are going to."""
    for key in ("a/b/k", "a/b/l", "k"):
        put(disk_store, "bucket", key)
    other = PosixStore(root)
    other.disk.hooks.append(_dies)
    for key in ("a/b/k", "k"):
        with pytest.raises(PowerCut):
            other.objects.delete("bucket", key)
    other.close()
    disk_store.disk.hooks.append(synced := Synced(root))
    assert not disk_store.objects.delete("bucket", "a/b/k")
    assert synced.taken() == ["bucket/a/b"]
    assert not disk_store.objects.delete("bucket", "k", condition=Condition(size=0))
    assert synced.taken() == ["bucket"]
    # The way there is gone as well.
    assert not disk_store.objects.delete("bucket", "a/x/y/k")
    assert synced.taken() == ["bucket/a"]
    assert not disk_store.objects.delete("bucket", "a/b/")
    assert synced.taken() == ["bucket/a/b"]
    assert (root / "bucket" / "a" / "b" / "l").exists()
    # Nobody takes that long.
    now = time.time_ns()
    monkeypatch.setattr(time, "time_ns", lambda: now + 61 * 10**9)
    assert not disk_store.objects.delete("bucket", "a/b/k")
    assert synced.taken() == []


def _dies(name: str, call: Callable[..., Any], *args: Any) -> Any:
    if name == "fsync":
        raise PowerCut
    return call(*args)


def test_nothing_is_left_open_when_it_ends_early(disk_store: PosixStore) -> None:
    put(disk_store, "bucket", "a", b"1")
    put(disk_store, "bucket", "b", b"1")
    before = descriptors()

    def cut(name: str, call: Callable[..., Any], *args: Any) -> Any:
        if name == "unlink" and args[0] == b"b":
            raise PowerCut
        return call(*args)

    disk_store.disk.hooks.append(cut)
    with pytest.raises(PowerCut):
        delete_all(disk_store, "a", "b")
    assert descriptors() == before
