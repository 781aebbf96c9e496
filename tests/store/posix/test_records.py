"""Where records are kept: the attribute, spill files, and what is lost of them."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from pathlib import Path

import attrs
import pytest

from s3daemon.store.posix import metadata, packing
from s3daemon.store.posix.durable import Disk
from s3daemon.store.posix.metadata import BucketRecord, Record
from s3daemon.store.posix.records import ATTRIBUTE, XattrMetadata
from s3daemon.wire.grants import Grant
from tests.store.posix.disks import FailAt

LONG = Record(
    etag="e" * 32,
    stamp=(1, 2, 3),
    metadata={"m": "v" * 1500},
    tags=(("t", "1"),),
    owner="alice",
    name="true name",
)
SHORT = Record(etag="f" * 32, stamp=(4, 5, 6), system={"content-type": "x"})


class Home:
    """A directory with a file in it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.home = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
        self.fd = os.open(path / "file", os.O_CREAT | os.O_RDWR)

    def spills(self) -> list[str]:
        try:
            return os.listdir(self.path / ".s3gate" / "spill")
        except FileNotFoundError:
            return []


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    """A home."""
    made = Home(tmp_path)
    yield made
    os.close(made.fd)
    os.close(made.home)


def load(home: Home) -> Record:
    record = XattrMetadata(1000).load(home.fd, home.home)
    return attrs.evolve(record, spill=None)


def test_no_record(home: Home) -> None:
    assert XattrMetadata(1000).load(home.fd, home.home) == metadata.EMPTY


def test_in_the_attribute(home: Home) -> None:
    store = XattrMetadata(1000)
    store.save(Disk(), home.fd, home.home, SHORT)
    assert load(home) == SHORT
    assert home.spills() == []
    assert os.getxattr(home.fd, ATTRIBUTE) == packing.dump(SHORT)


def test_values_of_all_sizes_are_read(home: Home) -> None:
    store = XattrMetadata(65536)
    for size in (1, 100, 1000, 3900):
        record = Record(metadata={"m": "v" * size})
        store.save(Disk(), home.fd, home.home, record)
        assert store.load(home.fd, home.home) == record


def test_a_buffer_that_is_too_small(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    store = XattrMetadata(65536)
    store._reader.__init__(16)  # type: ignore[misc]
    store.save(Disk(), home.fd, home.home, SHORT)
    assert store.load(home.fd, home.home) == SHORT


def test_spilled_and_back(home: Home) -> None:
    store = XattrMetadata(1000)
    store.save(Disk(), home.fd, home.home, LONG)
    assert load(home) == LONG
    assert len(home.spills()) == 1
    assert len(os.getxattr(home.fd, ATTRIBUTE)) < 300

    first = store.load(home.fd, home.home)
    other = attrs.evolve(first, tags=(("t", "2"),))
    store.save(Disk(), home.fd, home.home, other, first)
    assert load(home).tags == (("t", "2"),)
    assert len(home.spills()) == 1
    assert home.spills() != [first.spill]

    store.save(Disk(), home.fd, home.home, SHORT, store.load(home.fd, home.home))
    assert load(home) == SHORT
    assert home.spills() == []


def test_spilled_where_the_file_system_refuses(home: Home) -> None:
    """The limit is only what was found once: other attributes take room too."""
    for code in (errno.ENOSPC, errno.E2BIG, errno.ERANGE):
        disk = Disk(hooks=[FailAt(0, code)])
        XattrMetadata(65536).save(disk, home.fd, home.home, LONG)
        assert load(home) == LONG


def test_a_short_record_that_is_refused_means_a_full_disk(home: Home) -> None:
    disk = Disk(hooks=[FailAt(0, errno.ENOSPC)])
    with pytest.raises(OSError, match="No space"):
        XattrMetadata(65536).save(disk, home.fd, home.home, SHORT)


def test_errors_leave_no_spill_and_the_old_record(home: Home) -> None:
    store = XattrMetadata(1000)
    store.save(Disk(), home.fd, home.home, LONG)
    old = store.load(home.fd, home.home)
    number = 0
    while True:
        fail = FailAt(number, errno.EIO)
        try:
            store.save(Disk(hooks=[fail]), home.fd, home.home, attrs.evolve(LONG, owner="bob"), old)
        except OSError:
            assert load(home) in (LONG, attrs.evolve(LONG, owner="bob"))
            named = store.load(home.fd, home.home).spill
            assert named in home.spills()
            assert set(home.spills()) <= {named, old.spill}
            store.save(Disk(), home.fd, home.home, LONG, store.load(home.fd, home.home))
            for name in set(home.spills()) - {store.load(home.fd, home.home).spill}:
                os.unlink(home.path / ".s3gate" / "spill" / name)
            old = store.load(home.fd, home.home)
        if not fail.fired:
            break
        number += 1
    assert number >= 6


def test_a_lost_spill(home: Home) -> None:
    store = XattrMetadata(1000)
    store.save(Disk(), home.fd, home.home, LONG)
    os.unlink(home.path / ".s3gate" / "spill" / home.spills()[0])
    record = store.load(home.fd, home.home)
    assert record.damaged
    assert (record.etag, record.stamp, record.name) == (LONG.etag, LONG.stamp, LONG.name)
    assert record.owner == LONG.owner


def test_a_lost_spill_makes_nothing_anybodys(home: Home) -> None:
    """Whose a bucket is stays known; what its list permitted does not."""
    store = XattrMetadata(1000)
    acl = (Grant("group", "AllUsers", "READ"),) * 100
    bucket = BucketRecord("alice", 1, (("a", "1"),), acl, "BucketOwnerEnforced")
    store.save(Disk(), home.fd, home.home, Record(bucket=bucket))
    assert store.load(home.fd, home.home).bucket == bucket
    os.unlink(home.path / ".s3gate" / "spill" / home.spills()[0])
    left = store.load(home.fd, home.home).bucket
    assert left == BucketRecord("alice", 1, None, None, "BucketOwnerEnforced")


@pytest.mark.parametrize("name", ["../../x", "x" * 32, "", "A" * 32])
def test_a_spill_name_that_is_none(home: Home, name: str) -> None:
    (home.path / ".s3gate" / "spill").mkdir(parents=True)
    (home.path / "x").write_bytes(packing.dump(LONG))
    os.setxattr(home.fd, ATTRIBUTE, packing.dump(Record(etag="e", spill=name)))
    store = XattrMetadata(1000)
    assert store.load(home.fd, home.home) == Record(etag="e", spill=name, damaged=True)
    store.forget(Disk(), home.home, store.load(home.fd, home.home))
    assert (home.path / "x").exists()


def test_a_spill_that_is_replaced_while_it_is_read(home: Home) -> None:
    store = XattrMetadata(1000)
    store.save(Disk(), home.fd, home.home, LONG)
    stale = os.getxattr(home.fd, ATTRIBUTE)
    newer = attrs.evolve(LONG, owner="bob")
    store.save(Disk(), home.fd, home.home, newer, store.load(home.fd, home.home))

    class Stale:
        def read(self, fd: int, name: bytes) -> bytes:
            return stale

    store._reader = Stale()  # type: ignore[assignment]
    assert attrs.evolve(store.load(home.fd, home.home), spill=None) == newer
