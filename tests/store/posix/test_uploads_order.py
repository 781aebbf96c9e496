"""What must have happened on disk before something else does."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from s3daemon.store.facts import NoSuchUpload
from s3daemon.store.posix.store import PosixStore
from tests.store.posix.disks import After, Dies, PowerCut, upload_dir
from tests.store.tools import begin, complete, content, md5, put_part


class Synced:
    """Remembers the changes; of a file or directory that is synced, which one."""

    def __init__(self) -> None:
        self.events: list[tuple[str, int]] = []

    def __call__(self, name: str, call: Callable[..., Any], *args: Any) -> Any:
        self.events.append((name, os.fstat(args[0]).st_ino if name == "fsync" else 0))
        return call(*args)

    def names(self) -> list[str]:
        return [name for name, _ in self.events]


def inode(path: Path) -> int:
    return path.stat().st_ino


def test_a_part_is_known_to_be_old_before_it_is_written_over(
    disk_store: PosixStore, root: Path
) -> None:
    """Else a power cut could leave the old record, and the content of the new part."""
    upload = begin(disk_store, "bucket", "k")
    put_part(disk_store, "bucket", upload, 1, b"????")
    for number, data in ((1, b"1111"), (2, b"2222")):
        put_part(disk_store, "bucket", upload, number, data)
    directory = inode(upload_dir(root, upload))
    hook = Synced()
    disk_store.disk.hooks.append(hook)
    complete(disk_store, "bucket", upload, [(1, md5(b"1111")), (2, md5(b"2222"))])
    assert content(disk_store, "bucket", "k") == b"11112222"
    assert hook.events.index(("fsync", directory)) < hook.names().index("copy_range")


@pytest.mark.parametrize("key", ["k", "a/b/k", "a//k", "l" * 300 + "/k"])
def test_a_complete_that_is_repeated_syncs_what_the_first_did_not(
    disk_store: PosixStore, root: Path, key: str
) -> None:
    upload = begin(disk_store, "bucket", key)
    part = put_part(disk_store, "bucket", upload, 1, b"1111")
    disk_store.disk.hooks.append(Dies("rename", after=1))
    with pytest.raises(PowerCut):
        complete(disk_store, "bucket", upload, [(1, part.etag)])
    hook = Synced()
    disk_store.disk.hooks[:] = [hook]
    complete(disk_store, "bucket", upload, [(1, part.etag)])
    synced = {which for name, which in hook.events if name == "fsync"}
    assert content(disk_store, "bucket", key) == b"1111"
    (path,) = (path for path in (root / "bucket").rglob("k") if path.is_file())
    way = path.relative_to(root).parents
    assert {inode(root / directory) for directory in way if directory != Path()} <= synced


def test_a_part_of_an_upload_that_went_meanwhile_is_not_acknowledged(
    disk_store: PosixStore, root: Path
) -> None:
    """Its record may have been made in a directory that is being removed."""
    upload = begin(disk_store, "bucket", "k")
    where = ("bucket", "k", upload.upload_id)
    writer = disk_store.uploads.write_part(*where, 1, 4)
    writer.write([b"1111"])

    def rename() -> None:
        directory = root / "bucket" / "_s3_multipart_tmp"
        (directory / upload.upload_id).rename(directory / (".gone-" + "0" * 32))

    disk_store.disk.hooks.append(After("create", rename, b"part."))
    with pytest.raises(NoSuchUpload):
        writer.commit(md5(b"1111"))
    writer.abort()
