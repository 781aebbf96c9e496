"""What the disk refuses, and when the power goes: at every change that every operation makes.

Each operation is tried with its first change failing, then its second, until it makes no more.
Afterwards a key is what it was or what it was to be, whole; nothing else lies about; nothing is
held open; and the same operation succeeds.
"""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import attrs
import pytest

from s3daemon.store.interfaces import (
    Attributes,
    BucketInfo,
    Condition,
    IStore,
    ListQuery,
    NoSuchBucket,
    ObjectInfo,
    OutOfSpace,
    ReadOnly,
    StorageError,
    Unavailable,
)
from s3daemon.store.posix.probe import probe
from s3daemon.store.posix.probed import Probe
from s3daemon.store.posix.store import PosixStore
from s3daemon.wire.grants import Grant
from tests.store.posix.disks import CutAt, FailAt, PowerCut, descriptors, tree
from tests.store.tools import copy, get, md5, put

SMALL = Attributes({"content-type": "a"}, {"m": "1"})
#: Too long for the attributes of these stores.
LARGE = Attributes(metadata={"m": "v" * 1500})
TAGS = (("t", "1"),)


@attrs.frozen
class Case:
    """An operation, and what is there before it."""

    name: str
    before: tuple[tuple[str, bytes, Attributes], ...]
    run: Callable[[IStore], object]


def _put(key: str, data: bytes, attributes: Attributes) -> Callable[[IStore], object]:
    return lambda store: put(store, "bucket", key, data, attributes)


def _swap(key: str, old: bytes, data: bytes, attributes: Attributes) -> Callable[[IStore], object]:
    condition = Condition(etag=md5(old))
    return lambda store: put(store, "bucket", key, data, attributes, condition=condition)


def _delete_if(key: str, old: bytes) -> Callable[[IStore], object]:
    condition = Condition(etag=md5(old))
    return lambda store: store.objects.delete("bucket", key, condition=condition)


def _delete(key: str) -> Callable[[IStore], object]:
    return lambda store: store.objects.delete("bucket", key)


ACL = (Grant("user", "bob", "READ"),) * 60
CASES = [
    Case("new", (), _put("k", b"new", SMALL)),
    Case("new, empty", (), _put("k", b"", SMALL)),
    Case("new, long record", (), _put("k", b"new", LARGE)),
    Case("new, deep", (), _put("a/b/k", b"new", SMALL)),
    Case("new, hashed", (), _put("l" * 300 + "/" + "m" * 300, b"new", SMALL)),
    Case("over", (("k", b"old", SMALL),), _put("k", b"new", LARGE)),
    Case("over a long record", (("k", b"old", LARGE),), _put("k", b"new", SMALL)),
    Case("beside a directory", (("k/x", b"x", SMALL),), _put("k", b"new", SMALL)),
    Case(
        "over, beside a directory",
        (("k/x", b"x", SMALL), ("k", b"old", LARGE)),
        _put("k", b"new", SMALL),
    ),
    Case("swap", (("k", b"old", SMALL),), _swap("k", b"old", b"new", LARGE)),
    Case("swap a long record", (("k", b"old", LARGE),), _swap("k", b"old", b"new", SMALL)),
    Case(
        "swap, beside a directory",
        (("k/x", b"x", SMALL), ("k", b"old", LARGE)),
        _swap("k", b"old", b"new", SMALL),
    ),
    Case("swap a folder", (("d/", b"", LARGE),), _swap("d/", b"", b"new", SMALL)),
    Case("swap a folder without bytes", (("d/", b"old", LARGE),), _swap("d/", b"old", b"", SMALL)),
    Case("delete on condition", (("a/b/k", b"old", LARGE),), _delete_if("a/b/k", b"old")),
    Case("delete a folder on condition", (("a/d/", b"", LARGE),), _delete_if("a/d/", b"")),
    Case("below a file", (("k", b"old", SMALL),), _put("k/x", b"new", SMALL)),
    Case("folder", (), _put("a/d/", b"", SMALL)),
    Case("folder, long record", (), _put("a/d/", b"", LARGE)),
    Case("folder over", (("d/", b"", LARGE),), _put("d/", b"", SMALL)),
    Case("folder with bytes", (("d/", b"", LARGE),), _put("d/", b"new", SMALL)),
    Case("folder without bytes", (("d/", b"old", LARGE),), _put("d/", b"", SMALL)),
    Case(
        "copy",
        (("s", b"source", SMALL),),
        lambda store: copy(store, ("bucket", "s"), ("bucket", "a/k"), LARGE),
    ),
    Case(
        "copy onto itself",
        (("k", b"source", LARGE),),
        lambda store: copy(store, ("bucket", "k"), ("bucket", "k"), SMALL),
    ),
    Case(
        "tags",
        (("k", b"old", SMALL),),
        lambda store: store.objects.set_tags("bucket", "k", TAGS),
    ),
    Case(
        "tags, long record",
        (("k", b"old", LARGE),),
        lambda store: store.objects.set_tags("bucket", "k", TAGS),
    ),
    Case("delete", (("k", b"old", SMALL),), _delete("k")),
    Case("delete, deep", (("a/b/k", b"old", LARGE),), _delete("a/b/k")),
    Case("delete a folder", (("a/d/", b"", LARGE),), _delete("a/d/")),
    Case("delete a folder with bytes", (("a/d/", b"old", LARGE),), _delete("a/d/")),
    Case(
        "delete a folder that is not empty",
        (("d/", b"", SMALL), ("d/x", b"x", SMALL)),
        _delete("d/"),
    ),
    Case(
        "list, long record",
        (("k", b"old", LARGE),),
        lambda store: store.objects.set_acl("bucket", "k", lambda _: ACL),
    ),
    Case("list of a bucket", (), lambda store: store.buckets.set_acl("bucket", lambda _: ACL)),
    Case("tags of a bucket", (), lambda store: store.buckets.set_tags("bucket", TAGS)),
    Case("new bucket", (), lambda store: store.buckets.create("other", "bob")),
    Case("new bucket within", (), lambda store: store.buckets.create("bucket:in", "bob")),
    Case("delete a bucket", (), lambda store: store.buckets.delete("bucket")),
]

