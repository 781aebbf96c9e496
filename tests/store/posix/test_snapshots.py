"""Snapshots of directories: in key order, compact, bounded, and never older than the truth."""

from __future__ import annotations

import os
import socket
import threading
import time
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from s3daemon.store.posix import dirnames, names, snapshots
from s3daemon.store.posix.chunks import Chunks
from s3daemon.store.posix.dirnames import Snapshot, plain_file, read
from s3daemon.store.posix.snapshots import Snapshots
from s3daemon.store.posix.watches import Watch
from s3daemon.store.posix.witnesses import Witnesses

LONG = b"x" * 300
SECOND = 1_000_000_000


def no_segment(directory: int, name: bytes) -> bytes | None:
    return None


@pytest.fixture
def directory(tmp_path: Path) -> Iterator[int]:
    fd = os.open(tmp_path, os.O_RDONLY | os.O_DIRECTORY)
    yield fd
    os.close(fd)


def make(directory: int, *names_on_disk: bytes) -> None:
    for name in names_on_disk:
        if name.endswith(b"/"):
            os.mkdir(name[:-1], dir_fd=directory)
        else:
            os.close(os.open(name, os.O_CREAT | os.O_WRONLY, dir_fd=directory))


def keys(snapshot: Snapshot | Chunks) -> list[bytes]:
    return [snapshot.key(index) for index in range(len(snapshot))]


# ---------------------------------------------------------------- reading


def test_the_order_is_that_of_keys(directory: int) -> None:
    make(directory, b"a/", b"a-b", b"a0", b"b", "ä".encode(), b"B/", b"a.b")
    found = read(directory, no_segment)
    assert keys(found) == [b"B/", b"a-b", b"a.b", b"a/", b"a0", b"b", "ä".encode()]
    assert found.complete
    assert [found.find(at) for at in (b"", b"B/", b"a/", b"a//", b"b\0", b"\xff")] == [
        *(0, 0, 3, 4, 6, 7)
    ]
    assert b"a/" in found
    assert b"a" not in found
    assert b"\xff" not in found


def test_what_can_be_no_key_is_left_out(directory: int, tmp_path: Path) -> None:
    make(
        directory, b"\xff", b".s3gate/", b"_s3_multipart_tmp/", b".s3gate%x+a", b".s3gate%F+a", b"a"
    )
    make(directory, names.dir_name(b"file"), names.file_name(b"dir") + b"/")
    os.mkfifo(tmp_path / "fifo")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(f"/proc/self/fd/{directory}/socket")
        found = read(directory, no_segment)
    assert keys(found) == [b"a"]
    assert found.complete


def test_escapes_sort_as_what_they_stand_for(directory: int) -> None:
    make(directory, names.file_name(b"b"), names.dir_name(b"a") + b"/", b"aa")
    make(directory, names.file_name(b""), names.dir_name(b"") + b"/", names.file_name(b".."))
    found = read(directory, no_segment)
    assert keys(found) == [b"", b"..", b"/", b"a/", b"aa", b"b"]
    assert found.names(b"") == (b".s3gate%f+",)
    assert found.names(b"/") == (b".s3gate%d+",)
    assert found.names(b"a/") == (b".s3gate%d+a",)
    assert found.names(b"aa") == (b"aa",)


def test_of_two_names_the_natural_one_comes_first(directory: int) -> None:
    make(directory, b"a", names.file_name(b"a"), b"d/", names.dir_name(b"d") + b"/", b"b")
    found = read(directory, no_segment)
    assert keys(found) == [b"a", b"b", b"d/"]
    assert found.names(b"a") == (b"a", b".s3gate%f+a")
    assert found.names(b"d/") == (b"d", b".s3gate%d+d")


def test_links_are_marked(directory: int, tmp_path: Path) -> None:
    make(directory, b"a", b"d/")
    for link, target in (("to-a", "a"), ("to-d", "d"), (".s3gate%f+l", "a"), (".s3gate%d+l", "d")):
        (tmp_path / link).symlink_to(target)
    found = read(directory, no_segment)
    assert keys(found) == [b"a", b"d/", b"l", b"to-a", b"to-d"]
    assert found.links == {b"l", b"to-a", b"to-d"}


