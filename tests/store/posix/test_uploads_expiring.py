"""What the janitor removes on disk, and what it leaves alone."""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from s3daemon.store.facts import NoSuchUpload, Unavailable
from s3daemon.store.posix import locks
from s3daemon.store.posix.store import PosixStore
from s3daemon.store.values import UploadInfo
from tests.store.posix.disks import Before
from tests.store.tools import begin, put, put_part

FUTURE = 1 << 62
PAST = 1


def tmp_dir(root: Path, bucket: str = "bucket") -> Path:
    """Where the uploads of a bucket are."""
    return root / bucket.replace(":", "/") / "_s3_multipart_tmp"


def remains(store: PosixStore, bucket: str, upload: UploadInfo) -> bool:
    """Whether an upload is still there."""
    try:
        store.uploads.get(bucket, upload.key, upload.upload_id)
    except NoSuchUpload:
        return False
    return True


def test_what_is_being_removed_is_removed_at_once(disk_store: PosixStore, root: Path) -> None:
    begin(disk_store, "bucket", "k")
    gone = tmp_dir(root) / (".gone-" + "0" * 32)
    (gone / "deep").mkdir(parents=True)
    (gone / "deep" / "own.x").touch()
    (tmp_dir(root) / (".gone-" + "1" * 32)).touch()
    assert disk_store.uploads.expire(PAST) == 0
    assert [len(name) for name in os.listdir(tmp_dir(root))] == [32]


@pytest.mark.parametrize("where", ["bucket/.s3gate/staging", ".s3gate/staging", ".s3gate/trash"])
def test_leftovers_go_when_they_are_old(disk_store: PosixStore, root: Path, where: str) -> None:
    place = root / where
    place.mkdir(parents=True, exist_ok=True)
    (place / "file").touch()
    (place / "folder").mkdir()
    (place / "folder" / "file").touch()
    (place / "link").symlink_to(root / "bucket")
    put(disk_store, "bucket", "k", b"1")
    before = sorted(os.listdir(place))
    disk_store.uploads.expire(PAST)
    assert sorted(os.listdir(place)) == before
    disk_store.uploads.expire(FUTURE)
    assert os.listdir(place) == []
    assert disk_store.objects.stat("bucket", "k").size == 1


def test_what_was_moved_to_the_leftovers_is_as_old_as_that(
    disk_store: PosixStore, root: Path
) -> None:
    staging = root / "bucket" / ".s3gate" / "staging"
    staging.mkdir(parents=True, exist_ok=True)
    (root / "old").touch()
    os.utime(root / "old", ns=(0, 0))
    border = time.time_ns() - 10**9
    (root / "old").rename(staging / "old")
    disk_store.uploads.expire(border)
    assert os.listdir(staging) == ["old"]


def test_other_names_are_left_alone(disk_store: PosixStore, root: Path) -> None:
    begin(disk_store, "bucket", "k")
    others = ["notes", "A" * 32, "0" * 31, ".gone", "upload.json", "x" * 32]
    for name in others:
        (tmp_dir(root) / name).mkdir()
    (root / ".hidden" / "_s3_multipart_tmp" / ("0" * 32)).mkdir(parents=True)
    (root / "file").touch()
    put(disk_store, "bucket", "d/x", b"1")
    assert disk_store.uploads.expire(FUTURE) == 1
    assert sorted(os.listdir(tmp_dir(root))) == sorted(others)
    assert (root / ".hidden" / "_s3_multipart_tmp" / ("0" * 32)).is_dir()
    assert disk_store.objects.stat("bucket", "d/x").size == 1


def test_a_directory_that_a_crash_left_before_the_state_was_written(
    disk_store: PosixStore, root: Path
) -> None:
    begin(disk_store, "bucket", "k")
    (tmp_dir(root) / ("0" * 32)).mkdir()
    (tmp_dir(root) / ("0" * 32) / "new.x").touch()
    assert disk_store.uploads.expire(PAST) == 0
    assert disk_store.uploads.expire(FUTURE) == 2
    assert os.listdir(tmp_dir(root)) == []


def test_a_writer_that_is_at_it_keeps_an_upload_alive(disk_store: PosixStore, root: Path) -> None:
    upload = begin(disk_store, "bucket", "k")
    put_part(disk_store, "bucket", upload, 1, b"1111")
    at = tmp_dir(root) / upload.upload_id
    writer = disk_store.uploads.write_part("bucket", "k", upload.upload_id, 2, 4)
    writer.write([b"2"])
    soon = time.time_ns() + 3600 * 10**9
    os.utime(at / "data.4", ns=(soon, soon))
    assert disk_store.uploads.expire(soon) == 0
    assert disk_store.uploads.expire(soon + 1) == 1
    writer.abort()


def test_an_upload_that_is_being_completed_stays(disk_store: PosixStore, root: Path) -> None:
    upload = begin(disk_store, "bucket", "k")
    fd = os.open(tmp_dir(root) / upload.upload_id, os.O_RDONLY)
    assert locks.try_lock(fd)
    assert disk_store.uploads.expire(FUTURE) == 0
    os.close(fd)
    assert disk_store.uploads.expire(FUTURE) == 1


