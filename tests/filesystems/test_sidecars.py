"""Sidecars on file systems that are mounted again, and give inodes to new files at once."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import attrs
import pytest

from s3daemon.store.interfaces import Attributes
from s3daemon.store.posix import PosixStore
from s3daemon.store.posix.orphans import Orphans
from s3daemon.store.posix.probe import probe
from s3daemon.store.posix.probed import SIDECAR
from tests.filesystems.mounting import Mounted, mounted
from tests.store.tools import content, listed, md5, put, put_in_parts

pytestmark = [pytest.mark.filesystems, pytest.mark.timeout(600)]

KEYS = [f"{number % 7}/{number}" for number in range(300)] + ["k" * 300 + "/" + "k" * 300]


@pytest.fixture(params=["ext4", "xfs", "btrfs"])
def here(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Mounted]:
    """Those that lie on a device."""
    with mounted(request.param, tmp_path / request.param) as found:
        yield found


def tagged(number: int) -> Attributes:
    """What tells objects apart."""
    return Attributes(metadata={"number": str(number)}, tags=(("n", str(number)),))


def open_store(root: Path) -> PosixStore:
    """As if there were no extended attributes."""
    known = attrs.evolve(probe(root), metadata=SIDECAR, xattr_bytes=0)
    store = PosixStore(root, known=known)
    store.uploads._orphans = Orphans(store.disk, 0)  # type: ignore[attr-defined]
    return store


def test_records_are_found_after_another_mount(here: Mounted) -> None:
    root = here.path / "root"
    root.mkdir()
    store = open_store(root)
    store.buckets.create("bucket", "alice")
    for number, key in enumerate(KEYS):
        put(store, "bucket", key, key.encode(), tagged(number))
    put_in_parts(store, "bucket", "parts", b"1" * 100_000, b"2", attributes=tagged(-1))
    put(store, "bucket", "folder/", attributes=tagged(-2))
    store.close()
    for _ in range(2):
        here.do("again")
        store = open_store(root)
        assert store.buckets.get("bucket").owner == "alice"
        assert len(listed(store, "bucket")) == len(KEYS) + 2
        for number, key in enumerate(KEYS):
            found = store.objects.stat("bucket", key)
            assert (found.attributes, found.etag) == (tagged(number), md5(key.encode()))
        assert store.objects.stat("bucket", "parts").etag.endswith("-2")
        assert store.objects.stat("bucket", "folder/").attributes == tagged(-2)
        store.uploads.expire(1 << 62)
        store.close()


def test_a_file_in_an_inode_that_is_free_again_is_a_stranger(here: Mounted) -> None:
    root = here.path / "root"
    root.mkdir()
    store = open_store(root)
    store.buckets.create("bucket", "alice")
    used: set[int] = set()
    again = 0
    for turn in range(20):
        for number in range(20):
            key = str(number)
            path = root / "bucket" / key
            put(store, "bucket", key, b"ours", tagged(number))
            st = os.stat(path)
            used.add(st.st_ino)
            path.unlink()
            path.write_bytes(b"them")
            os.utime(path, ns=(st.st_mtime_ns, st.st_mtime_ns))
            again += os.stat(path).st_ino in used
            found = store.objects.stat("bucket", key)
            assert (found.attributes, found.owner) == (Attributes(), None)
            assert content(store, "bucket", key) == b"them"
        if turn == 10:
            store.uploads.expire(1 << 62)
    assert again or here.folder.name == "btrfs", "no inode was used again"
    store.close()