@pytest.mark.parametrize(
    ("segment", "complete"), [(LONG, True), (None, False), (b"y" * 300, False), (b"short", False)]
)
def test_hashed_names_are_read_from_their_record(
    directory: int, segment: bytes | None, complete: bool
) -> None:
    make(directory, b"a", names.file_name(LONG), names.dir_name(LONG) + b"/")
    asked = []

    def segment_of(where: int, name: bytes) -> bytes | None:
        assert where == directory
        asked.append(name)
        return segment

    found = read(directory, segment_of)
    assert sorted(asked) == sorted((names.file_name(LONG), names.dir_name(LONG)))
    assert keys(found) == ([b"a", LONG, LONG + b"/"] if complete else [b"a"])
    assert found.complete is complete
    if complete:
        assert found.names(LONG + b"/") == (names.dir_name(LONG),)


def test_a_record_cannot_smuggle_a_path(directory: int) -> None:
    path = b"d/" + LONG
    make(directory, names.file_name(path))
    assert keys(read(directory, lambda where, name: path)) == []


def test_a_hundred_thousand_names_are_compact() -> None:
    many = [b"object-%08d" % number for number in range(100_000)]
    tracemalloc.start()
    found = Snapshot(many, {}, frozenset(), True)
    taken, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert taken < 2_200_000
    assert abs(found.nbytes - taken) < 20_000
    assert found.key(77_777) == many[77_777]


# ---------------------------------------------------------------- keeping


class Clock:
    """A clock that stands so far behind the last change of a directory."""

    def __init__(self, directory: int) -> None:
        self.directory = directory
        self.behind = 3 * SECOND

    def __call__(self) -> int:
        status = os.fstat(self.directory)
        return max(status.st_mtime_ns, status.st_ctime_ns) + self.behind


def test_an_unchanged_directory_is_read_once(directory: int) -> None:
    make(directory, b"a")
    snapshots = Snapshots(now_ns=Clock(directory))
    first = snapshots.of(directory, no_segment)
    assert snapshots.of(directory, no_segment) is first
    assert snapshots.nbytes == first.nbytes


@pytest.mark.parametrize(
    "change",
    [
        lambda path: (path / "b").touch(),
        lambda path: (path / "a").unlink(),
        lambda path: (path / "a").rename(path / "b"),
    ],
)
def test_a_change_is_seen(directory: int, tmp_path: Path, change: Callable[[Path], object]) -> None:
    make(directory, b"a")
    os.utime(tmp_path, ns=(0, 1))
    snapshots = Snapshots(now_ns=Clock(directory))
    snapshots.of(directory, no_segment)
    change(tmp_path)
    after = keys(snapshots.of(directory, no_segment))
    assert after == sorted(os.fsencode(path.name) for path in tmp_path.iterdir())


