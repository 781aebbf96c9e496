"""Remembered facts: found as long as they are true, bounded, and not of what has just changed."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import attrs
import pytest

from s3daemon.store.interfaces import Attributes, Checksum, ObjectInfo
from s3daemon.store.posix.factcache import FactCache
from s3daemon.wire.grants import Grant

SECOND = 1_000_000_000


def facts(key: str, **fields: str) -> ObjectInfo:
    attributes = Attributes(metadata=fields)
    checksum = Checksum("CRC32", "AAAAAA==-2", "COMPOSITE")
    return ObjectInfo(
        *(key, 1, 2, "etag", attributes, "owner", (1, 2), "upload"),
        checksum=checksum,
        part_checksums=("AAAAAA==", "BBBBBA=="),
    )


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "file"
    path.write_bytes(b"a")
    return path


def test_what_was_put_is_found(file: Path) -> None:
    cache = FactCache(0)
    assert cache.get("k", os.stat(file)) is None
    for info in (facts("k"), facts("k", a="1"), facts("k", a="1"), facts("k", a="2")):
        cache.put(os.stat(file), info)
        assert cache.get("k", os.stat(file)) == info
    assert len(cache) == 1


def test_another_name_of_the_same_file(file: Path) -> None:
    cache = FactCache(0)
    cache.put(os.stat(file), facts("k"))
    assert cache.get("l", os.stat(file)) == attrs.evolve(facts("k"), key="l")


@pytest.mark.parametrize(
    "change",
    [
        lambda path: path.write_bytes(b"ab"),
        lambda path: os.utime(path, ns=(0, 1)),
        lambda path: os.replace(path.with_name("other"), path),
    ],
)
def test_a_change_is_seen(file: Path, change: Callable[[Path], object]) -> None:
    file.with_name("other").write_bytes(b"a")
    cache = FactCache(0)
    cache.put(os.stat(file), facts("k"))
    change(file)
    assert cache.get("k", os.stat(file)) is None


def test_a_change_of_the_record_alone_is_seen(file: Path) -> None:
    cache = FactCache(0)
    before = os.stat(file)
    cache.put(before, facts("k"))
    while os.stat(file).st_ctime_ns == before.st_ctime_ns:  # one tick of the clock, if at all
        os.setxattr(file, "user.s3gate", b"{}")
    assert cache.get("k", os.stat(file)) is None


@pytest.mark.parametrize(
    ("age", "remembered"), [(2 * SECOND + 1, True), (2 * SECOND, False), (0, False), (-1, False)]
)
def test_what_changed_within_the_window_is_not_remembered(
    file: Path, age: int, remembered: bool
) -> None:
    status = os.stat(file)
    changed = max(status.st_ctime_ns, status.st_mtime_ns)
    cache = FactCache(2 * SECOND, now_ns=lambda: changed + age)
    cache.put(status, facts("k"))
    assert (cache.get("k", status) is not None) is remembered


def test_attributes_that_many_files_have_are_held_once(tmp_path: Path) -> None:
    """And the number of those is bounded."""
    cache = FactCache(0)
    expected = []
    for number in range(400):
        path = tmp_path / str(number)
        path.touch()
        kind = {"content-type": str(number % 100)}
        info = ObjectInfo(str(number), number, 2, "etag", Attributes(kind))
        expected.append((os.stat(path), info))
        cache.put(*expected[-1])
    found = [cache.get(info.key, status) for status, info in expected]
    assert found == [info for _, info in expected]
    assert len({id(info.attributes) for info in found if info}) <= 64 + 4 * 36


def test_lists_of_grants_are_not_shared(tmp_path: Path) -> None:
    """Files that are alike in all else keep their own."""
    cache = FactCache(0)
    expected = []
    for number, acl in enumerate([None, (), (Grant("user", "bob", "READ"),), None]):
        path = tmp_path / str(number)
        path.touch()
        info = ObjectInfo(str(number), number, 2, "etag", Attributes({"a": "b"}, acl=acl))
        expected.append((os.stat(path), info))
        cache.put(*expected[-1])
    assert [cache.get(info.key, status) for status, info in expected] == [i for _, i in expected]


def test_bounded_and_what_is_in_use_stays(tmp_path: Path) -> None:
    cache = FactCache(0, limit=10)
    statuses = []
    for number in range(23):
        path = tmp_path / str(number)
        path.touch()
        statuses.append(os.stat(path))
        cache.put(statuses[-1], facts(str(number)))
        assert cache.get("0", statuses[0]) is not None
        assert len(cache) <= 10
    assert cache.get("22", statuses[22]) is not None
    assert cache.get("1", statuses[1]) is None