Objects = dict[str, tuple[ObjectInfo, bytes]]
State = tuple[dict[str, BucketInfo], Objects]


def state(store: IStore) -> State:
    """All buckets and the objects of one, but for times and tokens that depend on the moment."""
    names = [info.name for info in store.buckets.list()]
    objects: Objects = {}
    if "bucket" in names:
        if "bucket:in" not in names and _exists(store, "bucket:in"):
            names.append("bucket:in")
        for info in store.objects.list("bucket", ListQuery()).objects:
            found, data = get(store, "bucket", info.key)
            assert found == info
            objects[info.key] = (attrs.evolve(found, modified_ns=0), data)
    buckets = {name: attrs.evolve(store.buckets.get(name), created_ns=0) for name in names}
    return buckets, objects


def _exists(store: IStore, bucket: str) -> bool:
    try:
        store.buckets.get(bucket)
    except NoSuchBucket:
        return False
    return True


def is_between(now: State, old: State, new: State) -> bool:
    """Whether each bucket and each object is as it was, or as it was to be."""
    for part in range(2):
        keys = {*now[part], *old[part], *new[part]}
        for key in keys:
            value = now[part].get(key)  # type: ignore[call-overload]
            if value not in (old[part].get(key), new[part].get(key)):  # type: ignore[call-overload]
                return False
    return True


def attempt(case: Case, store: IStore) -> StorageError | None:
    """Run a case; the error if there was one."""
    try:
        case.run(store)
    except StorageError as error:
        return error
    return None


class Stage:
    """Makes the same store again and again."""

    def __init__(self, path: Path, lesser: bool) -> None:
        self._path = path
        self._count = 0
        first = path / "probe"
        first.mkdir(parents=True)
        known = probe(first)
        self.probe: Probe = attrs.evolve(known, xattr_bytes=600)
        if lesser:
            self.probe = attrs.evolve(self.probe, tmpfile=False)
        self.root = first

    def set(self, case: Case) -> PosixStore:
        """A fresh store in which everything is as before the case."""
        shutil.rmtree(self.root)
        self._count += 1
        self.root = self._path / str(self._count)
        self.root.mkdir()
        store = self.open()
        store.buckets.create("bucket", "alice")
        for key, data, attributes in case.before:
            put(store, "bucket", key, data, attributes)
        return store

    def open(self) -> PosixStore:
        return PosixStore(self.root, known=self.probe)

    def debris(self, store: PosixStore) -> set[str]:
        """What lies in the gateway's own directories and belongs to no object."""
        used = set()
        for path in [self.root, *self.root.rglob("*")]:
            fd = os.open(path, os.O_RDONLY)
            spill = store._volume.metadata.load(fd, store._volume.fd).spill
            os.close(fd)
            used.add(f".s3gate/spill/{spill}")
        return {
            name
            for name in tree(self.root)
            if ".s3gate/" in name and not any(name.endswith(one) for one in used)
        }


@pytest.fixture(params=[False, True], ids=["unnamed", "named"])
def stage(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Stage]:
    """A place for stores."""
    return Stage(tmp_path / "stage", request.param)


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
@pytest.mark.parametrize(
    ("code", "kind"),
    [(errno.ENOSPC, OutOfSpace), (errno.EIO, Unavailable), (errno.EROFS, ReadOnly)],
    ids=["full", "broken", "read-only"],
)
def test_each_change_fails(stage: Stage, case: Case, code: int, kind: type[StorageError]) -> None:
    store = stage.set(case)
    old = state(store)
    case.run(store)
    new = state(store)
    store.close()
    assert old != new
    open_before = descriptors()
    number = 0
    while True:
        store = stage.set(case)
        fail = FailAt(number, code)
        store.disk.hooks.append(fail)
        error = attempt(case, store)
        failed = error is not None
        assert type(error) in (kind, type(None))
        store.disk.hooks.clear()
        now = state(store)
        if failed:
            assert is_between(now, old, new), (number, fail.fired)
        else:
            assert now == new, (number, fail.fired)
        assert store.disk.failed_syncs == (fail.fired == "fsync")
        if failed and now != new:
            debris = stage.debris(store)
            # A name in staging or a spill file stays only if removing that is what failed.
            assert not debris or fail.fired in ("unlink", "rmdir", "rename", "mkdir"), (
                number,
                fail.fired,
                debris,
            )
        error = attempt(case, store)
        # If it had been done, it perhaps cannot be done twice.
        assert error is None or now == new, (number, fail.fired, error)
        assert state(store) == new
        store.close()
        assert descriptors() == open_before
        if not fail.fired:
            break
        number += 1
    assert number > 0


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_the_power_goes_before_each_change(stage: Stage, case: Case) -> None:
    store = stage.set(case)
    old = state(store)
    case.run(store)
    new = state(store)
    store.close()
    number = 0
    while True:
        store = stage.set(case)
        cut = CutAt(number)
        store.disk.hooks.append(cut)
        try:
            case.run(store)
        except PowerCut:
            pass
        store.close()
        store = stage.open()
        now = state(store)
        if not cut.fired:
            assert now == new
        assert is_between(now, old, new), (number, cut.fired)
        error = attempt(case, store)
        assert error is None or now == new, (number, cut.fired, error)
        assert state(store) == new
        store.close()
        if not cut.fired:
            break
        number += 1
    assert number > 0