def test_uploads_of_a_bucket_within_are_found(disk_store: PosixStore, root: Path) -> None:
    put(disk_store, "bucket", "d/e/x", b"1")
    upload = begin(disk_store, "bucket:d:e", "k")
    (pointer,) = tmp_dir(root).iterdir()
    assert pointer.name.startswith(".within-")
    assert pointer.read_text() == "bucket:d:e"
    assert disk_store.uploads.expire(PAST) == 0
    assert remains(disk_store, "bucket:d:e", upload)
    assert disk_store.uploads.expire(FUTURE) == 1
    assert not remains(disk_store, "bucket:d:e", upload)
    assert begin(disk_store, "bucket:d:e", "k") != upload
    assert disk_store.uploads.expire(FUTURE) == 1


@pytest.mark.parametrize(
    "text", ["", "other:in", "bucket", "bucket:..", "bucket:missing", "\xff", "bucket:\n"]
)
def test_a_pointer_that_leads_nowhere(disk_store: PosixStore, root: Path, text: str) -> None:
    disk_store.buckets.create("other", None)
    (root / "other" / "in").mkdir()
    upload = begin(disk_store, "bucket", "k")
    (tmp_dir(root) / (".within-" + "0" * 32)).write_bytes(text.encode("latin-1"))
    assert disk_store.uploads.expire(PAST) == 0
    assert len(os.listdir(tmp_dir(root))) == 2
    assert disk_store.uploads.expire(FUTURE) == 1
    assert not remains(disk_store, "bucket", upload)
    assert os.listdir(tmp_dir(root)) == []
    assert (root / "other" / "in").is_dir()


def test_a_pointer_stays_with_its_bucket(disk_store: PosixStore, root: Path) -> None:
    disk_store.buckets.create("bucket:in", "alice")
    upload = begin(disk_store, "bucket:in", "k")
    assert disk_store.uploads.expire(FUTURE) == 1
    (pointer,) = tmp_dir(root).iterdir()
    disk_store.buckets.delete("bucket:in")
    assert disk_store.uploads.expire(PAST) == 0
    assert pointer.exists()
    assert disk_store.uploads.expire(FUTURE) == 0
    assert not pointer.exists()
    assert not remains(disk_store, "bucket", upload)


def test_a_bucket_that_is_made_again_under_the_janitor(disk_store: PosixStore, root: Path) -> None:
    """Its first upload finds the pointer, and the janitor is about to remove it."""
    disk_store.buckets.create("bucket:in", "alice")
    begin(disk_store, "bucket:in", "k")
    disk_store.buckets.delete("bucket:in")
    begun: list[UploadInfo] = []

    def make() -> None:
        disk_store.buckets.create("bucket:in", "alice")
        begun.append(begin(disk_store, "bucket:in", "k"))

    before = Before("unlink", make)
    disk_store.disk.hooks.append(before)
    disk_store.uploads.expire(time.time_ns() + 10**12, limit=1)
    assert before.done
    assert remains(disk_store, "bucket:in", begun[0])
    assert disk_store.uploads.expire(FUTURE) == 1
    assert not remains(disk_store, "bucket:in", begun[0])


class Refuses:
    """Refuses to rename a certain upload."""

    def __init__(self, upload: UploadInfo) -> None:
        self._name = upload.upload_id.encode()

    def __call__(self, name: str, call: Callable[..., Any], *args: Any) -> Any:
        if name == "rename" and args[0].endswith(self._name):
            raise OSError(errno.EIO, "no")
        return call(*args)


def test_what_cannot_be_removed_does_not_keep_the_rest(disk_store: PosixStore, root: Path) -> None:
    disk_store.buckets.create("another", None)
    disk_store.buckets.create("third", None)
    uploads = {name: begin(disk_store, name, "k") for name in ("another", "bucket", "third")}
    staging = root / "third" / ".s3gate" / "staging"
    staging.mkdir(parents=True, exist_ok=True)
    (staging / "old").touch()
    disk_store.disk.hooks.append(Refuses(uploads["another"]))
    with pytest.raises(Unavailable):
        disk_store.uploads.expire(FUTURE)
    assert remains(disk_store, "another", uploads["another"])
    assert not remains(disk_store, "bucket", uploads["bucket"])
    assert not remains(disk_store, "third", uploads["third"])
    assert os.listdir(staging) == []


def test_leftovers_count_against_the_limit(disk_store: PosixStore, root: Path) -> None:
    staging = root / "bucket" / ".s3gate" / "staging"
    staging.mkdir(parents=True, exist_ok=True)
    for number in range(5):
        (staging / str(number)).touch()
    disk_store.uploads.expire(FUTURE, limit=2)
    assert len(os.listdir(staging)) == 3
    disk_store.uploads.expire(FUTURE, should_stop=lambda: True)
    assert len(os.listdir(staging)) == 3
    disk_store.uploads.expire(FUTURE)
    assert os.listdir(staging) == []
