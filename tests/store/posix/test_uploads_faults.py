"""Multipart uploads when the disk refuses, and when the power goes: at every change they make.

Each operation is tried with its first change failing, then its second, until it makes no more; and
with everything ending there, what was not synced being lost.  Afterwards an upload and its object
are what they were or what they were to be, whole; whoever comes next can go on or give up; and of
what nobody goes on with nothing is left.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import attrs
import pytest

from s3daemon.store.interfaces import (
    Attributes,
    Condition,
    IStore,
    ListQuery,
    NoSuchBucket,
    NoSuchUpload,
    OutOfSpace,
    ReadOnly,
    StorageError,
    Unavailable,
    UploadInfo,
    UploadsQuery,
)
from s3daemon.store.posix.store import PosixStore
from tests.store.posix.disks import CutAt, FailAt, PowerCut, descriptors, tree
from tests.store.posix.test_faults import LARGE, SMALL, Stage
from tests.store.posix.test_faults import Case as Before
from tests.store.tools import begin, complete, get, md5, pairs, put, put_part

FUTURE = 1 << 62

#: Number, content, and whether its size is announced.
Given = tuple[int, bytes, bool]
Told = tuple[UploadInfo, Sequence[tuple[int, str]]]
Run = Callable[[IStore, str, Told | None], object]


@attrs.frozen
class Case:
    """An operation on an upload of ``key``, whose parts are there before it.

    :ivar repeat: whether doing it twice comes to the same.
    """

    name: str
    run: Run
    parts: tuple[Given, ...] | None = None
    key: str = "k"
    old: bool = False
    attributes: Attributes = SMALL
    bucket: str = "bucket"
    noreplace: bool = True
    repeat: bool = True


def _create(store: IStore, bucket: str, told: Told | None) -> object:
    return begin(store, bucket, "k", LARGE)


def _part(number: int, data: bytes, announce: bool) -> Run:
    def run(store: IStore, bucket: str, told: Told | None) -> object:
        assert told is not None
        return put_part(store, bucket, told[0], number, data, announce)

    return run


def _longer(store: IStore, bucket: str, told: Told | None) -> object:
    assert told is not None
    writer = store.uploads.write_part(bucket, told[0].key, told[0].upload_id, 2, 3)
    try:
        writer.write([b"222"])
        writer.write([b"2"])
        return writer.commit(md5(b"2222"))
    finally:
        writer.abort()


def _complete(create_only: bool = False) -> Run:
    def run(store: IStore, bucket: str, told: Told | None) -> object:
        assert told is not None
        return complete(store, bucket, told[0], told[1], create_only=create_only)

    return run


def _swap(store: IStore, bucket: str, told: Told | None) -> object:
    assert told is not None
    upload, parts = told
    return store.uploads.complete(
        bucket, upload.key, upload.upload_id, parts, condition=Condition(etag="*")
    )


def _abort(store: IStore, bucket: str, told: Told | None) -> object:
    assert told is not None
    store.uploads.abort(bucket, told[0].key, told[0].upload_id)
    return None


def _expire(store: IStore, bucket: str, told: Told | None) -> object:
    return store.uploads.expire(FUTURE)


ONE: tuple[Given, ...] = ((1, b"1111", True),)
EVEN: tuple[Given, ...] = ((1, b"1111", True), (2, b"2222", True), (3, b"3333", True))
#: The second was uploaded again, and the size of the last was not known.
MOVED: tuple[Given, ...] = (
    (1, b"1111", True),
    (2, b"????", True),
    (2, b"2222", True),
    (3, b"33", False),
)
UNEVEN: tuple[Given, ...] = ((1, b"1", True), (2, b"22", True), (5, b"333", False))

CASES = [
    Case("create", _create, repeat=False),
    Case("create in a bucket within", _create, bucket="bucket:in", repeat=False),
    Case("create another", _create, ONE, repeat=False),
    Case("part, first", _part(1, b"1111", True), ()),
    Case("part, in its place", _part(2, b"2222", True), ONE),
    Case("part, short", _part(2, b"22", True), ONE),
    Case("part of unknown size", _part(2, b"2222", False), ONE),
    Case("part, longer than announced", _longer, ONE),
    Case("part, empty", _part(2, b"", True), ONE),
    Case("part again", _part(1, b"again", True), ONE),
    Case("part again and again", _part(2, b"AAAA", True), MOVED),
    Case("in place", _complete(), EVEN),
    Case("in place, over", _complete(), EVEN, old=True, attributes=LARGE),
    Case("in place, deep", _complete(), EVEN, key="a/b/k"),
    Case("in place, of a folder", _complete(), EVEN, key="d/"),
    Case("in place, of a bucket within", _complete(), EVEN, bucket="bucket:in"),
    Case("in place, new only", _complete(True), EVEN),
    Case("in place, new only, two steps", _complete(True), EVEN, noreplace=False),
    Case("in place, some copied", _complete(), MOVED, attributes=LARGE),
    Case("in place, some copied, over", _complete(), MOVED, old=True),
    Case("in place, swapped", _swap, EVEN, old=True),
    Case("assembled", _complete(), UNEVEN),
    Case("assembled, swapped", _swap, UNEVEN, old=True, attributes=LARGE),
    Case("assembled, over", _complete(), UNEVEN, old=True, attributes=LARGE),
    Case("assembled, new only", _complete(True), UNEVEN),
    Case("assembled, new only, two steps", _complete(True), UNEVEN, noreplace=False),
    Case("abort", _abort, MOVED),
    Case("expire", _expire, UNEVEN),
    Case("expire in a bucket within", _expire, EVEN, bucket="bucket:in"),
]

_NOTHING = Before("nothing", (), lambda _: None)

Objects = dict[str, object]
Uploads = list[tuple[object, ...]]
State = tuple[Objects, Uploads]


def state(store: IStore, bucket: str) -> State:
    """All objects and uploads of a bucket, but for what depends on the moment or on chance."""
    objects: Objects = {}
    for info in store.objects.list(bucket, ListQuery()).objects:
        found, data = get(store, bucket, info.key)
        assert found == info
        made = info.upload_id is not None
        objects[info.key] = (attrs.evolve(found, modified_ns=0, upload_id=None), made, data)
    uploads: Uploads = []
    for upload in store.uploads.list(bucket, UploadsQuery()).uploads:
        at = (bucket, upload.key, upload.upload_id)
        parts = store.uploads.list_parts(*at, 0, 100).parts
        facts = tuple((part.number, part.size, part.etag) for part in parts)
        uploads.append((upload.key, upload.owner, str(upload.attributes), facts))
    return objects, sorted(uploads, key=str)


def _at_once(name: str, call: Callable[..., Any], *args: Any) -> Any:
    """Syncing takes no time: what it is good for is asked by :class:`Loses` and :class:`Synced`."""
    return None if name == "fsync" else call(*args)


class QuickStage(Stage):
    """One that waits for no disk."""

    def open(self) -> PosixStore:
        store = super().open()
        store.disk.hooks.append(_at_once)
        return store


class Theatre:
    """The same store, again and again, with an upload in it."""

    def __init__(self, stage: Stage, case: Case) -> None:
        self._stage = stage
        self._case = case
        stage.probe = attrs.evolve(stage.probe, noreplace=case.noreplace)
        self.told: Told | None = None

    def set(self) -> PosixStore:
        """Everything as before the case."""
        case = self._case
        store = self._stage.set(_NOTHING)
        if case.bucket != "bucket":
            store.buckets.create(case.bucket, "alice")
        if case.old:
            put(store, case.bucket, case.key, b"old", LARGE)
        self.told = None
        if case.parts is not None:
            upload = begin(store, case.bucket, case.key, case.attributes)
            given = {n: put_part(store, case.bucket, upload, n, *rest) for n, *rest in case.parts}
            self.told = upload, pairs([given[number] for number in sorted(given)])
        return store

    @property
    def root(self) -> Path:
        """Where the store is."""
        return self._stage.root

    def open(self) -> PosixStore:
        """The store as another process finds it."""
        return self._stage.open()

    def attempt(self, store: IStore) -> tuple[object, StorageError | None]:
        """Run the case: its result, or its error."""
        try:
            return self._case.run(store, self._case.bucket, self.told), None
        except StorageError as error:
            return None, error

    def now(self, store: IStore) -> State:
        """See :func:`state`."""
        return state(store, self._case.bucket)

    def left(self, store: PosixStore) -> set[str]:
        """What is in directories of ours and belongs to nothing."""
        found = {name for name in tree(self.root) if "_s3_multipart_tmp/" in name}
        return {name for name in found if "/.within-" not in name} | self._stage.debris(store)

    def entries(self) -> set[str]:
        """The entries of the upload's directory but for marks and places that may stay."""
        if self.told is None:
            return set()
        path = self.root / self._case.bucket.replace(":", "/")
        path = path / "_s3_multipart_tmp" / self.told[0].upload_id
        names = {entry.name for entry in path.iterdir()} if path.exists() else set()
        return {name for name in names if not name.startswith(("again.", "data."))}


