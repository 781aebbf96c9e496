"""Descriptors of what has been removed."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import Any

import pytest

from s3daemon.store.interfaces import NoSuchBucket
from s3daemon.store.posix.descriptors import has_name, release
from s3daemon.store.posix.store import PosixStore
from tests.store.tools import NOTHING, md5


def test_a_name(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    fd = os.open(tmp_path / "file", os.O_RDONLY)
    assert has_name(fd)
    (tmp_path / "file").unlink()
    assert not has_name(fd)
    release(fd)
    release(fd)
    with pytest.raises(OSError, match="Bad file descriptor"):
        has_name(fd)


@pytest.mark.parametrize("code", [errno.ENOENT, errno.ESTALE])
def test_a_bucket_goes_where_descriptors_lead_to_paths(
    disk_store: PosixStore, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    writer = disk_store.objects.create("bucket", "key", NOTHING, "alice")
    writer.write([b"x"])
    disk_store.buckets.delete("bucket")
    real = os.fstat

    def fstat(fd: int) -> os.stat_result:
        found: Any = real(fd)
        if stat.S_ISDIR(found.st_mode) and not found.st_nlink:
            raise OSError(code, os.strerror(code))
        return found

    # As FUSE file systems that go by paths (ENOENT) and NFS (ESTALE) have it.
    monkeypatch.setattr(os, "fstat", fstat)
    with pytest.raises(NoSuchBucket):
        writer.commit(md5(b"x"))
