"""Levels of durability: what each syncs, and how a bucket comes by its own."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs
import pytest

from s3daemon.store import levels
from s3daemon.store.interfaces import Attributes, IStore, OutOfSpace, Unavailable
from s3daemon.store.levels import Durability
from s3daemon.store.posix.records import ATTRIBUTE
from s3daemon.store.posix.store import PosixStore
from tests.store.posix.disks import Fails
from tests.store.tools import begin, complete, content, copy, listed, pairs, put, put_part

#: Too long for an attribute of 600 bytes.
LONG = Attributes(metadata={"m": "v" * 1500})


class Synced:
    """Counts what is synced: files, directories, whole file systems, and what is only flushed."""

    def __init__(self) -> None:
        self.counts = {"file": 0, "directory": 0, "all": 0, "flush": 0}

    def __call__(self, name: str, call: Callable[..., Any], *args: Any) -> Any:
        if name == "fsync":
            kind = "directory" if stat.S_ISDIR(os.fstat(args[0]).st_mode) else "file"
            self.counts[kind] += 1
        elif name in ("flush", "syncfs"):
            self.counts["all" if name == "syncfs" else "flush"] += 1
        return call(*args)

    def taken(self) -> tuple[int, int, int]:
        """Files, directories and flushes since the last time."""
        counts = self.counts
        assert not counts["all"]
        self.counts = dict.fromkeys(counts, 0)
        return counts["file"], counts["directory"], counts["flush"]


@pytest.fixture
def synced(disk_store: PosixStore) -> Synced:
    """Put around the store."""
    hook = Synced()
    # What is made once: the directories of the gateway's own.
    put(disk_store, "bucket", "first")
    put(disk_store, "bucket", "first", b"1")
    complete(
        disk_store,
        "bucket",
        upload := begin(disk_store, "bucket", "u"),
        pairs([put_part(disk_store, "bucket", upload, 1, b"1")]),
    )
    disk_store.disk.hooks.append(hook)
    return hook


def _upload(store: IStore) -> None:
    upload = begin(store, "bucket", "u")
    complete(store, "bucket", upload, pairs([put_part(store, "bucket", upload, 1, b"1")]))


ACTIONS: list[tuple[str, Callable[[IStore], object], dict[Durability, tuple[int, int, int]]]] = [
    (
        "new",
        lambda store: put(store, "bucket", "k", b"1"),
        {"strict": (1, 1, 1), "data": (1, 0, 1), "relaxed": (0, 0, 1)},
    ),
    (
        "new, two directories on the way",
        lambda store: put(store, "bucket", "a/b/k", b"1"),
        {"strict": (1, 3, 1), "data": (1, 0, 1), "relaxed": (0, 0, 1)},
    ),
    (
        "over",
        lambda store: put(store, "bucket", "first", b"2"),
        {"strict": (1, 1, 1), "data": (1, 0, 1), "relaxed": (0, 0, 1)},
    ),
    (
        "folder",
        lambda store: put(store, "bucket", "d/"),
        {"strict": (0, 2, 0), "data": (0, 0, 0), "relaxed": (0, 0, 0)},
    ),
    (
        "copy",
        lambda store: copy(store, ("bucket", "first"), ("bucket", "k")),
        {"strict": (1, 1, 1), "data": (1, 0, 1), "relaxed": (0, 0, 1)},
    ),
    (
        "tags",
        lambda store: store.objects.set_tags("bucket", "first", (("a", "1"),)),
        {"strict": (1, 0, 0), "data": (1, 0, 0), "relaxed": (0, 0, 0)},
    ),
    (
        "delete",
        lambda store: store.objects.delete("bucket", "first"),
        {"strict": (0, 1, 0), "data": (0, 0, 0), "relaxed": (0, 0, 0)},
    ),
    (
        "upload",
        _upload,
        # The state, the part, the object; the upload's directory twice, what it lies in twice, the
        # bucket twice.
        {"strict": (3, 6, 3), "data": (3, 0, 3), "relaxed": (0, 0, 3)},
    ),
    (
        "tags of the bucket",
        lambda store: store.buckets.set_tags("bucket", (("a", "1"),)),
        {"strict": (0, 1, 0), "data": (0, 1, 0), "relaxed": (0, 0, 0)},
    ),
    (
        "delete the bucket",
        lambda store: (
            [store.objects.delete("bucket", key) for key in ("first", "u")]
            and store.buckets.delete("bucket")
        ),
        {"strict": (0, 7, 0), "data": (0, 4, 0), "relaxed": (0, 0, 0)},
    ),
]


@pytest.mark.parametrize("level", levels.LEVELS)
@pytest.mark.parametrize(
    ("action", "counts"), [row[1:] for row in ACTIONS], ids=[row[0] for row in ACTIONS]
)
def test_what_is_synced(
    disk_store: PosixStore,
    synced: Synced,
    action: Callable[[IStore], object],
    counts: dict[Durability, tuple[int, int, int]],
    level: Durability,
) -> None:
    disk_store.disk.hooks.clear()
    disk_store.buckets.set_durability("bucket", level)
    disk_store.disk.hooks.append(synced)
    action(disk_store)
    assert synced.taken() == counts[level]


@pytest.mark.parametrize("level", ["strict", "data"])
def test_a_long_record_is_there_before_what_names_it(
    root: Path, disk_store: PosixStore, level: Durability
) -> None:
    store = PosixStore(root, "relaxed", attrs.evolve(disk_store.probe, xattr_bytes=600))
    store.buckets.set_durability("bucket", level)
    put(store, "bucket", "first", b"1", LONG)
    store.disk.hooks.append(hook := Synced())
    put(store, "bucket", "k", b"1", LONG)
    # The long record and the object; the directory of the former, and in the strict level the
    # bucket.
    assert hook.taken() == (2, 1 + (level == "strict"), 2)
    store.close()


@pytest.mark.parametrize("default", levels.LEVELS)
def test_what_holds_where_nothing_is_said(root: Path, default: Durability) -> None:
    store = PosixStore(root, default)
    store.buckets.create("bucket", "alice")
    put(store, "bucket", "first")
    store.disk.hooks.append(synced := Synced())
    put(store, "bucket", "k", b"1")
    assert synced.taken() == ACTIONS[0][2][default]
    (root / "foreign").mkdir()
    put(store, "foreign", "first", b"1")
    synced.taken()
    put(store, "foreign", "k", b"1")
    assert synced.taken() == ACTIONS[0][2][default]
    store.close()


def test_other_gateways_follow_at_once(root: Path, disk_store: PosixStore, synced: Synced) -> None:
    other = PosixStore(root)
    for level in levels.LEVELS:
        other.buckets.set_durability("bucket", level)
        put(disk_store, "bucket", f"k-{level}", b"1")
        assert synced.taken() == ACTIONS[0][2][level]
    other.buckets.set_durability("bucket", None)
    put(disk_store, "bucket", "k", b"1")
    assert synced.taken() == ACTIONS[0][2]["strict"]
    other.close()


def test_an_upload_under_way_follows_too(disk_store: PosixStore) -> None:
    """What counts is the level when the part, or the object, is done."""
    upload = begin(disk_store, "bucket", "k")
    disk_store.buckets.set_durability("bucket", "relaxed")
    disk_store.disk.hooks.append(synced := Synced())
    part = put_part(disk_store, "bucket", upload, 1, b"1")
    complete(disk_store, "bucket", upload, pairs([part]))
    assert synced.taken()[:2] == (0, 0)


def test_a_bucket_within_has_the_level_of_the_top(disk_store: PosixStore) -> None:
    disk_store.buckets.create("bucket:in", "alice")
    disk_store.buckets.set_durability("bucket", "data")
    disk_store.disk.hooks.append(synced := Synced())
    put(disk_store, "bucket:in", "k", b"1")
    assert synced.taken() == ACTIONS[0][2]["data"]


@pytest.mark.parametrize(
    "raw",
    [
        b"nonsense",
        b'{"v":2}',
        b'{"v":1,"bucket":{"created":1,"durability":"paranoid"}}',
        b'{"v":1,"bucket":{"created":1,"durability":7}}',
        b'{"v":1,"spill":"00000000000000000000000000000000"}',
    ],
)
def test_what_cannot_be_understood_is_strict(root: Path, raw: bytes) -> None:
    store = PosixStore(root, "relaxed")
    store.buckets.create("bucket", "alice")
    os.setxattr(root / "bucket", ATTRIBUTE, raw)
    put(store, "bucket", "first", b"1")
    store.disk.hooks.append(synced := Synced())
    put(store, "bucket", "k", b"1")
    assert synced.taken() == ACTIONS[0][2]["strict"]
    store.close()


@pytest.mark.parametrize(
    ("level", "everything"), [("strict", 1), ("data", 1), (None, 1), ("relaxed", 0)]
)
def test_raising_a_level_brings_the_past_onto_the_device(
    root: Path, level: Durability | None, everything: int
) -> None:
    store = PosixStore(root, "relaxed")
    store.buckets.create("bucket", "alice")
    put(store, "bucket", "k", b"1")
    store.disk.hooks.append(synced := Synced())
    store.buckets.set_durability("bucket", level)
    # The record itself is synced in any case.
    assert synced.counts == {"file": 0, "directory": 1, "all": everything, "flush": 0}
    assert content(store, "bucket", "k") == b"1"
    store.close()


def test_reading_asks_for_no_level(disk_store: PosixStore, monkeypatch: pytest.MonkeyPatch) -> None:
    put(disk_store, "bucket", "k", b"1")

    def asked(home: int) -> Durability:
        raise AssertionError("the level was read")

    monkeypatch.setattr(disk_store._volume, "level", asked)
    assert content(disk_store, "bucket", "k") == b"1"
    disk_store.objects.stat("bucket", "k")
    with pytest.raises(AssertionError):
        put(disk_store, "bucket", "k", b"2")


@pytest.mark.parametrize("level", levels.LEVELS)
@pytest.mark.parametrize(
    "action",
    [
        lambda store: put(store, "bucket", "first", b"2"),
        lambda store: put(store, "bucket", "new", b"2"),
        lambda store: copy(store, ("bucket", "u"), ("bucket", "first")),
        _upload,
        lambda store: begin(store, "bucket", "first"),
    ],
    ids=["over", "new", "copy", "upload", "begin"],
)
def test_bytes_that_are_refused_only_when_a_file_is_closed(
    disk_store: PosixStore, synced: Synced, action: Callable[[IStore], object], level: Durability
) -> None:
    """NFS, FUSE, quotas: that is seen before anything is published, and said."""
    disk_store.disk.hooks.clear()
    disk_store.buckets.set_durability("bucket", level)
    disk_store.disk.hooks.append(Fails("flush", errno.EDQUOT))
    with pytest.raises(OutOfSpace):
        action(disk_store)
    disk_store.disk.hooks.clear()
    assert listed(disk_store, "bucket") == ["first", "u"]
    assert content(disk_store, "bucket", "first") == b"1"
    action(disk_store)


def test_a_part_whose_record_cannot_be_closed(disk_store: PosixStore) -> None:
    """Nobody knows whether it is there."""
    upload = begin(disk_store, "bucket", "k")
    disk_store.disk.hooks.append(fails := Fails("close", errno.EIO))
    with pytest.raises(Unavailable):
        put_part(disk_store, "bucket", upload, 1, b"1")
    assert fails.fired
    disk_store.disk.hooks.clear()
    part = put_part(disk_store, "bucket", upload, 1, b"2")
    complete(disk_store, "bucket", upload, pairs([part]))
    assert content(disk_store, "bucket", "k") == b"2"
