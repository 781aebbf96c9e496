"""A Complete that was cut short, and what comes after it other than the same once more."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import attrs
import pytest

from s3daemon.store.facts import NoSuchKey, NoSuchUpload, ObjectExists
from s3daemon.store.posix.probe import probe
from s3daemon.store.posix.store import PosixStore
from s3daemon.store.values import UploadInfo
from tests.store.posix.disks import CutAt, PowerCut
from tests.store.tools import begin, complete, content, md5, put, put_part


@attrs.frozen
class Case:
    """What is completed: (number, content, announced) of the parts, and which are listed."""

    name: str
    parts: tuple[tuple[int, bytes, bool], ...]
    listed: tuple[int, ...]
    old: bytes | None = None
    create_only: bool = False

    @property
    def contents(self) -> dict[int, bytes]:
        """The last content of each number."""
        return {number: data for number, data, _ in self.parts}

    @property
    def done(self) -> bytes:
        """The object afterwards."""
        return b"".join(self.contents[number] for number in self.listed)

    def step(self, store: PosixStore, upload: UploadInfo) -> None:
        """Complete."""
        parts = [(number, md5(self.contents[number])) for number in self.listed]
        complete(store, "bucket", upload, parts, create_only=self.create_only)


EQUAL = ((1, b"1111", True), (2, b"2222", True), (3, b"3", True))
MOVED = ((1, b"????", True), *EQUAL)
UNEQUAL = ((1, b"1", True), (2, b"22", True), (3, b"333", False))
ALL = (1, 2, 3)

CASES = [
    Case("in place", EQUAL, ALL),
    Case("in place, over", EQUAL, ALL, b"old"),
    Case("one moved", MOVED, ALL),
    Case("copied", UNEQUAL, ALL),
    Case("copied, over", UNEQUAL, ALL, b"old"),
    Case("not all", EQUAL, (1,)),
    Case("in place, new only", EQUAL, ALL, create_only=True),
    Case("copied, new only", UNEQUAL, ALL, create_only=True),
]

#: What is done in the end, with the store, the upload, the case, and where it was cut.
Then = Callable[[PosixStore, UploadInfo, Case, str], None]


@pytest.fixture(params=CASES, ids=[case.name for case in CASES])
def case(request: pytest.FixtureRequest) -> Case:
    found: Case = request.param
    return found


@pytest.fixture(params=[False, True], ids=["able", "lesser"])
def cut_everywhere(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[Case, Then], None]:
    """Completes a case with the power going before each of its changes, and goes on."""
    known = probe(tmp_path)
    if request.param:
        known = attrs.evolve(known, tmpfile=False, noreplace=False)

    def run(case: Case, then: Then) -> None:
        for number in range(1000):
            root = tmp_path / str(number)
            root.mkdir()
            store = PosixStore(root, "relaxed", known)
            store.buckets.create("bucket", "alice")
            if case.old is not None:
                put(store, "bucket", "k", case.old)
            upload = begin(store, "bucket", "k")
            for part, data, announce in case.parts:
                put_part(store, "bucket", upload, part, data, announce)
            cut = CutAt(number)
            store.disk.hooks.append(cut)
            try:
                case.step(store, upload)
            except PowerCut:
                pass
            store.close()
            store = PosixStore(root, "relaxed", known)
            then(store, upload, case, f"{number}: {cut.fired}")
            store.close()
            shutil.rmtree(root)
            if not cut.fired:
                assert number > 0
                return
        raise AssertionError("it makes no end of changes")

    return run


def there(store: PosixStore) -> bytes | None:
    """The object, if there is one."""
    try:
        return content(store, "bucket", "k")
    except NoSuchKey:
        return None


def test_what_was_put_since_is_not_replaced(
    cut_everywhere: Callable[[Case, Then], None], case: Case
) -> None:
    published = []

    def then(store: PosixStore, upload: UploadInfo, case: Case, where: str) -> None:
        if there(store) != case.done:
            return
        published.append(where)
        put(store, "bucket", "k", b"later")
        for _ in range(2):
            with pytest.raises((NoSuchUpload, ObjectExists)):
                case.step(store, upload)
            assert there(store) == b"later", where

    cut_everywhere(case, then)
    assert len(published) > 1


def test_what_was_deleted_since_does_not_come_back(
    cut_everywhere: Callable[[Case, Then], None], case: Case
) -> None:
    published = []

    def then(store: PosixStore, upload: UploadInfo, case: Case, where: str) -> None:
        if there(store) != case.done:
            return
        if case.create_only and ": unlink" in where:
            # Created by link(2) it has, for a moment, a name in the upload too, and looks as if it
            # were still to be published.  Creating it anew replaces nothing.
            return
        published.append(where)
        store.objects.delete("bucket", "k")
        with pytest.raises(NoSuchUpload):
            case.step(store, upload)
        assert there(store) is None, where

    cut_everywhere(case, then)
    assert published


def test_parts_put_since_make_it_whole_or_it_is_over(
    cut_everywhere: Callable[[Case, Then], None], case: Case
) -> None:
    """Whatever the Complete had done: there are never holes where parts have been."""
    outcomes = set()

    def then(store: PosixStore, upload: UploadInfo, case: Case, where: str) -> None:
        at = ("bucket", "k", upload.upload_id)
        try:
            parts = store.uploads.list_parts(*at, 0, 10).parts
            more = [put_part(store, "bucket", upload, n, b"%d" % n * 4) for n in (2, 4)]
        except NoSuchUpload:
            assert there(store) == case.done, where
            outcomes.add("over")
            return
        etags = {part.number: part.etag for part in (*parts, *more)}
        contents = case.contents | {2: b"2222", 4: b"4444"}
        complete(store, "bucket", upload, sorted(etags.items()))
        assert there(store) == b"".join(contents[n] for n in sorted(contents)), where
        outcomes.add("whole")

    cut_everywhere(case, then)
    assert outcomes == {"over", "whole"}
