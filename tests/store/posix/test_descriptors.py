"""Descriptors of what has been removed."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from pathlib import Path

import attrs
import pytest

from s3daemon.store.interfaces import NoSuchBucket
from s3daemon.store.posix.descriptors import has_name, release
from s3daemon.store.posix.probe import probe
from s3daemon.store.posix.probed import SIDECAR, STAMPED, XATTR
from s3daemon.store.posix.store import PosixStore
from s3daemon.store.posix.syscalls import XattrReader
from tests.store.tools import NOTHING, md5, put


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


@pytest.fixture(params=[XATTR, SIDECAR, STAMPED])
def store(request: pytest.FixtureRequest, root: Path) -> Iterator[PosixStore]:
    """A store with an empty bucket, of each kind."""
    known = probe(root)
    if request.param != XATTR:
        known = attrs.evolve(known, metadata=request.param, xattr_bytes=0)
    made = PosixStore(root, known=known)
    made.buckets.create("bucket", "alice")
    yield made
    made.close()


@pytest.fixture(params=[errno.ENOENT, errno.ESTALE])
def by_path(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is said of a directory that is gone: FUSE by paths (ENOENT), NFS (ESTALE)."""
    fstat, getxattr = os.fstat, XattrReader.read

    def check(fd: int) -> os.stat_result:
        found = fstat(fd)
        if stat.S_ISDIR(found.st_mode) and not found.st_nlink:
            raise OSError(request.param, os.strerror(request.param))
        return found

    def read(reader: XattrReader, fd: int, name: bytes) -> bytes:
        check(fd)
        return getxattr(reader, fd, name)

    monkeypatch.setattr(os, "fstat", check)
    monkeypatch.setattr(XattrReader, "read", read)


@pytest.mark.usefixtures("by_path")
def test_a_bucket_goes_under_a_writer(store: PosixStore) -> None:
    writer = store.objects.create("bucket", "key", NOTHING, "alice")
    writer.write([b"x"])
    store.buckets.delete("bucket")
    with pytest.raises(NoSuchBucket):
        writer.commit(md5(b"x"))


@pytest.mark.usefixtures("by_path")
def test_a_bucket_is_deleted(store: PosixStore) -> None:
    store.buckets.set_durability("bucket", "relaxed")
    put(store, "bucket", "a/b/", b"")
    store.objects.delete("bucket", "a/b/")
    store.buckets.delete("bucket")
    assert store.buckets.list() == []
    assert store.buckets.create("bucket", "bob").owner == "bob"
