"""The way to what was put: on the device before the answer, whoever has made it."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from s3daemon.store.interfaces import Unavailable
from s3daemon.store.posix import syscalls
from s3daemon.store.posix.store import PosixStore
from tests.store.posix.disks import Dies, PowerCut
from tests.store.tools import put


class Synced:
    """Remembers which directories were synced, by their paths beneath the root."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self.paths: list[str] = []

    def __call__(self, name: str, call: Callable[..., Any], *args: Any) -> Any:
        if name == "fsync" and stat.S_ISDIR(os.fstat(args[0]).st_mode):
            path = os.path.relpath(os.readlink(f"/proc/self/fd/{args[0]}"), self._root)
            if ".s3gate" not in path:
                self.paths.append(path)
        return call(*args)

    def taken(self) -> list[str]:
        """Those since the last time."""
        paths, self.paths = self.paths, []
        return paths


@pytest.fixture
def store(root: Path, disk_store: PosixStore) -> PosixStore:
    """Another process: it has seen nothing of the root so far."""
    return PosixStore(root, known=disk_store.probe)


def test_each_directory_is_synced_when_it_is_first_seen(root: Path, store: PosixStore) -> None:
    store.disk.hooks.append(synced := Synced(root))
    put(store, "bucket", "k")
    assert synced.taken() == ["bucket", "."]
    put(store, "bucket", "a/b/k")
    assert synced.taken() == ["bucket/a/b", "bucket/a", "bucket"]
    put(store, "bucket", "a/b/l")
    assert synced.taken() == ["bucket/a/b"]
    put(store, "bucket", "a/c/k")
    assert synced.taken() == ["bucket/a/c", "bucket/a"]
    put(store, "bucket", "l")
    assert synced.taken() == ["bucket"]
    store.close()


def test_a_directory_whose_maker_has_died(
    root: Path, disk_store: PosixStore, store: PosixStore
) -> None:
    """It was killed before it came to syncing the way; nobody has answered for that so far."""
    put(disk_store, "bucket", "first")
    put(store, "bucket", "first")
    disk_store.disk.hooks.append(Dies("link_fd", after=1))
    with pytest.raises(PowerCut):
        put(disk_store, "bucket", "a/b/k", b"1")
        put(disk_store, "bucket", "a/b/k", b"1")
    store.disk.hooks.append(synced := Synced(root))
    put(store, "bucket", "a/b/other", b"1")
    assert synced.taken() == ["bucket/a/b", "bucket/a", "bucket"]
    store.close()


def test_a_directory_that_is_not_the_one_that_was_known(
    root: Path, disk_store: PosixStore, store: PosixStore
) -> None:
    """The inode is likely to be the same; the time of making is not."""
    put(store, "bucket", "a/k")
    for _ in range(5):
        disk_store.objects.delete("bucket", "a/k")
        put(disk_store, "bucket", "a/k")
        store.disk.hooks.append(synced := Synced(root))
        put(store, "bucket", "a/other")
        assert synced.taken() == ["bucket/a", "bucket"]
        store.objects.delete("bucket", "a/other")
        store.disk.hooks.clear()
    store.close()


def test_a_directory_that_was_removed_is_forgotten(
    root: Path, store: PosixStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where no time of making is kept."""

    def identity(fd: int) -> tuple[int, int, int]:
        status = os.fstat(fd)
        return status.st_dev, status.st_ino, 0

    monkeypatch.setattr(syscalls, "identity", identity)
    put(store, "bucket", "a/k")
    known = set(store._volume.lasting._known)
    store.objects.delete("bucket", "a/k")
    assert len(known - store._volume.lasting._known) == 1
    assert store._volume.lasting._known
    monkeypatch.undo()
    store._volume.lasting.forget(-1)  # nobody knows which one that was
    assert not store._volume.lasting._known
    store.close()


def test_what_failed_is_not_known(root: Path, store: PosixStore) -> None:
    put(store, "bucket", "first")
    count = 0

    def second(name: str, call: Callable[..., Any], *args: Any) -> Any:
        nonlocal count
        if name == "fsync" and stat.S_ISDIR(os.fstat(args[0]).st_mode):
            count += 1
            if count == 2:
                raise OSError(errno.EIO, "broken")
        return call(*args)

    store.disk.hooks.append(second)
    with pytest.raises(Unavailable):
        put(store, "bucket", "a/k")
    store.disk.hooks[:] = [synced := Synced(root)]
    put(store, "bucket", "a/l")
    assert synced.taken() == ["bucket/a", "bucket"]
    store.close()


def test_a_bucket_within(root: Path, disk_store: PosixStore, store: PosixStore) -> None:
    disk_store.buckets.create("bucket:in", "alice")
    store.disk.hooks.append(synced := Synced(root))
    put(store, "bucket:in", "a/k")
    assert synced.taken() == ["bucket/in/a", "bucket/in", "bucket", "."]
    put(store, "bucket", "k")
    assert synced.taken() == ["bucket"]
    store.close()


def test_only_so_many_are_remembered(
    root: Path, store: PosixStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("s3daemon.store.posix.lasting._MOST", 3)
    for number in range(6):
        put(store, "bucket", f"{number}/k")
        assert len(store._volume.lasting._known) <= 5
    store.close()


def test_identities(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fd = os.open(tmp_path, os.O_RDONLY)
    status = os.fstat(fd)
    device, inode, born_ns = syscalls.identity(fd)
    assert (device, inode) == (status.st_dev, status.st_ino)
    assert 0 <= born_ns <= status.st_ctime_ns
    with pytest.raises(OSError, match="Bad file descriptor"):
        syscalls.identity(-1)

    class Old:
        """A C library that does not know it."""

    monkeypatch.setattr(syscalls, "_libc", Old())
    assert syscalls.identity(fd) == (status.st_dev, status.st_ino, 0)
    os.close(fd)
