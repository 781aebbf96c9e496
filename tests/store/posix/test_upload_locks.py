"""The lock of an upload: on its directory for this node, and on its state for the others."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from s3daemon.store.interfaces import Attributes, NoSuchUpload, Unavailable
from s3daemon.store.posix import lock_kinds, locks
from s3daemon.store.posix.lock_kinds import OFD
from s3daemon.store.posix.store import PosixStore
from s3daemon.store.posix.upload_names import STATE, path_of
from s3daemon.store.posix.upload_state import UploadDir, open_upload
from tests.store.tools import md5


@pytest.fixture
def upload_id(disk_store: PosixStore) -> str:
    return disk_store.uploads.create("bucket", "key", Attributes(), "alice").upload_id


@pytest.fixture
def two(disk_store: PosixStore, upload_id: str) -> Iterator[tuple[UploadDir, UploadDir]]:
    """The upload, opened twice."""
    bucket = disk_store.objects._volume.bucket("bucket")
    with open_upload(bucket, upload_id) as one, open_upload(bucket, upload_id) as other:
        yield one, other
    bucket.close()


@pytest.mark.parametrize("kind", [*lock_kinds.KINDS, ""])
def test_one_has_it(two: tuple[UploadDir, UploadDir], kind: str) -> None:
    one, other = two
    assert one.try_lock(kind) is True
    assert other.try_lock(kind) is False
    one.unlock()
    assert other.lock(kind) is True
    other.close()
    assert one.try_lock(kind) is True


def test_a_node_that_does_not_see_the_lock_of_the_directory(
    two: tuple[UploadDir, UploadDir], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As with FUSE: each node locks directories for itself."""
    one, other = two
    monkeypatch.setattr(locks, "try_lock", lambda fd, tries=1: True)
    assert one.try_lock(OFD) is True
    assert other.try_lock(OFD) is False
    one.unlock()
    assert other.try_lock(OFD) is True


def test_who_does_not_get_the_second_lets_go_of_the_first(
    two: tuple[UploadDir, UploadDir], root: Path
) -> None:
    one, other = two
    state = os.open(root / "bucket" / os.fsdecode(one.path) / os.fsdecode(STATE), os.O_RDWR)
    assert lock_kinds.take(OFD, state, exclusive=True)
    assert one.try_lock(OFD) is False
    assert locks.try_lock(other.fd) is True
    os.close(state)


@pytest.mark.parametrize("code", [errno.ESTALE, errno.EBADF])
@pytest.mark.parametrize("gone", [True, False])
def test_a_part_of_an_upload_that_another_node_has_removed(
    disk_store: PosixStore,
    upload_id: str,
    root: Path,
    monkeypatch: pytest.MonkeyPatch,
    code: int,
    gone: bool,
) -> None:
    """What an open file says then is no fault of the storage."""
    writer = disk_store.uploads.write_part("bucket", "key", upload_id, 1, 4)
    writer.write([b"data"])
    path = root / "bucket" / os.fsdecode(path_of(upload_id))
    if gone:
        path.rename(path.parent / "elsewhere")

    def fail(fd: int) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(disk_store.disk, "settle", fail)
    with pytest.raises(NoSuchUpload if gone else Unavailable):
        writer.commit(md5(b"data"))
