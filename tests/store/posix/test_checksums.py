"""Checksums on disk: they speak of a content for as long as it is there."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from s3daemon.store.interfaces import Busy, ListQuery
from s3daemon.store.posix import PosixStore
from tests.store.test_contract_checksums import checksum, copy, put
from tests.store.tools import md5


def test_a_content_that_was_changed_outside_has_none(disk_store: PosixStore, root: Path) -> None:
    """A stale checksum would make clients throw good bytes away, or believe in others."""
    put(disk_store, "bucket", "k", b"data", checksum("SHA256", b"data"))
    path = root / "bucket" / "k"
    path.write_bytes(b"DATA")
    os.utime(path, ns=(1, 1))
    assert disk_store.objects.stat("bucket", "k").checksum is None
    assert disk_store.objects.list("bucket", ListQuery()).objects[0].checksum is None
    info = copy(disk_store, "bucket", "k", "copy", "SHA256")
    assert (info.etag, info.checksum) == (md5(b"DATA"), checksum("SHA256", b"DATA"))


def test_a_source_that_changes_while_it_is_copied(disk_store: PosixStore, root: Path) -> None:
    """Its checksum is not that of the copy, then, and what is copied may be a mix."""
    put(disk_store, "bucket", "s", b"data", checksum("SHA256", b"data"))
    source = disk_store.objects.open("bucket", "s")
    (root / "bucket" / "s").write_bytes(b"DATA")
    os.utime(root / "bucket" / "s", ns=(1, 1))
    with pytest.raises(Busy):
        disk_store.objects.copy(
            source, "bucket", "k", source.info.attributes, None, checksum_algorithm="SHA256"
        )
    source.close()
