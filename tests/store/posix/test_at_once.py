"""What is answered without waiting, and what is left to a thread."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from zope.interface.verify import verifyObject

from s3daemon.store.interfaces import Attributes, IAtOnce, WouldBlock
from s3daemon.store.posix import PosixStore, buckets
from s3daemon.store.posix.at_once import AtOnce, AtOnceReader
from s3daemon.store.posix.factcache import FactCache
from tests.store.tools import md5, put


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[PosixStore]:
    """A store that trusts every stamp, so that no test has to wait for one to age."""
    monkeypatch.setattr(buckets, "DEFAULT_WINDOW_NS", -(1 << 62))
    made = PosixStore(tmp_path)
    made.objects.recent = FactCache(0)  # type: ignore[attr-defined]
    made.at_once = AtOnce(made._volume, made.buckets, made.objects)  # type: ignore[arg-type]
    made.buckets.create("bucket", "alice")
    yield made
    made.close()


@pytest.fixture
def at_once(store: PosixStore) -> IAtOnce:
    """Its view that never waits."""
    assert store.at_once is not None
    return store.at_once


def know(store: PosixStore, key: str) -> None:
    """Have a thread do it once."""
    store.buckets.get("bucket")
    store.objects.stat("bucket", key)


def test_is_one(at_once: IAtOnce) -> None:
    assert verifyObject(IAtOnce, at_once)


def test_nothing_is_known_at_first(store: PosixStore, at_once: IAtOnce) -> None:
    put(store, "bucket", "key", b"content")
    with pytest.raises(WouldBlock):
        at_once.buckets.get("bucket")
    with pytest.raises(WouldBlock):
        at_once.objects.open("bucket", "key")
    with pytest.raises(WouldBlock):
        at_once.objects.stat("bucket", "key")


def test_what_a_thread_has_seen_is_known(store: PosixStore, at_once: IAtOnce) -> None:
    put(store, "bucket", "a/key", b"content", Attributes({"content-type": "text/x"}, {"m": "1"}))
    know(store, "a/key")
    assert at_once.buckets.get("bucket") == store.buckets.get("bucket")
    assert at_once.objects.stat("bucket", "a/key") == store.objects.stat("bucket", "a/key")
    reader = at_once.objects.open("bucket", "a/key")
    assert reader.info == store.objects.stat("bucket", "a/key")
    assert reader.fileno() is not None
    try:
        assert reader.read(0, 100) == b"content"
        assert reader.read(3, 2) == b"te"
        assert reader.read(7, 1) == b""
    except WouldBlock:
        pytest.skip("this file system does not read from its cache alone (RWF_NOWAIT)")
    finally:
        reader.close()


@pytest.mark.parametrize("how", ["put", "append", "replace", "tags", "list", "delete", "touch"])
def test_a_change_is_seen(store: PosixStore, at_once: IAtOnce, tmp_path: Path, how: str) -> None:
    put(store, "bucket", "key", b"old")
    know(store, "key")
    file = tmp_path / "bucket" / "key"
    if how == "put":
        put(store, "bucket", "key", b"new")
    elif how == "append":
        with file.open("ab") as out:
            out.write(b"+")
    elif how == "replace":
        other = tmp_path / "bucket" / "other"
        other.write_bytes(b"new")
        other.rename(file)
    elif how == "tags":
        store.objects.set_tags("bucket", "key", (("k", "v"),))
    elif how == "list":
        store.objects.set_acl("bucket", "key", lambda _: ())
    elif how == "delete":
        store.objects.delete("bucket", "key")
    else:
        os.utime(file, ns=(1, 1))
    with pytest.raises(WouldBlock):
        at_once.objects.open("bucket", "key")


def test_a_bucket_that_changed_is_asked_anew(store: PosixStore, at_once: IAtOnce) -> None:
    store.buckets.get("bucket")
    store.buckets.set_tags("bucket", (("k", "v"),))
    with pytest.raises(WouldBlock):
        at_once.buckets.get("bucket")
    store.buckets.get("bucket")
    store.buckets.set_acl("bucket", lambda _: ())
    with pytest.raises(WouldBlock):
        at_once.buckets.get("bucket")
    store.buckets.get("bucket")
    store.buckets.delete("bucket")
    with pytest.raises(WouldBlock):
        at_once.buckets.get("bucket")


@pytest.mark.parametrize(
    ("bucket", "key"),
    [
        ("bucket", "missing"),
        ("missing", "key"),
        ("bucket:a", "b"),
        ("bucket", "a//b"),
        ("bucket", "../other/key"),
        ("bucket", "a/"),
        ("bucket", "\ud800"),
        ("bucket", "fifo"),
        ("bucket", "link"),
        ("bucket", "_s3_multipart_tmp/x"),
    ],
)
def test_everything_else_is_left_to_a_thread(
    store: PosixStore, at_once: IAtOnce, tmp_path: Path, bucket: str, key: str
) -> None:
    put(store, "bucket", "a/b", b"content")
    os.mkfifo(tmp_path / "bucket" / "fifo")
    (tmp_path / "outside").write_bytes(b"secret")
    (tmp_path / "bucket" / "link").symlink_to("a/b")
    know(store, "a/b")
    with pytest.raises(WouldBlock):
        at_once.objects.open(bucket, key)


def test_a_young_stamp_is_not_trusted(tmp_path: Path) -> None:
    store = PosixStore(tmp_path)
    assert store.at_once is not None
    store.buckets.create("bucket", "alice")
    put(store, "bucket", "key", b"content")
    know(store, "key")
    with pytest.raises(WouldBlock):
        store.at_once.objects.stat("bucket", "key")
    with pytest.raises(WouldBlock):
        store.at_once.buckets.get("bucket")
    store.close()


def test_cold_bytes_are_left_to_a_thread(tmp_path: Path) -> None:
    """What is not in the page cache is not waited for."""
    file = tmp_path / "file"
    file.write_bytes(b"x" * 65536)
    subprocess.run(["sync", str(file)], check=True)
    fd = os.open(file, os.O_RDONLY)
    os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
    store = PosixStore(tmp_path)
    store.buckets.create("bucket", None)
    info = put(store, "bucket", "key", b"y" * 65536)
    reader = AtOnceReader(info, fd)
    try:
        got = reader.read(0, 65536)
    except WouldBlock:
        got = b""
    # Whether the kernel has dropped the pages is its own affair; a short answer is not allowed.
    assert got in (b"", b"x" * 65536)
    reader.close()
    store.close()
    assert md5(b"y" * 65536) == info.etag


@pytest.mark.parametrize("size", [3, 7, 9])
def test_a_file_that_is_written_into_is_read_by_a_thread(
    store: PosixStore, at_once: IAtOnce, tmp_path: Path, size: int
) -> None:
    """It is another version, and a mix of both for a moment."""
    put(store, "bucket", "key", b"content")
    know(store, "key")
    reader = at_once.objects.open("bucket", "key")
    try:
        assert reader.read(0, 7) == b"content"
    except WouldBlock:
        reader.close()
        pytest.skip("this file system does not read from its cache alone (RWF_NOWAIT)")
    (tmp_path / "bucket" / "key").write_bytes(b"CONTENT AND MORE"[:size])
    os.utime(tmp_path / "bucket" / "key", ns=(1, 1))
    with pytest.raises(WouldBlock):
        reader.read(0, 7)
    reader.close()
