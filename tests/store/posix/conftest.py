"""A store on disk, bare."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from s3daemon.store.posix.store import PosixStore


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """The directory of the store."""
    path = tmp_path / "root"
    path.mkdir()
    return path


@pytest.fixture
def disk_store(root: Path) -> Iterator[PosixStore]:
    """A store with an empty bucket named ``bucket``."""
    store = PosixStore(root)
    store.buckets.create("bucket", "alice")
    yield store
    store.close()