@pytest.fixture(params=CASES, ids=[case.name for case in CASES])
def case(request: pytest.FixtureRequest) -> Case:
    """What is tried."""
    found: Case = request.param
    return found


@pytest.fixture
def theatre(tmp_path: Path, case: Case) -> Iterator[Theatre]:
    """A place for it."""
    return Theatre(QuickStage(tmp_path / "stage", lesser=False), case)


def outcome(theatre: Theatre) -> tuple[State, State]:
    """What is there before and after."""
    store = theatre.set()
    old = theatre.now(store)
    _, error = theatre.attempt(store)
    assert error is None
    new = theatre.now(store)
    store.close()
    assert old != new
    return old, new


def give_up(theatre: Theatre, store: PosixStore, spill: bool = False) -> None:
    """What nobody goes on with is removed, and no object with it.

    :param spill: whether a long record may stay that belongs to nothing.
    """
    objects, _ = theatre.now(store)
    store.uploads.expire(FUTURE)
    assert theatre.now(store) == (objects, [])
    left = theatre.left(store)
    assert not {name for name in left if not (spill and "/spill/" in name)}


@pytest.mark.parametrize(
    ("code", "kind"),
    [(errno.ENOSPC, OutOfSpace), (errno.EIO, Unavailable), (errno.EROFS, ReadOnly)],
    ids=["full", "broken", "read-only"],
)
def test_each_change_fails(
    theatre: Theatre, case: Case, code: int, kind: type[StorageError]
) -> None:
    old, new = outcome(theatre)
    open_before = descriptors()
    for number in range(1000):
        store = theatre.set()
        before = theatre.entries()
        fail = FailAt(number, code)
        store.disk.hooks.insert(0, fail)
        _, error = theatre.attempt(store)
        store.disk.hooks.remove(fail)
        where = (number, fail.fired)
        assert type(error) in (kind, type(None)), where
        now = theatre.now(store)
        assert now in ((old, new) if error is not None else (new,)), where
        if now == old and fail.fired not in ("unlink", "rmdir"):
            assert theatre.entries() == before, where
        if case.repeat:
            _, error = theatre.attempt(store)
            # An upload that is gone is not aborted twice.
            gone = now == new and isinstance(error, NoSuchUpload)
            assert error is None or (gone and case.run is _abort), where
            assert theatre.now(store) == new, where
        give_up(theatre, store, spill=fail.fired in ("unlink", "rmdir", "fsync"))
        store.close()
        assert descriptors() == open_before, where
        if not fail.fired:
            break
    assert number > 0


