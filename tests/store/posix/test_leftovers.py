"""Whatever a crash leaves, sweeping makes the tree one of two: that before, or that after."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from s3daemon.store.posix.hollow import Hollow
from s3daemon.store.posix.spills import Spills
from s3daemon.store.posix.store import PosixStore
from tests.store.posix.disks import CutAt, PowerCut
from tests.store.posix.scrub.tools import LONG, kinds, poor_store, scrubbed
from tests.store.tools import begin, complete, copy, put, put_part

FUTURE = 1 << 62
_OURS = ("staging", "spill", "trash", ".s3gate", "_s3_multipart_tmp", "locks", "00")
_RANDOM = re.compile("[0-9a-f]{32}")


def _put(store: PosixStore) -> None:
    put(store, "bucket", "new/deep//down/" + "n" * 300, b"new", LONG)


def _put_over(store: PosixStore) -> None:
    put(store, "bucket", "old", b"new", LONG)


def _put_folder(store: PosixStore) -> None:
    put(store, "bucket", "new/folder/", b"", LONG)


def _put_folder_over(store: PosixStore) -> None:
    put(store, "bucket", "full/", b"")


def _put_where_a_directory_is(store: PosixStore) -> None:
    put(store, "bucket", "dir", b"new")


def _copy(store: PosixStore) -> None:
    copy(store, ("bucket", "old"), ("bucket", "new/copy"), LONG)


def _delete(store: PosixStore) -> None:
    store.objects.delete("bucket", "dir/only/one")


def _delete_folder(store: PosixStore) -> None:
    store.objects.delete("bucket", "folder/")


def _tag(store: PosixStore) -> None:
    store.objects.set_tags("bucket", "old", (("k", "v"),))


def _create_bucket(store: PosixStore) -> None:
    store.buckets.create("another", "alice")


def _delete_bucket(store: PosixStore) -> None:
    begin(store, "empty", "k")
    store.buckets.delete("empty")


def _upload(store: PosixStore) -> None:
    upload = begin(store, "bucket", "new/parts", LONG)
    part = put_part(store, "bucket", upload, 1, b"new")
    put_part(store, "bucket", upload, 1, b"newer", announce=False)
    last = put_part(store, "bucket", upload, 2, b"n", announce=False)
    newer = put_part(store, "bucket", upload, 1, b"new")
    assert part.etag == newer.etag
    complete(store, "bucket", upload, [(1, newer.etag), (2, last.etag)])


def _upload_within(store: PosixStore) -> None:
    upload = begin(store, "bucket:dir", "new/parts", LONG)
    part = put_part(store, "bucket:dir", upload, 1, b"new")
    complete(store, "bucket:dir", upload, [(1, part.etag)])


def _abort(store: PosixStore) -> None:
    upload = begin(store, "bucket", "k")
    put_part(store, "bucket", upload, 1, b"new")
    store.uploads.abort("bucket", "k", upload.upload_id)


def _try_sync(store: PosixStore) -> None:
    store.try_sync()


ACTIONS = [
    *(_put, _put_over, _put_folder, _put_folder_over, _put_where_a_directory_is, _copy),
    *(_delete, _delete_folder, _tag, _create_bucket, _delete_bucket),
    *(_upload, _upload_within, _abort, _try_sync),
]


def fresh(root: Path) -> PosixStore:
    """A store to act upon."""
    root.mkdir()
    store = poor_store(root)
    store.buckets.create("bucket", "alice")
    store.buckets.create("empty", "alice")
    put(store, "bucket", "old", b"old", LONG)
    put(store, "bucket", "dir/only/one", b"old")
    put(store, "bucket", "dir/another", b"old")
    put(store, "bucket", "full/", b"old", LONG)
    put(store, "bucket", "folder/", b"", LONG)
    return store


def swept(root: Path) -> set[str]:
    """What there is when the janitor has come by often enough."""
    store = poor_store(root)
    store.uploads._spills = Spills(store.disk, 0)  # type: ignore[attr-defined]
    store.uploads._hollow = Hollow(0)  # type: ignore[attr-defined]
    for _ in range(3):
        store.uploads.expire(FUTURE)
    store.close()
    # A second form of a key that nobody sees is for a repair: it may be somebody's.
    assert set(kinds(scrubbed(root)[0])) <= {"hidden-form"}, root
    return tree(root)


def tree(root: Path) -> set[str]:
    """All names, those that are random as such, and how many bytes and records there are."""
    found = set()
    for path in root.rglob("*"):
        name = _RANDOM.sub("RANDOM", str(path.relative_to(root)))
        # Directories of ours stay once they are there.
        if name.rpartition("/")[2] in _OURS:
            continue
        # The pointer stays as long as there is what it points to, and that was a bucket before.
        if "/.within-" in name:
            continue
        # A directory that did not come to its record may be anybody's, and keeps those above it.
        below = [path, *path.rglob("*")]
        if any(map(_is_bare, below)) and not any(one.is_file() for one in below):
            continue
        found.add(f"{name} {path.stat().st_size if path.is_file() and 'spill' not in name else 0}")
    spills = list(root.glob("*/.s3gate/spill/*"))
    return {*found, f"spills {len(spills)}"}


def _is_bare(path: Path) -> bool:
    return path.is_dir() and not os.listdir(path) and not os.listxattr(path)


@pytest.mark.parametrize("action", ACTIONS)
def test_a_crash_at_any_change(tmp_path: Path, action: Callable[[PosixStore], None]) -> None:
    fresh(tmp_path / "before").close()
    before = swept(tmp_path / "before")
    store = fresh(tmp_path / "after")
    action(store)
    store.close()
    after = swept(tmp_path / "after")
    for number in range(1000):
        root = tmp_path / str(number)
        store = fresh(root)
        cut = CutAt(number)
        store.disk.hooks.append(cut)
        try:
            action(store)
        except PowerCut:
            pass
        store.close()
        now = swept(root)
        assert now in (before, after), (number, cut.fired, now - after, now - before)
        if not cut.fired:
            assert now == after
            return
    raise AssertionError("there is no end of changes")