def test_a_change_is_seen_though_the_time_is_set_back(directory: int, tmp_path: Path) -> None:
    make(directory, b"a")
    before = os.stat(tmp_path)
    snapshots = Snapshots(now_ns=Clock(directory))
    snapshots.of(directory, no_segment)
    make(directory, b"b")
    while os.stat(tmp_path).st_ctime_ns == before.st_ctime_ns:  # one tick of the clock, if at all
        os.utime(tmp_path, ns=(before.st_atime_ns, before.st_mtime_ns))
    os.utime(tmp_path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert keys(snapshots.of(directory, no_segment)) == [b"a", b"b"]


@pytest.mark.parametrize(
    ("behind", "kept"),
    [(2 * SECOND + 1, True), (2 * SECOND, False), (SECOND, False), (0, False), (-SECOND, False)],
)
def test_what_changed_within_the_window_is_not_kept(
    directory: int, behind: int, kept: bool
) -> None:
    """A change in the same tick of the clock would leave the stamp as it is."""
    make(directory, b"a")
    clock = Clock(directory)
    clock.behind = behind
    snapshots = Snapshots(now_ns=clock)
    first = snapshots.of(directory, no_segment)
    assert (snapshots.nbytes > 0) is kept
    assert (snapshots.of(directory, no_segment) is first) is kept


def test_what_changed_while_it_was_read_is_not_kept(directory: int, tmp_path: Path) -> None:
    make(directory, names.file_name(LONG))
    snapshots = Snapshots(now_ns=Clock(directory))

    def segment_of(where: int, name: bytes) -> bytes | None:
        os.utime(tmp_path, ns=(0, 1))
        return LONG

    assert keys(snapshots.of(directory, segment_of)) == [LONG]
    assert snapshots.nbytes == 0


def passing_over(monkeypatch: pytest.MonkeyPatch, directory: int, name: bytes, scans: int) -> None:
    """As on btrfs: what is renamed over another file is passed over by those who are reading; as
    on tmpfs, something is met twice."""
    real = dirnames.entries
    left = scans

    @contextmanager
    def entries(where: int) -> Iterator[Iterator[Any]]:
        nonlocal left
        with real(where) as found:
            if left:
                left -= 1
                make(directory, b"new")
                os.rename(b"new", name, src_dir_fd=directory, dst_dir_fd=directory)
                met = [one for one in found if one.name != name.decode()]
                yield iter([*met, *met[:10]])
            else:
                yield found

    monkeypatch.setattr(dirnames, "entries", entries)


@pytest.mark.parametrize("age", [0, 10])
@pytest.mark.parametrize("escaped", [False, True])
@pytest.mark.parametrize("watched", [True, False])
def test_what_is_replaced_while_a_large_directory_is_read_is_there(
    directory: int, monkeypatch: pytest.MonkeyPatch, age: int, escaped: bool, watched: bool
) -> None:
    many = [b"object-%04d" % number for number in range(1000)]
    name = names.file_name(b"k") if escaped else b"k"
    make(directory, *many, name, b"also/", names.file_name(b"also"), names.file_name(b"more"))
    monkeypatch.setattr(snapshots, "replaces_in_place", lambda _: False)
    if not watched:
        monkeypatch.setattr(Watch, "of", lambda _: None)
    passing_over(monkeypatch, directory, name, scans=5 if watched else 1)
    kept = Snapshots(now_ns=lambda: time.time_ns() + age * SECOND)
    found = kept.of(directory, no_segment)
    assert keys(found) == sorted([*many, b"k", b"also/", b"also", b"more"])
    assert name in found.names(b"k")


def test_what_is_removed_while_a_large_directory_is_read(
    directory: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may be there or not, and what was made may be of another kind."""
    monkeypatch.setattr(snapshots, "replaces_in_place", lambda _: False)
    make(directory, *(b"object-%04d" % number for number in range(1000)), b"a", b"b", b"c")
    real = dirnames.entries

    @contextmanager
    def entries(where: int) -> Iterator[Iterator[Any]]:
        with real(where) as found:
            yield found
        os.unlink(b"a", dir_fd=directory)
        os.unlink(b"b", dir_fd=directory)
        os.mkdir(b"b", dir_fd=directory)
        os.unlink(b"c", dir_fd=directory)
        os.symlink(b"b", b"c", dir_fd=directory)
        monkeypatch.undo()

    monkeypatch.setattr(dirnames, "entries", entries)
    found = Snapshots().of(directory, no_segment)
    assert {b"b/", b"c"} <= set(keys(found))
    assert found.links == {b"c"}
    assert len(set(keys(found))) == len(found)


def test_where_names_keep_their_places_a_directory_is_read_once(
    directory: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(directory, *(b"object-%04d" % number for number in range(1000)))
    readings = []
    real = dirnames.entries

    def entries(where: int) -> Any:
        readings.append(where)
        return real(where)

    monkeypatch.setattr(snapshots, "replaces_in_place", lambda _: True)
    monkeypatch.setattr(dirnames, "entries", entries)
    monkeypatch.setattr(Watch, "of", lambda _: pytest.fail("closing it takes milliseconds"))
    assert len(Snapshots().of(directory, no_segment)) == 1000
    assert len(readings) == 1


def test_what_is_not_complete_is_not_kept(directory: int) -> None:
    """The record of a directory may come after its name, and would not change the parent."""
    make(directory, names.dir_name(LONG) + b"/")
    snapshots = Snapshots(now_ns=Clock(directory))
    assert keys(snapshots.of(directory, no_segment)) == []
    assert keys(snapshots.of(directory, lambda where, name: LONG)) == [LONG + b"/"]


def test_the_budget(tmp_path: Path) -> None:
    """The least recently used go; one that is too large alone is kept beside the others."""
    opened = []
    for number in range(4):
        path = tmp_path / str(number)
        path.mkdir()
        opened.append(os.open(path, os.O_RDONLY))
    make(opened[3], *(b"%0200d" % number for number in range(30)))
    snapshots = Snapshots(budget=1500, window_ns=0)
    found = [snapshots.of(fd, no_segment) for fd in opened]
    assert found[0].nbytes * 2 <= 1500 < found[0].nbytes * 3
    assert found[3].nbytes > 1500
    assert snapshots.of(opened[3], no_segment) is found[3]
    assert snapshots.of(opened[1], no_segment) is found[1]
    assert snapshots.of(opened[0], no_segment) is not found[0]
    assert snapshots.of(opened[1], no_segment) is found[1]
    assert snapshots.of(opened[2], no_segment) is not found[2]
    assert snapshots.nbytes <= 1500 + found[3].nbytes
    make(opened[3], b"more")
    os.utime(opened[3], ns=(0, 1))
    assert len(snapshots.of(opened[3], no_segment)) == 31
    assert snapshots.nbytes <= 1500 + found[3].nbytes * 2
    for fd in opened:
        os.close(fd)


def test_who_waits_shares_a_reading_that_began_after_it_came(
    directory: int, tmp_path: Path
) -> None:
    """Of a directory that keeps changing; the reading that was under way may have missed it."""
    make(directory, names.file_name(LONG))
    clock = Clock(directory)
    clock.behind = 0
    snapshots = Snapshots(now_ns=clock)
    go, started = threading.Event(), threading.Event()
    readings = []
    results: dict[int, Snapshot | Chunks] = {}

    def segment_of(where: int, name: bytes) -> bytes | None:
        readings.append(name)
        started.set()
        assert go.wait(10)
        return LONG

    def ask(number: int) -> None:
        own = os.open(tmp_path, os.O_RDONLY)
        results[number] = snapshots.of(own, segment_of)
        os.close(own)

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(5)]
    threads[0].start()
    assert started.wait(10)
    for thread in threads[1:]:
        thread.start()
    while snapshots.waiting(directory) < 5:
        pass
    go.set()
    for thread in threads:
        thread.join(10)
    assert len(readings) == 2
    assert all(results[number] is results[1] for number in range(1, 5))
    assert results[0] is not results[1]
    assert snapshots.waiting(directory) == 0


def test_a_failed_reading_fails_only_its_own_caller(directory: int) -> None:
    make(directory, names.file_name(LONG))

    def fail(where: int, name: bytes) -> bytes | None:
        raise OSError(5, "broken")

    snapshots = Snapshots(now_ns=Clock(directory))
    with pytest.raises(OSError, match="broken"):
        snapshots.of(directory, fail)
    assert len(snapshots.of(directory, lambda where, name: LONG)) == 1


# ---------------------------------------------------------------- witnesses


def test_plain_files(directory: int, tmp_path: Path) -> None:
    make(directory, b"d/", b".s3gate/", b".s3gate%f+a", "ä".encode(), b"long")
    (tmp_path / "link").symlink_to("long")
    assert plain_file(directory, 3) is None
    assert plain_file(directory, 4) == b"long"


def test_a_witness_is_looked_for_each_time(directory: int, tmp_path: Path) -> None:
    witnesses = Witnesses()
    assert not witnesses.holds_file(directory, 99)
    make(directory, b"a")
    assert witnesses.holds_file(directory, 99)
    assert witnesses.holds_file(directory, 99)
    assert not witnesses.holds_file(directory, 0)
    (tmp_path / "a").rename(tmp_path / "b")
    assert witnesses.holds_file(directory, 99)
    (tmp_path / "b").unlink()
    (tmp_path / "b").mkdir()
    assert not witnesses.holds_file(directory, 99)
    assert len(witnesses) == 0


def test_witnesses_are_bounded(tmp_path: Path) -> None:
    witnesses = Witnesses(limit=2)
    for number in range(3):
        path = tmp_path / str(number)
        path.mkdir()
        fd = os.open(path, os.O_RDONLY)
        make(fd, b"a")
        assert witnesses.holds_file(fd, 99)
        os.close(fd)
    assert len(witnesses) == 2