class Loses(CutAt):
    """The power goes before the n-th change, and written bytes that were not synced are zeros."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self._dirty: dict[tuple[int, int], tuple[int, list[tuple[int, int]]]] = {}

    def __call__(self, name: str, call: Callable[..., Any], *args: Any) -> Any:
        result = super().__call__(name, call, *args)
        if name == "pwrite":
            self._note(args[0], args[2], result)
        elif name == "copy_range":
            self._note(args[1], args[4], result)
        elif name == "fsync":
            st = os.fstat(args[0])
            held, _ = self._dirty.pop((st.st_dev, st.st_ino), (-1, []))
            if held >= 0:
                os.close(held)
        return result

    def _note(self, fd: int, offset: int, size: int) -> None:
        st = os.fstat(fd)
        key = st.st_dev, st.st_ino
        if key not in self._dirty:
            self._dirty[key] = os.dup(fd), []
        self._dirty[key][1].append((offset, size))

    def lose(self) -> None:
        """Do it."""
        for fd, ranges in self._dirty.values():
            for offset, size in ranges:
                size = min(size, os.fstat(fd).st_size - offset)
                os.pwrite(fd, bytes(max(size, 0)), offset)
            os.close(fd)
        self._dirty.clear()


@pytest.mark.parametrize("then", ["again", "abort", "complete", "expire"])
def test_the_power_goes_before_each_change(theatre: Theatre, case: Case, then: str) -> None:
    old, new = outcome(theatre)
    for number in range(1000):
        store = theatre.set()
        told = theatre.told
        cut = Loses(number)
        store.disk.hooks.insert(0, cut)
        try:
            theatre.attempt(store)
        except PowerCut:
            pass
        if cut.fired:
            cut.lose()
        where = (number, cut.fired)
        store.close()
        store = theatre.open()
        now = theatre.now(store)
        assert now in ((old, new) if cut.fired else (new,)), where
        if then == "again" and case.repeat:
            _, error = theatre.attempt(store)
            gone = now == new and isinstance(error, NoSuchUpload)
            assert error is None or (gone and case.run is _abort), where
            assert theatre.now(store) == new, where
        elif then == "abort" and told is not None:
            _give_up_one(store, case, told[0])
            assert theatre.now(store)[0] == now[0]
        elif then == "complete" and told is not None:
            _complete_what_is_there(store, case, told[0], now)
        give_up(theatre, store, spill=True)
        store.close()
        cut.lose()
        if not cut.fired:
            break
    assert number > 0


def _give_up_one(store: IStore, case: Case, upload: UploadInfo) -> None:
    try:
        store.uploads.abort(case.bucket, upload.key, upload.upload_id)
    except NoSuchUpload:
        pass
    with pytest.raises(NoSuchUpload):
        store.uploads.get(case.bucket, upload.key, upload.upload_id)


def _complete_what_is_there(store: IStore, case: Case, upload: UploadInfo, now: State) -> None:
    """Each part that was acknowledged, or is listed, has all its bytes."""
    at = (case.bucket, upload.key, upload.upload_id)
    try:
        parts = store.uploads.list_parts(*at, 0, 100).parts
    except NoSuchUpload:
        return
    if not parts:
        return
    contents: dict[str, bytes] = {}
    for _, data, _ in (*(case.parts or ()), *NEW_PARTS):
        contents[md5(data)] = data
    store.uploads.complete(*at, pairs(parts))
    wanted = b"".join(contents[part.etag] for part in parts)
    assert get(store, case.bucket, upload.key)[1] == wanted


#: Those that cases put.
NEW_PARTS: tuple[Given, ...] = (
    (1, b"1111", True),
    (2, b"2222", True),
    (2, b"22", True),
    (2, b"", True),
    (1, b"again", True),
    (2, b"AAAA", True),
)


class Synced:
    """Which directories have got an entry since they were synced."""

    def __init__(self) -> None:
        self._dirty: dict[tuple[int, int], tuple[int, list[bytes]]] = {}

    def __call__(self, name: str, call: Callable[..., Any], *args: Any) -> Any:
        result = call(*args)
        if name in ("create", "open_or_create"):
            self._note(args[0], args[2])
        elif name == "mkdir":
            self._note(*args[:2])
        elif name in ("rename", "rename_new", "link"):
            self._note(*args[2:4])
        elif name == "link_fd":
            self._note(*args[1:3])
        elif name == "fsync":
            st = os.fstat(args[0])
            held, _ = self._dirty.pop((st.st_dev, st.st_ino), (-1, []))
            if held >= 0:
                os.close(held)
        return result

    def _note(self, name: bytes, dir_fd: int) -> None:
        fd = os.open(os.path.dirname(name) or b".", os.O_RDONLY | os.O_DIRECTORY, dir_fd=dir_fd)
        st = os.fstat(fd)
        key = st.st_dev, st.st_ino
        if key in self._dirty:
            os.close(fd)
        else:
            self._dirty[key] = fd, []
        self._dirty[key][1].append(name)

    def unsynced(self) -> list[bytes]:
        """Names in directories that are still there."""
        found: list[bytes] = []
        for fd, names in self._dirty.values():
            if os.fstat(fd).st_nlink:
                found += names
            os.close(fd)
        self._dirty.clear()
        return found


def test_what_is_acknowledged_is_synced(theatre: Theatre, case: Case) -> None:
    store = theatre.set()
    synced = Synced()
    store.disk.hooks.insert(0, synced)
    _, error = theatre.attempt(store)
    assert error is None
    assert synced.unsynced() == []
    store.close()


def test_where_the_bucket_goes_nothing_stays(theatre: Theatre, case: Case) -> None:
    """The power goes before each change; then the bucket is deleted as soon as it may be."""
    for number in range(1000):
        store = theatre.set()
        cut = CutAt(number)
        store.disk.hooks.insert(0, cut)
        try:
            theatre.attempt(store)
        except PowerCut:
            pass
        store.close()
        store = theatre.open()
        for name in dict.fromkeys((case.bucket, "bucket")):
            for info in store.objects.list(name, ListQuery()).objects:
                store.objects.delete(name, info.key)
            store.buckets.delete(name)
        with pytest.raises(NoSuchBucket):
            store.uploads.list(case.bucket, UploadsQuery())
        assert {path for path in tree(theatre.root) if "/spill/" not in path} == set()
        store.close()
        if not cut.fired:
            break
