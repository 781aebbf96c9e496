"""Directories that are watched: brought up to date with what the kernel tells, and nothing else."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from s3daemon.store.posix import chunks, names
from s3daemon.store.posix.chunks import Chunks
from s3daemon.store.posix.dirnames import Snapshot, read
from s3daemon.store.posix.snapshots import Snapshots
from s3daemon.store.posix.watches import Watch, is_local


def no_segment(directory: int, name: bytes) -> bytes | None:
    return None


def keys(found: Snapshot | Chunks) -> list[bytes]:
    return [found.key(index) for index in range(len(found))]


@pytest.fixture
def path(tmp_path: Path) -> Iterator[Path]:
    """A directory that only this kernel changes; containers have theirs on an overlay."""
    if _is_local(tmp_path):
        yield tmp_path
    else:
        with tempfile.TemporaryDirectory(dir="/dev/shm") as made:
            yield Path(made)


def _is_local(path: Path) -> bool:
    fd = os.open(path, os.O_RDONLY)
    try:
        return is_local(fd)
    finally:
        os.close(fd)


@pytest.fixture
def directory(path: Path) -> Iterator[int]:
    fd = os.open(path, os.O_RDONLY)
    yield fd
    os.close(fd)


# ---------------------------------------------------------------- the kernel's word


def test_every_kind_of_change_is_told(path: Path, directory: int) -> None:
    for name in ("gone", "old", "kept"):
        (path / name).touch()
    (path / "sub").mkdir()
    watch = Watch.of(directory)
    assert watch is not None
    assert watch.changes() == set()
    (path / "made").touch()
    (path / "gone").unlink()
    (path / "old").rename(path / "new")
    os.link(path / "kept", path / "linked")
    (path / "symbolic").symlink_to("kept")
    (path / "dir").mkdir()
    (path / "kept").write_bytes(b"content is no change of the directory")
    (path / "sub" / "below").touch()
    unnamed = os.open(path, os.O_TMPFILE | os.O_WRONLY)
    os.link(f"/proc/self/fd/{unnamed}", "published", src_dir_fd=unnamed, dst_dir_fd=directory)
    os.close(unnamed)
    assert watch.changes() == {
        *(b"made", b"gone", b"old", b"new", b"linked", b"symbolic", b"dir", b"published")
    }
    assert watch.changes() == set()


def test_a_directory_that_is_gone_is_not_known(path: Path) -> None:
    (path / "sub").mkdir()
    fd = os.open(path / "sub", os.O_RDONLY)
    watch = Watch.of(fd)
    assert watch is not None
    os.close(fd)
    (path / "sub").rmdir()
    assert watch.changes() is None


def test_more_changes_than_the_queue_holds_are_not_known(path: Path, directory: int) -> None:
    limit = int(Path("/proc/sys/fs/inotify/max_queued_events").read_text())
    watch = Watch.of(directory)
    assert watch is not None
    for number in range(limit // 2 + 2):  # two events each, never twice the same in a row
        os.mkfifo(path / str(number))
        os.unlink(path / str(number))
    assert watch.changes() is None


def test_other_file_systems_are_not_watched() -> None:
    fd = os.open("/proc", os.O_RDONLY)
    assert not is_local(fd)
    assert Watch.of(fd) is None
    os.close(fd)


def test_a_watch_closes_itself(directory: int) -> None:
    def queues() -> int:
        found = 0
        for number in os.listdir("/proc/self/fd"):
            try:
                found += "inotify" in os.readlink(f"/proc/self/fd/{number}")
            except FileNotFoundError:
                pass  # that of the listing itself
        return found

    before = queues()
    watch = Watch.of(directory)
    assert queues() == before + 1
    del watch
    assert queues() == before


# ---------------------------------------------------------------- pieces

NAMES = st.sampled_from([b"a", b"a-", b"b", b"c", b"d", "ä".encode(), b"\xff", b".s3gate", b"z"])
STATES = st.sampled_from(["file", "file", "dir", "link", "fifo", "none"])
LAYOUT = st.dictionaries(NAMES, STATES)


def put(directory: int, name: bytes, state: str) -> None:
    path = os.path.join(f"/proc/self/fd/{directory}".encode(), name)
    if os.path.lexists(path):
        (os.rmdir if os.path.isdir(path) and not os.path.islink(path) else os.unlink)(path)
    if state == "file":
        os.close(os.open(path, os.O_CREAT | os.O_WRONLY))
    elif state == "dir":
        os.mkdir(path)
    elif state == "link":
        os.symlink("nothing", path)
    elif state == "fifo":
        os.mkfifo(path)


@settings(deadline=None)
@given(before=LAYOUT, after=LAYOUT, size=st.integers(1, 4))
def test_patched_is_as_if_read_anew(
    before: dict[bytes, str], after: dict[bytes, str], size: int
) -> None:
    with tempfile.TemporaryDirectory() as made, pytest.MonkeyPatch.context() as patch:
        patch.setattr(chunks, "CHUNK", 2)
        directory = os.open(made, os.O_RDONLY)
        put(directory, b"0", "file")
        put(directory, b".s3gate%f+0", "file")
        put(directory, b".s3gate%d+x", "dir")
        for name, state in before.items():
            put(directory, name, state)
        old = Chunks.split(read(directory, no_segment), size)
        old_keys = keys(old)
        for name, state in after.items():
            put(directory, name, state)
        found = old.patched(directory, after)
        fresh = read(directory, no_segment)
        assert found is not None
        assert keys(found) == keys(fresh)
        assert found.links == fresh.links
        assert len(found) == len(fresh)
        for key in (*keys(fresh), b"", b"0", b"a", b"a/", b"b!", b"zz", b"\xff"):
            assert found.find(key) == fresh.find(key)
            assert (key in found) == (key in fresh)
            if key in fresh:
                assert found.names(key) == fresh.names(key)
        assert keys(old) == old_keys
        assert found.nbytes > 0
        os.close(directory)


@pytest.mark.parametrize("name", [b".s3gate%f+new", b".s3gate%f+a", b"a", b"d", b".s3gate%F+x"])
def test_escapes_take_more_than_looking(directory: int, name: bytes) -> None:
    for existing in (names.file_name(b"a"), b"b"):
        put(directory, existing, "file")
    put(directory, names.dir_name(b"d"), "dir")
    found = Chunks.split(read(directory, no_segment))
    assert (found.patched(directory, [name]) is None) is (name != b".s3gate%F+x")
    assert found.patched(directory, [b"b", b".s3gate", b"_s3_multipart_tmp"]) is found


def test_emptied(directory: int) -> None:
    put(directory, b"a", "file")
    found = Chunks.split(read(directory, no_segment))
    put(directory, b"a", "none")
    empty = found.patched(directory, [b"a"])
    assert empty is not None
    assert (len(empty), empty.find(b""), b"a" in empty) == (0, 0, False)
    assert empty.patched(directory, [b"a"]) is None


# ---------------------------------------------------------------- together


class Reads:
    """Counts readings by a hashed name that each of them has to look up."""

    def __init__(self, directory: int, **settings: int) -> None:
        self.count = 0
        self.directory = directory
        put(directory, names.file_name(b"x" * 300), "file")
        # The directory always looks as if it had changed just now.
        self.snapshots = Snapshots(now_ns=lambda: 0, **settings)

    def segment(self, directory: int, name: bytes) -> bytes | None:
        self.count += 1
        return b"x" * 300

    def keys(self) -> list[bytes]:
        return keys(self.snapshots.of(self.directory, self.segment))[:-1]


def test_a_large_changing_directory_is_read_twice(path: Path, directory: int) -> None:
    """First it is found to be one, then it is read under a watch."""
    expected = {b"%03d" % number for number in range(100)}
    for name in expected:
        put(directory, name, "file")
    reads = Reads(directory, watch_from=50)
    for number in range(20):
        assert reads.keys() == sorted(expected)
        put(directory, b"%03d" % number, "none")
        put(directory, b"new-%d" % number, "file")
        put(directory, b"050", "file")
        expected -= {b"%03d" % number}
        expected |= {b"new-%d" % number}
    assert reads.count == 2
    assert reads.snapshots.nbytes > 0


def test_a_small_changing_directory_is_read_each_time(directory: int) -> None:
    reads = Reads(directory, watch_from=3)
    for count in range(1, 4):
        assert reads.keys() == []
        assert reads.count == count
    assert reads.snapshots.nbytes == 0


def test_very_many_changes_make_it_read_anew(directory: int) -> None:
    for number in range(100):
        put(directory, b"%03d" % number, "file")
    reads = Reads(directory, watch_from=50)
    for _ in range(3):
        reads.keys()
    assert reads.count == 2
    for number in range(100, 200):
        put(directory, b"%03d" % number, "file")
    assert len(reads.keys()) == 200
    assert reads.count == 3
    put(directory, b"more", "file")
    assert len(reads.keys()) == 201
    assert reads.count == 3


def test_an_escape_makes_it_read_anew(directory: int) -> None:
    for number in range(100):
        put(directory, b"%03d" % number, "file")
    reads = Reads(directory, watch_from=50)
    for _ in range(3):
        reads.keys()
    put(directory, names.file_name(b"000"), "file")
    put(directory, names.file_name(b".."), "file")
    assert reads.keys()[0] == b".."
    assert reads.count == 3


def test_the_budget_of_watched_directories(path: Path) -> None:
    reads = []
    for number in range(3):
        (path / str(number)).mkdir()
        fd = os.open(path / str(number), os.O_RDONLY)
        for name in range(100):
            put(fd, b"%03d" % name, "file")
        reads.append(Reads(fd))
    shared = Snapshots(now_ns=lambda: 0, watch_from=50, budget=10)
    for one in reads:
        one.snapshots = shared
        for _ in range(3):
            one.keys()
        assert one.count == 2
    assert 0 < shared.nbytes < 10_000
    reads[0].keys()
    assert reads[0].count == 3
    for one in reads:
        os.close(one.directory)
        shutil.rmtree(path / str(reads.index(one)))
