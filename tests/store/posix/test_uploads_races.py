"""Multipart uploads on disk: races, crashes in between, and refusals one after the other."""

from __future__ import annotations

import errno
import fcntl
import itertools
import os
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import attrs
import pytest

from s3daemon.store.interfaces import (
    Attributes,
    Busy,
    InvalidPart,
    NoSuchBucket,
    NoSuchUpload,
    ObjectExists,
    OutOfSpace,
    ReadOnly,
    StorageError,
    Unavailable,
)
from s3daemon.store.posix import completing, locks, part_writer
from s3daemon.store.posix.probe import probe
from s3daemon.store.posix.store import PosixStore
from s3daemon.store.posix.upload_state import UploadDir
from s3daemon.store.posix.volume import Bucket
from tests.store.posix.disks import (
    After,
    Before,
    Dies,
    FailAt,
    Fails,
    PowerCut,
    descriptors,
    upload_dir,
)
from tests.store.tools import begin, complete, content, md5, pairs, put, put_part, uploads_page

FUTURE = 1 << 62


# ---------------------------------------------------------------- parts


def test_a_part_during_complete_may_try_again(disk_store: PosixStore, root: Path) -> None:
    """Complete may still fail, so the upload is not gone."""
    store = disk_store
    upload = begin(store, "bucket", "k")
    first = put_part(store, "bucket", upload, 1, b"1")
    (upload_dir(root, upload) / "sealed").touch()
    fd = os.open(upload_dir(root, upload), os.O_RDONLY)
    fcntl.flock(fd, fcntl.LOCK_EX)
    with pytest.raises(Busy):
        put_part(store, "bucket", upload, 2, b"2")
    os.close(fd)
    second = put_part(store, "bucket", upload, 2, b"2")
    complete(store, "bucket", upload, pairs([first, second]))
    assert content(store, "bucket", "k") == b"12"


@pytest.mark.parametrize("data", [b"1", b"other"])
def test_a_part_that_is_stored_again_while_it_is_completed(
    disk_store: PosixStore, root: Path, data: bytes
) -> None:
    """A client that tries again what has arrived: the part was there all the while."""
    store, other = disk_store, PosixStore(root)
    upload = begin(store, "bucket", "k")
    parts = [put_part(store, "bucket", upload, number, b"1") for number in (1, 1, 3)]
    again = other.uploads.write_part("bucket", "k", upload.upload_id, 1, None)
    again.write([data])
    hook = After("create", lambda: again.commit(md5(data)), prefix=b"whole")
    store.disk.hooks.append(hook)
    if data == b"1":
        complete(store, "bucket", upload, pairs(parts[1:]))
        assert content(store, "bucket", "k") == b"11"
    else:
        with pytest.raises(InvalidPart):
            complete(store, "bucket", upload, pairs(parts[1:]))
    other.close()


