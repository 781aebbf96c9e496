"""A key that is there all the while is never missing, whatever form it takes meanwhile.

A file gives up its natural name to no directory, but takes it when a directory has it no more: the
natural name is linked first, and the escaped one is removed then.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs
import pytest

from s3daemon.store.interfaces import Busy, Condition, ConditionFailed, ObjectExists
from s3daemon.store.posix import drafts, paths, resolving
from s3daemon.store.posix.probe import probe
from s3daemon.store.posix.store import PosixStore
from tests.store.posix.disks import After, Before, PowerCut, descriptors, tree
from tests.store.tools import content, listed, md5, put


class Looks:
    """Does something after the n-th look at a name."""

    def __init__(self, name: bytes, number: int, action: Callable[[], object]) -> None:
        self._name = name
        self._left = number
        self._action = action
        self._call = paths.open_beneath

    @property
    def done(self) -> bool:
        return self._left <= 0

    def open_beneath(self, dir_fd: int, path: bytes, flags: int) -> int:
        try:
            return self._call(dir_fd, path, flags)
        finally:
            if path.endswith(self._name):
                self._left -= 1
                if not self._left:
                    self._action()

    def install(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(paths, "open_beneath", self.open_beneath)
        monkeypatch.setattr(resolving, "open_beneath", self.open_beneath)


def move_to_natural(root: Path, key: str) -> Callable[[], None]:
    """What another gateway does when ``key/x`` is deleted and ``key`` is put."""

    def move() -> None:
        other = PosixStore(root)
        other.objects.delete("bucket", f"{key}/x")
        put(other, "bucket", key, b"new")
        other.close()

    return move


@pytest.mark.parametrize("looks", [1, 2])
@pytest.mark.parametrize("key", ["k", ".k", "d/k"])
def test_a_reader_finds_the_one_or_the_other(
    disk_store: PosixStore, root: Path, monkeypatch: pytest.MonkeyPatch, key: str, looks: int
) -> None:
    put(disk_store, "bucket", "d", b"in the way")
    put(disk_store, "bucket", f"{key}/x", b"1")
    put(disk_store, "bucket", key, b"old")
    looked = Looks(b"k", looks, move_to_natural(root, key))
    looked.install(monkeypatch)
    assert content(disk_store, "bucket", key) in (b"old", b"new")
    assert looked.done


@pytest.mark.parametrize("what", ["put", "delete"])
def test_who_judges_judges_the_one_or_the_other(
    disk_store: PosixStore, root: Path, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    """The natural name is given without the lock of the key, which is held here."""
    put(disk_store, "bucket", "k/x", b"1")
    put(disk_store, "bucket", "k", b"old")
    looked = Looks(b"k", 1, move_to_natural(root, "k"))
    looked.install(monkeypatch)
    condition = Condition(etag=md5(b"other"))
    with pytest.raises(ConditionFailed):
        if what == "put":
            put(disk_store, "bucket", "k", b"swapped", condition=condition)
        else:
            disk_store.objects.delete("bucket", "k", condition=condition)
    assert looked.done


def test_what_was_created_and_seen_has_been_created(disk_store: PosixStore, root: Path) -> None:
    """Under its escaped name, while the natural one comes to be free and is taken."""
    put(disk_store, "bucket", "k/x", b"1")
    seen: list[bytes] = []

    def meanwhile() -> None:
        seen.append(content(disk_store, "bucket", "k"))
        move_to_natural(root, "k")()

    disk_store.disk.hooks.append(After("link_fd", meanwhile))
    put(disk_store, "bucket", "k", b"created", create_only=True)
    assert seen == [b"created"]
    assert content(disk_store, "bucket", "k") == b"new"
    assert tree(root / "bucket") == {"k"}
    assert listed(disk_store, "bucket") == ["k"]


@pytest.mark.parametrize("lesser", [{}, {"tmpfile": False}, {"tmpfile": False, "noreplace": False}])
def test_a_name_that_a_directory_had_just_now_is_free(
    root: Path, monkeypatch: pytest.MonkeyPatch, lesser: dict[str, bool]
) -> None:
    """Nobody is told that the key is taken because of a directory that is gone."""
    store = PosixStore(root, "relaxed", attrs.evolve(probe(root), **lesser))
    store.buckets.create("bucket", "alice")
    put(store, "bucket", "k/x", b"1")
    is_directory = drafts.is_directory
    looks: list[bytes] = []

    def late(name: bytes, dir_fd: int) -> bool:
        looks.append(name)
        if looks == [b"k"]:
            store.objects.delete("bucket", "k/x")
        return is_directory(name, dir_fd)

    monkeypatch.setattr(drafts, "is_directory", late)
    put(store, "bucket", "k", b"created", create_only=True)
    assert looks == [b"k"]
    assert tree(root / "bucket") == {"k"}
    with pytest.raises(ObjectExists):
        put(store, "bucket", "k", b"again", create_only=True)
    store.close()


def test_a_name_that_comes_and_goes(
    disk_store: PosixStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(disk_store, "bucket", "k/x", b"1")
    monkeypatch.setattr(drafts, "is_directory", lambda *_: False)
    monkeypatch.setattr(drafts, "is_file", lambda *_: False)
    with pytest.raises(Busy):
        put(disk_store, "bucket", "k", b"created", create_only=True)


def test_a_folder_that_got_content_while_its_record_was_looked_at(
    disk_store: PosixStore, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who deletes it clears the record first: until the content is gone too, it is there."""
    put(disk_store, "bucket", "d/", b"")
    put(disk_store, "bucket", "d/x", b"")
    find_folder = resolving.find_folder

    def cut() -> None:
        raise PowerCut

    def late(*args: Any) -> Any:
        other = PosixStore(root)
        put(other, "bucket", "d/", b"content")
        other.disk.hooks.append(Before("unlink", cut))
        with pytest.raises(PowerCut):
            other.objects.delete("bucket", "d/")
        other.close()
        return find_folder(*args)

    monkeypatch.setattr(resolving, "find_folder", late)
    before = descriptors()
    assert content(disk_store, "bucket", "d/") == b"content"
    assert descriptors() == before
