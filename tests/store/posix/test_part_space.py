"""Space that a part has taken and does not keep."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from s3daemon.store.interfaces import Attributes
from s3daemon.store.posix import PosixStore
from tests.store.tools import md5


@pytest.mark.parametrize("how", ["abandoned", "too long"])
def test_what_a_failed_part_has_written_is_given_back(tmp_path: Path, how: str) -> None:
    """It is in a sparse file that stays; on a full disk nothing else could be written."""
    store = PosixStore(tmp_path, "relaxed")
    store.buckets.create("bucket", "alice")
    upload = store.uploads.create("bucket", "k", Attributes(), "alice")
    size = 1024 * 1024
    kept = store.uploads.write_part("bucket", "k", upload.upload_id, 1, size)
    kept.write([b"1" * size])
    part = kept.commit(md5(b"1" * size))
    writer = store.uploads.write_part("bucket", "k", upload.upload_id, 2, size)
    writer.write([b"2" * size])
    if how == "too long":
        writer.write([b"+"])
    data = tmp_path / "bucket" / "_s3_multipart_tmp" / upload.upload_id / f"data.{size}"
    os.sync()
    if how == "abandoned":
        assert data.stat().st_blocks * 512 >= 2 * size
        writer.abort()
    os.sync()
    if data.stat().st_blocks * 512 >= 2 * size:
        pytest.skip("this file system gives no blocks back")
    writer.abort()
    store.uploads.complete("bucket", "k", upload.upload_id, [(1, part.etag)])
    assert (tmp_path / "bucket" / "k").read_bytes() == b"1" * size
    store.close()