def test_parts_that_are_stored_again_and_again(
    disk_store: PosixStore, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    upload = begin(disk_store, "bucket", "k")
    part = put_part(disk_store, "bucket", upload, 1, b"1")
    times = itertools.count()

    def publish(*_: object) -> None:
        name = f"part.00001.{time.time_ns() + next(times)}.1.{part.etag}.s1"
        (upload_dir(root, upload) / name).touch()
        raise InvalidPart("gone by now")

    monkeypatch.setattr(completing, "_publish", publish)
    with pytest.raises(Busy):
        complete(disk_store, "bucket", upload, pairs([part]))


def test_two_writers_at_a_leftover_seal(disk_store: PosixStore, root: Path) -> None:
    """Neither is told that the upload is gone because the other is removing the seal."""
    upload = begin(disk_store, "bucket", "k")
    (upload_dir(root, upload) / "sealed").touch()
    other = PosixStore(root)

    def meanwhile() -> None:
        with pytest.raises(Busy):
            put_part(other, "bucket", upload, 2, b"2")

    disk_store.disk.hooks.append(between := Before("unlink", meanwhile))
    put_part(disk_store, "bucket", upload, 1, b"1")
    assert between.done
    put_part(other, "bucket", upload, 2, b"2")
    other.close()


def test_a_short_part_of_an_upload_that_is_being_removed(
    disk_store: PosixStore, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    upload = begin(disk_store, "bucket", "k")
    put_part(disk_store, "bucket", upload, 1, b"12345")
    is_current = UploadDir.is_current

    def then_removed(self: UploadDir) -> bool:
        current = is_current(self)
        for path in upload_dir(root, upload).glob("claim.*"):
            path.unlink()
        return current

    monkeypatch.setattr(UploadDir, "is_current", then_removed)
    writer = disk_store.uploads.write_part("bucket", "k", upload.upload_id, 2, 2)
    writer.write([b"12"])
    writer.abort()


@pytest.mark.parametrize("change", ["create", "copy_range", "unlink"])
def test_a_part_longer_than_announced_that_cannot_move(
    disk_store: PosixStore, root: Path, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    upload = begin(disk_store, "bucket", "k")
    before = descriptors()
    writer = disk_store.uploads.write_part("bucket", "k", upload.upload_id, 1, 2)
    writer.write([b"12"])
    twice: list[int] = []
    close = os.close

    def watched(fd: int) -> None:
        try:
            close(fd)
        except OSError:
            twice.append(fd)
            raise

    monkeypatch.setattr(part_writer.os, "close", watched)

    fail = Fails(change, errno.ENOSPC)
    disk_store.disk.hooks.append(fail)
    with pytest.raises(OutOfSpace):
        writer.write([b"3"])
    disk_store.disk.hooks.clear()
    monkeypatch.undo()
    writer.abort()
    assert fail.fired
    assert not twice, "the number may be somebody else's by now"
    assert descriptors() == before
    names = {path.name.partition(".")[0] for path in upload_dir(root, upload).iterdir()}
    assert names <= {"upload", "data"}


def test_a_record_that_is_there_although_the_call_failed(
    disk_store: PosixStore, root: Path
) -> None:
    """As over a network: what it speaks of must not be given to another."""
    upload = begin(disk_store, "bucket", "k")
    writer = disk_store.uploads.write_part("bucket", "k", upload.upload_id, 1, 4)
    writer.write([b"1111"])

    def lost_answer(name: str, call: Callable[..., Any], *args: Any) -> Any:
        result = call(*args)
        if name == "create" and args[0].startswith(b"part."):
            os.close(result)
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return result

    disk_store.disk.hooks.append(lost_answer)
    with pytest.raises(Exception, match="EIO"):
        writer.commit(md5(b"1111"))
    disk_store.disk.hooks.clear()
    late = disk_store.uploads.write_part("bucket", "k", upload.upload_id, 1, 4)
    late.write([b"2222"])
    parts = disk_store.uploads.list_parts("bucket", "k", upload.upload_id, 0, 10).parts
    complete(disk_store, "bucket", upload, pairs(parts))
    with pytest.raises(NoSuchUpload):
        late.write([b""])
        late.commit(md5(b"2222"))
    late.abort()
    assert content(disk_store, "bucket", "k") == b"1111"


# ---------------------------------------------------------------- a crash after publishing


def test_after_a_crash_the_upload_is_seen_no_more(disk_store: PosixStore, root: Path) -> None:
    upload = begin(disk_store, "bucket", "k")
    parts = [put_part(disk_store, "bucket", upload, n, b"%d" % n) for n in (1, 2)]
    disk_store.disk.hooks.append(Dies("rename", after=1))
    with pytest.raises(PowerCut):
        complete(disk_store, "bucket", upload, pairs(parts))
    disk_store.disk.hooks.clear()
    assert content(disk_store, "bucket", "k") == b"12"
    store = PosixStore(root)
    assert uploads_page(store, "bucket").uploads == ()
    for call in (
        lambda: store.uploads.get("bucket", "k", upload.upload_id),
        lambda: store.uploads.list_parts("bucket", "k", upload.upload_id, 0, 9),
        lambda: put_part(store, "bucket", upload, 1, b"3"),
        lambda: store.uploads.abort("bucket", "k", upload.upload_id),
    ):
        with pytest.raises(NoSuchUpload):
            call()
    assert content(store, "bucket", "k") == b"12"
    assert not upload_dir(root, upload).exists()
    store.close()


@pytest.mark.parametrize("sizes", [(4, 4), (4, 3, 2)], ids=["in place", "copied"])
def test_a_crash_between_the_two_names_of_a_published_file(
    root: Path, sizes: tuple[int, ...]
) -> None:
    """Where nothing is renamed to a free name only, the object has two names for a moment."""
    known = attrs.evolve(probe(root), noreplace=False)
    store = PosixStore(root, known=known)
    store.buckets.create("bucket", "alice")
    upload = begin(store, "bucket", "k")
    parts = [put_part(store, "bucket", upload, n, b"x" * size) for n, size in enumerate(sizes, 1)]
    store.disk.hooks.append(Dies("link", after=1))
    with pytest.raises(PowerCut):
        complete(store, "bucket", upload, pairs(parts), create_only=True)
    store.close()
    store = PosixStore(root, known=known)
    whole = content(store, "bucket", "k")
    assert whole == b"x" * sum(sizes)
    for number in (1, 3, 4):
        with pytest.raises(NoSuchUpload):
            put_part(store, "bucket", upload, number, b"y" * 4)
    assert content(store, "bucket", "k") == whole
    assert complete(store, "bucket", upload, pairs(parts)).size == len(whole)
    assert not upload_dir(root, upload).exists()
    store.close()


@pytest.mark.parametrize("create_only", [False, True])
@pytest.mark.parametrize("change", ["set_modified", "set_xattr", "rename"])
def test_a_disk_that_takes_nothing_any_more(
    disk_store: PosixStore, root: Path, change: str, create_only: bool
) -> None:
    """Complete fails, and so does everything that would undo it: the parts are still there."""
    upload = begin(disk_store, "bucket", "k")
    parts = [put_part(disk_store, "bucket", upload, n, b"x" * n) for n in (1, 2, 3)]
    if change == "rename" and create_only:
        change = "rename_new"
    fail = Fails(change, errno.EROFS, all_after=True)
    disk_store.disk.hooks.append(fail)
    with pytest.raises(ReadOnly):
        complete(disk_store, "bucket", upload, pairs(parts), create_only=create_only)
    assert fail.fired
    disk_store.disk.hooks.clear()
    complete(disk_store, "bucket", upload, pairs(parts), create_only=create_only)
    assert content(disk_store, "bucket", "k") == b"x" * 6


def test_the_mark_of_publishing_cannot_be_removed(disk_store: PosixStore, root: Path) -> None:
    """Then neither is the file that it is about: the mark alone says that all is done."""
    upload = begin(disk_store, "bucket", "k")
    parts = [put_part(disk_store, "bucket", upload, n, b"x" * n) for n in (1, 2, 3)]
    other = PosixStore(root)
    fail = Fails("unlink", errno.EIO)

    def meanwhile() -> None:
        put(other, "bucket", "k", b"late")
        disk_store.disk.hooks.append(fail)

    disk_store.disk.hooks.append(Before("rename_new", meanwhile))
    with pytest.raises(ObjectExists):
        complete(disk_store, "bucket", upload, pairs(parts), create_only=True)
    assert fail.fired
    disk_store.disk.hooks.clear()
    complete(disk_store, "bucket", upload, pairs(parts))
    assert content(disk_store, "bucket", "k") == b"x" * 6
    other.close()


# ---------------------------------------------------------------- against others


@pytest.mark.parametrize(
    ("change", "sizes"),
    [
        ("create", (4, 4, 4)),
        ("truncate", (4, 4, 4)),
        ("set_modified", (4, 4, 4)),
        ("set_xattr", (4, 4, 4)),
        ("create", (1, 2, 3)),
        ("copy_range", (1, 2, 3)),
        ("set_modified", (1, 2, 3)),
    ],
)
def test_complete_in_a_bucket_that_is_deleted(
    disk_store: PosixStore, root: Path, change: str, sizes: tuple[int, ...]
) -> None:
    upload = begin(disk_store, "bucket", "k")
    parts = [put_part(disk_store, "bucket", upload, n, b"x" * s) for n, s in enumerate(sizes, 1)]
    other = PosixStore(root)
    before = descriptors()
    disk_store.disk.hooks.append(hook := Before(change, lambda: other.buckets.delete("bucket")))
    with pytest.raises(NoSuchBucket):
        complete(disk_store, "bucket", upload, pairs(parts))
    assert hook.done
    assert descriptors() == before
    other.close()


def test_complete_in_a_bucket_that_was_deleted_and_cleared(
    disk_store: PosixStore, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The records are gone when they are read: that is no part that was never stored."""
    upload = begin(disk_store, "bucket", "k")
    part = put_part(disk_store, "bucket", upload, 1, b"x")
    other = PosixStore(root)
    is_current = UploadDir.is_current

    def then_deleted(self: UploadDir) -> bool:
        current = is_current(self)
        if current:
            other.buckets.delete("bucket")
        return current

    monkeypatch.setattr(UploadDir, "is_current", then_deleted)
    with pytest.raises(NoSuchBucket):
        complete(disk_store, "bucket", upload, pairs([part]))
    other.close()


def test_abort_while_the_directory_of_uploads_moves(disk_store: PosixStore, root: Path) -> None:
    upload = begin(disk_store, "bucket", "k")
    uploads = root / "bucket" / "_s3_multipart_tmp"
    disk_store.disk.hooks.append(After("rename", lambda: uploads.rename(root / "elsewhere")))
    disk_store.uploads.abort("bucket", "k", upload.upload_id)
    (root / "elsewhere").rename(uploads)
    with pytest.raises(NoSuchUpload):
        disk_store.uploads.get("bucket", "k", upload.upload_id)


def test_parts_of_an_upload_that_is_being_removed(
    disk_store: PosixStore, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All of them or none."""
    upload = begin(disk_store, "bucket", "k")
    for number in (1, 2):
        put_part(disk_store, "bucket", upload, number, b"x")
    other = PosixStore(root)
    scan = UploadDir.scan

    def aborted(self: UploadDir) -> Any:
        monkeypatch.undo()
        other.uploads.abort("bucket", "k", upload.upload_id)
        return scan(self)

    monkeypatch.setattr(UploadDir, "scan", aborted)
    with pytest.raises(NoSuchUpload):
        disk_store.uploads.list_parts("bucket", "k", upload.upload_id, 0, 10)
    other.close()


def test_expire_and_a_writer_that_has_not_heard(disk_store: PosixStore, root: Path) -> None:
    """Something is put into a directory that is just being removed: no error, but the next time."""
    begin(disk_store, "bucket", "k")
    uploads = root / "bucket" / "_s3_multipart_tmp"
    gone = uploads / ".gone-0"
    (gone).mkdir()
    disk_store.disk.hooks.append(Before("rmdir", (gone / "claim.00001").touch))
    before = {path.name for path in uploads.iterdir()}
    assert disk_store.uploads.expire(0) == 0
    assert {path.name for path in uploads.iterdir()} == before
    disk_store.disk.hooks.clear()
    assert disk_store.uploads.expire(0) == 0
    assert not gone.exists()


@pytest.mark.parametrize("number", range(12))
def test_nothing_is_held_open_whatever_fails(disk_store: PosixStore, number: int) -> None:
    upload = begin(disk_store, "bucket", "k", Attributes())
    before = descriptors()
    disk_store.disk.hooks.append(FailAt(number, errno.EIO))
    with suppress(StorageError):
        part = put_part(disk_store, "bucket", upload, 1, b"data")
        complete(disk_store, "bucket", upload, pairs([part]))
    assert descriptors() == before


@pytest.mark.parametrize("kind", ["ofd", "flock"])
@pytest.mark.parametrize("what", ["complete", "abort", "expire"])
def test_directories_that_cannot_be_locked(
    root: Path, monkeypatch: pytest.MonkeyPatch, kind: str, what: str
) -> None:
    """As on NFS: then the lock that was proved keeps Complete, Abort and the janitor apart."""
    known = attrs.evolve(probe(root), locks=kind)
    store, other = (PosixStore(root, "relaxed", known) for _ in range(2))
    store.buckets.create("bucket", "alice")
    upload = begin(store, "bucket", "k")
    part = put_part(store, "bucket", upload, 1, b"1")
    monkeypatch.setattr(locks, "try_lock", lambda fd, tries=1: None)
    monkeypatch.setattr(completing, "_LOOKS", 1)
    monkeypatch.setattr(completing, "_PAUSE", 0)
    before = descriptors()

    def meanwhile() -> None:
        if what == "complete":
            with pytest.raises(Busy):
                complete(other, "bucket", upload, pairs([part]))
        elif what == "abort":
            with pytest.raises(Busy):
                other.uploads.abort("bucket", "k", upload.upload_id)
        else:
            assert other.uploads.expire(2**62) == 0

    hook = Before("set_modified", meanwhile)
    store.disk.hooks.append(hook)
    complete(store, "bucket", upload, pairs([part]))
    assert hook.done
    assert content(other, "bucket", "k") == b"1"
    assert descriptors() == before
    for one in (store, other):
        one.close()


@pytest.mark.parametrize("kind", ["ofd", "flock", ""])
def test_without_any_lock(root: Path, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    """One completes at a time by good luck only; but it completes."""

    def refuse(*_: object) -> object:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    store = PosixStore(root, "relaxed", attrs.evolve(probe(root), locks=kind))
    store.buckets.create("bucket", "alice")
    upload = begin(store, "bucket", "k")
    part = put_part(store, "bucket", upload, 1, b"1")
    other = begin(store, "bucket", "k")
    monkeypatch.setattr(fcntl, "flock", refuse)
    monkeypatch.setattr(fcntl, "fcntl", refuse)
    # Its state vanishes between finding the upload and locking it.
    nowhere = Bucket(store._volume, "bucket", (b"bucket",), -1, -1)
    with UploadDir(nowhere, upload.upload_id, -1) as gone:
        assert gone.try_lock(kind) is None
    store.uploads.abort("bucket", "k", other.upload_id)
    new = begin(store, "bucket", "new")
    part = put_part(store, "bucket", new, 1, b"1")
    if kind:
        # Locks that held when they were tried, and are gone: nobody is told that he was the first.
        with pytest.raises(Unavailable):
            complete(store, "bucket", new, pairs([part]), create_only=True)
    else:
        complete(store, "bucket", new, pairs([part]), create_only=True)
        assert content(store, "bucket", "new") == b"1"
    store.close()
