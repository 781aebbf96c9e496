"""Buckets on disk: which directories are some, and how they end."""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs
import pytest

from s3daemon.store.interfaces import (
    Attributes,
    BadBucketName,
    BucketExists,
    BucketNotEmpty,
    Busy,
    NoSuchBucket,
)
from s3daemon.store.posix import locks
from s3daemon.store.posix.paths import is_listed_bucket
from s3daemon.store.posix.store import PosixStore
from tests.store.posix.disks import Before, descriptors, tree
from tests.store.tools import content, get, listed, put

#: Too long for the attributes of these stores.
LARGE = Attributes(metadata={"m": "v" * 1500})


def test_two_list_at_the_same_time(disk_store: PosixStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each by a descriptor of its own: positions are of open files, not of threads."""
    names = ["bucket", "other", "third"]
    disk_store.buckets.create("other", "alice")
    disk_store.buckets.create("third", "alice")
    seen: list[list[str]] = []

    def also_list(name: bytes) -> bool:
        monkeypatch.undo()
        seen.append([info.name for info in disk_store.buckets.list()])
        return is_listed_bucket(name)

    monkeypatch.setattr("s3daemon.store.posix.buckets.is_listed_bucket", also_list)
    assert [info.name for info in disk_store.buckets.list()] == names
    assert seen == [names]


def test_which_directories_are_listed(disk_store: PosixStore, root: Path) -> None:
    for name in ("plain", ".hidden", "lost+found", "_s3_multipart_tmp", "a:b", "ü"):
        (root / name).mkdir()
    os.mkdir(os.fsencode(root) + b"/\xff")
    (root / "file").touch()
    (root / "link").symlink_to("plain")
    found = {info.name: info.owner for info in disk_store.buckets.list()}
    assert found == {"bucket": "alice", "plain": None, "ü": None}
    assert disk_store.buckets.get(".hidden").owner is None


@pytest.mark.parametrize(
    "name",
    [
        "",
        ".",
        "..",
        "a/b",
        "/",
        "a\0",
        "x" * 256,
        "\udc80",
        "_s3_multipart_tmp",
        ".s3gate",
        ".s3gate%d+x",
        "lost+found",
        ":",
        "a:",
        ":a",
        "a:..",
        "a:.s3gate",
        "a:_s3_multipart_tmp",
    ],
)
def test_names_that_no_directory_can_have(disk_store: PosixStore, root: Path, name: str) -> None:
    (root / "a").mkdir()
    (root / "lost+found").mkdir()
    before = tree(root)
    with pytest.raises(BadBucketName):
        disk_store.buckets.create(name, "alice")
    for ask in (disk_store.buckets.get, disk_store.buckets.delete):
        with pytest.raises(NoSuchBucket):
            ask(name)
    with pytest.raises(NoSuchBucket):
        put(disk_store, name, "k")
    assert tree(root) == before


def test_files_are_no_buckets(disk_store: PosixStore, root: Path) -> None:
    for name, make in (("file", Path.touch), ("fifo", os.mkfifo)):
        make(root / name)
        with pytest.raises(NoSuchBucket):
            disk_store.buckets.get(name)
        with pytest.raises(BadBucketName):
            disk_store.buckets.create(name, "alice")
    (root / "dangling").symlink_to("nothing")
    with pytest.raises(BadBucketName):
        disk_store.buckets.create("dangling", "alice")


def test_a_bucket_that_nobody_made(disk_store: PosixStore, root: Path) -> None:
    (root / "theirs").mkdir()
    made_ns = (root / "theirs").stat().st_mtime_ns
    assert disk_store.buckets.get("theirs").created_ns == made_ns
    disk_store.buckets.set_tags("theirs", (("a", "1"),))
    put(disk_store, "theirs", "k")
    info = disk_store.buckets.get("theirs")
    assert (info.owner, info.created_ns, info.tags) == (None, made_ns, (("a", "1"),))
    with pytest.raises(BucketExists):
        disk_store.buckets.create("theirs", "alice")


@pytest.mark.parametrize("raw", [b"", b"{", b'{"v":2}', b'{"v":1,"bucket":{"acl":[["a"]]}}'])
def test_a_bucket_whose_record_is_damaged_is_nobodys(
    disk_store: PosixStore, root: Path, raw: bytes
) -> None:
    """And not everybody's, as one is that has no record."""
    (root / "theirs").mkdir()
    os.setxattr(root / "theirs", "user.s3gate", raw)
    assert disk_store.buckets.get("theirs").owner == ""
    assert [info.owner for info in disk_store.buckets.list()] == ["alice", ""]


def test_tags_of_a_bucket_and_of_the_folder_that_it_is(disk_store: PosixStore) -> None:
    disk_store.buckets.create("bucket:in", "bob")
    disk_store.buckets.set_tags("bucket:in", (("bucket", "1"),))
    put(disk_store, "bucket", "in/", b"", owner="carol")
    disk_store.objects.set_tags("bucket", "in/", (("folder", "1"),))
    info = disk_store.buckets.get("bucket:in")
    assert (info.owner, info.tags) == ("bob", (("bucket", "1"),))
    folder = disk_store.objects.stat("bucket", "in/")
    assert (folder.owner, folder.attributes.tags) == ("carol", (("folder", "1"),))
    disk_store.objects.delete("bucket", "in/")
    assert disk_store.buckets.get("bucket:in") == info


def test_a_bucket_below_an_escaped_directory(disk_store: PosixStore) -> None:
    put(disk_store, "bucket", "d", b"file")
    put(disk_store, "bucket", "d/e/k", b"1")
    assert content(disk_store, "bucket:d:e", "k") == b"1"
    put(disk_store, "bucket:d", "e/l", b"2")
    assert listed(disk_store, "bucket") == ["d", "d/e/k", "d/e/l"]


def test_objects_through_a_nested_bucket_have_long_records(
    disk_store: PosixStore, root: Path
) -> None:
    """Their spill files are where they are found through any name of the bucket."""
    volume = disk_store._volume
    volume.probe = attrs.evolve(disk_store.probe, xattr_bytes=600)
    volume.metadata.limit = 600  # type: ignore[attr-defined]
    disk_store.buckets.create("bucket:in", "bob")
    disk_store.buckets.set_tags("bucket:in", tuple((f"{n}", "v" * 200) for n in range(10)))
    put(disk_store, "bucket:in", "k", b"1", LARGE)
    assert get(disk_store, "bucket", "in/k")[0].attributes == LARGE
    assert len(os.listdir(root / "bucket" / ".s3gate" / "spill")) == 2
    put(disk_store, "bucket", "in/k", b"2")
    disk_store.objects.delete("bucket:in", "k")
    disk_store.buckets.delete("bucket:in")
    assert tree(root / "bucket") == set()


# ---------------------------------------------------------------- creating


def test_no_renaming_of_directories(disk_store: PosixStore, root: Path) -> None:
    """Where RENAME_NOREPLACE is missing, the directory is made in its place."""

    def cannot(name: str, call: Callable[..., Any], *args: Any) -> Any:
        if name == "rename_new":
            raise OSError(errno.EINVAL, "cannot")
        return call(*args)

    disk_store.disk.hooks.append(cannot)
    assert disk_store.buckets.create("other", "bob") == disk_store.buckets.get("other")
    with pytest.raises(BucketExists):
        disk_store.buckets.create("other", "carol")
    assert tree(root) == {"bucket", "other"}


@pytest.mark.parametrize("name", ["other", "bucket:in"])
def test_two_makers(disk_store: PosixStore, root: Path, name: str) -> None:
    other = PosixStore(root)
    hook = Before("rename_new", lambda: other.buckets.create(name, "first"))
    disk_store.disk.hooks.append(hook)
    with pytest.raises(BucketExists):
        disk_store.buckets.create(name, "second")
    assert other.buckets.get(name).owner == "first"
    assert not [path for path in tree(root) if "staging/" in path]
    other.close()


def test_the_parent_goes_meanwhile(disk_store: PosixStore, root: Path) -> None:
    other = PosixStore(root)
    disk_store.buckets.create("bucket:in", "bob")
    put(disk_store, "bucket:in", "x/y", b"1")
    hook = Before("rename_new", lambda: other.objects.delete("bucket", "in/x/y"))
    disk_store.disk.hooks.append(hook)
    with pytest.raises(NoSuchBucket):
        disk_store.buckets.create("bucket:in:x:new", "bob")
    assert hook.done
    assert tree(root / "bucket") == {"in"}
    other.close()


# ---------------------------------------------------------------- deleting


def make_dangling(path: Path) -> None:
    path.symlink_to("nothing")


def make_bytes(path: Path) -> None:
    os.close(os.open(os.fsencode(path) + b"\xff", os.O_CREAT))


@pytest.mark.parametrize("make", [Path.touch, os.mkfifo, make_dangling, make_bytes])
@pytest.mark.parametrize("where", ["x", "a/b/x", "a/.s3gate%d+/x", ".s3gate%nonsense"])
def test_what_is_not_ours_keeps_a_bucket(
    disk_store: PosixStore, root: Path, make: Callable[[Path], None], where: str
) -> None:
    path = root / "bucket" / where
    path.parent.mkdir(parents=True, exist_ok=True)
    (root / "bucket" / "empty").mkdir()
    make(path)
    before = tree(root)
    with pytest.raises(BucketNotEmpty):
        disk_store.buckets.delete("bucket")
    assert tree(root) == before


def test_empty_directories_go_with_a_bucket(disk_store: PosixStore, root: Path) -> None:
    (root / "bucket" / "a" / "b").mkdir(parents=True)
    (root / "bucket" / "a" / "_s3_multipart_tmp" / "x").mkdir(parents=True)
    (root / "bucket" / "a" / "_s3_multipart_tmp" / "x" / "part").touch()
    (root / "bucket" / ".s3gate%nonsense").mkdir()
    disk_store.buckets.delete("bucket")
    assert tree(root) == set()


def test_a_folder_keeps_a_bucket(disk_store: PosixStore) -> None:
    disk_store.buckets.create("bucket:in", "bob")
    put(disk_store, "bucket", "in/", b"")
    for name in ("bucket", "bucket:in"):
        with pytest.raises(BucketNotEmpty):
            disk_store.buckets.delete(name)
    disk_store.objects.delete("bucket", "in/")
    disk_store.buckets.delete("bucket")


def with_uploads(root: Path, place: str) -> None:
    """An upload, as far as a bucket's deletion is concerned."""
    upload = root / place / "_s3_multipart_tmp" / "upload"
    upload.mkdir(parents=True)
    (upload / "part").write_bytes(b"part")


@pytest.mark.parametrize("key", ["k", "in/k", "in/deep/k", "d/"])
def test_an_object_comes_while_its_bucket_is_deleted(
    disk_store: PosixStore, root: Path, key: str
) -> None:
    """At every step; whatever happens, one of the two loses, and nothing is lost."""
    other = PosixStore(root)
    outcomes = set()
    number = 0
    before = descriptors()
    while True:
        if number:
            other.buckets.create("bucket", "alice")
        other.buckets.create("bucket:in", "bob")
        other.buckets.set_tags("bucket:in", (("a", "1"),))
        (root / "bucket" / "in" / "deep").mkdir()
        with_uploads(root, "bucket")
        with_uploads(root, "bucket/in")
        there = {path for path in tree(root) if not path.startswith(".s3gate/staging")}
        inner = other.buckets.get("bucket:in")

        step = Step(number, lambda: put(other, "bucket", key, b"" if key[-1] == "/" else b"1"))
        disk_store.disk.hooks[:] = [step]
        deleted = True
        try:
            disk_store.buckets.delete("bucket")
        except BucketNotEmpty:
            deleted = False
        disk_store.disk.hooks.clear()
        if not step.fired:
            assert deleted
            break
        if step.error is None:
            assert not deleted
            assert content(other, "bucket", key) == (b"" if key[-1] == "/" else b"1")
            kept = {path for path in there if "_s3_multipart_tmp" in path or path == "bucket/in"}
            assert kept <= tree(root)
            assert other.buckets.get("bucket:in") == inner
            other.objects.delete("bucket", key)
            other.buckets.delete("bucket")
        else:
            assert isinstance(step.error, NoSuchBucket)
            assert deleted
        assert tree(root) == set()
        outcomes.add(deleted)
        number += 1
    assert outcomes == {True, False}
    assert descriptors() == before
    other.close()


class Step:
    """Does something before the n-th change, once."""

    def __init__(self, number: int, action: Callable[[], object]) -> None:
        self._left = number
        self._action = action
        self.fired = False
        self.error: Exception | None = None

    def __call__(self, name: str, call: Callable[..., Any], *args: Any) -> Any:
        self._left -= 1
        if self._left == -1:
            self.fired = True
            try:
                self._action()
            except NoSuchBucket as error:
                self.error = error
        return call(*args)


@pytest.mark.parametrize("times", [1, 3])
def test_uploads_that_are_begun_meanwhile(disk_store: PosixStore, root: Path, times: int) -> None:
    left = [1] * times

    def begin(name: str, call: Callable[..., Any], *args: Any) -> Any:
        if name == "rmdir" and args[0] == b"bucket" and left:
            left.pop()
            with_uploads(root, "bucket")
        return call(*args)

    disk_store.disk.hooks.append(begin)
    disk_store.buckets.delete("bucket")
    assert not left
    assert tree(root) == set()


def test_uploads_that_are_begun_again_and_again(disk_store: PosixStore, root: Path) -> None:
    count = [0]

    def begin(name: str, call: Callable[..., Any], *args: Any) -> Any:
        if name == "rmdir" and args[0] == b"bucket":
            count[0] += 1
            os.makedirs(root / "bucket" / "_s3_multipart_tmp" / f"u{count[0]}")
        return call(*args)

    disk_store.disk.hooks.append(begin)
    with pytest.raises(Busy):
        disk_store.buckets.delete("bucket")
    assert len(os.listdir(root / "bucket" / "_s3_multipart_tmp")) == count[0] > 1


def test_two_deleters(disk_store: PosixStore, root: Path) -> None:
    other = PosixStore(root)
    with_uploads(root, "bucket")
    hook = Before("rmdir", lambda: other.buckets.delete("bucket"))
    disk_store.disk.hooks.append(hook)
    with pytest.raises(NoSuchBucket):
        disk_store.buckets.delete("bucket")
    assert hook.done
    assert tree(root) == set()
    other.close()


def test_a_locked_bucket_is_busy(
    disk_store: PosixStore, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(locks, "_PAUSE", 0)
    disk_store.buckets.create("bucket:in", "alice")
    fd = os.open(root / "bucket" / "in", os.O_RDONLY)
    fcntl.flock(fd, fcntl.LOCK_EX)
    with pytest.raises(Busy):
        disk_store.buckets.delete("bucket:in")
    os.close(fd)
    disk_store.buckets.delete("bucket:in")


@pytest.mark.parametrize(("stale", "gone"), [({"bucket"}, True), ({"bucket", "root"}, False)])
def test_a_stale_bucket_is_gone_unless_the_root_is_stale_too(
    disk_store: PosixStore, monkeypatch: pytest.MonkeyPatch, stale: set[str], gone: bool
) -> None:
    volume = disk_store._volume
    with volume.bucket("bucket") as bucket:
        fds = {"bucket": bucket.fd, "root": volume.fd}
        refused = {fds[name] for name in stale}
        fstat = os.fstat

        def refuse(fd: int) -> os.stat_result:
            if fd in refused:
                raise OSError(errno.ESTALE, os.strerror(errno.ESTALE))
            return fstat(fd)

        monkeypatch.setattr(os, "fstat", refuse)
        failed = OSError(errno.ESTALE, os.strerror(errno.ESTALE))
        why = volume.why(bucket, failed)
        monkeypatch.undo()
    assert isinstance(why, NoSuchBucket) is gone
    assert gone or why is failed
