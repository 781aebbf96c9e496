"""The simulated disk: what it must keep, what it may lose, and that it is a disk at all."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from s3daemon.store.posix.durable import Disk
from tests.crash.lossy import SECTOR, Crashes
from tests.crash.oracle import look
from tests.crash.recorder import Recorder, UnknownChange
from tests.crash.scenes import BY_NAME, WITHIN
from tests.crash.simulated import Recorded, record
from tests.crash.stages import Stage

SEEDS = range(60)
Content = dict[str, bytes | None]


class Bench:
    """A directory that is changed, and what crashes leave of it."""

    def __init__(self, root: Path) -> None:
        root.mkdir()
        self.root = root
        self.fd = os.open(root, os.O_RDONLY)
        self.recorder = Recorder(root)
        self.disk = Disk(hooks=[self.recorder])

    def file(self, name: bytes, data: bytes, *, sync: bool = True) -> int:
        """A new file; its directory is not synced."""
        fd = self.disk.create(name, self.fd)
        self.disk.write(fd, [data])
        if sync:
            self.disk.fsync(fd)
        return fd

    def left(self, seeds: range = SEEDS) -> list[Content]:
        """Different contents that may be there now."""
        crashes = Crashes(self.recorder.log)
        found: list[Content] = []
        for seed in seeds:
            tree = crashes.after(len(self.recorder.log.events), seed)
            content = {
                path.decode(): None if stat.S_ISDIR(self.recorder.log.kinds[node]) else held[0]
                for path, (node, held) in tree.items()
                if path
            }
            if content not in found:
                found.append(content)  # type: ignore[arg-type]
        return found


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path / "bench")
    yield made
    made.recorder.close()
    os.close(made.fd)


def test_a_file_without_its_directory(bench: Bench) -> None:
    bench.file(b"f", b"x")
    assert {frozenset(one) for one in bench.left()} == {frozenset(), frozenset({"/f"})}
    bench.disk.fsync(bench.fd)
    assert bench.left() == [{"/f": b"x"}]


def test_a_directory_without_its_file(bench: Bench) -> None:
    bench.file(b"f", b"x" * SECTOR + b"y", sync=False)
    bench.disk.fsync(bench.fd)
    found = {one["/f"] for one in bench.left()}
    assert found == {
        b"",
        bytes(SECTOR + 1),
        b"x" * SECTOR + b"\0",
        bytes(SECTOR) + b"y",
        b"x" * SECTOR + b"y",
    }


def test_entries_keep_their_order(bench: Bench) -> None:
    for name in (b"1", b"2", b"3"):
        bench.file(name, b"")
    assert {frozenset(one) for one in bench.left()} == {
        frozenset(),
        frozenset({"/1"}),
        frozenset({"/1", "/2"}),
        frozenset({"/1", "/2", "/3"}),
    }


def test_a_rename_is_one_step(bench: Bench) -> None:
    bench.disk.mkdir(b"d", bench.fd)
    bench.file(b"f", b"new")
    bench.file(b"d/f", b"old")
    inner = os.open(b"d", os.O_RDONLY, dir_fd=bench.fd)
    for fd in (inner, bench.fd):
        bench.disk.fsync(fd)
    bench.disk.rename(b"f", bench.fd, b"f", inner)
    both = [{"/d": None, "/d/f": b"new"}, {"/d": None, "/d/f": b"old", "/f": b"new"}]
    assert sorted(bench.left(), key=len) == both
    bench.disk.fsync(inner)
    assert bench.left() == both[:1]
    os.close(inner)


def test_a_directory_that_is_not_durable_takes_all_with_it(bench: Bench) -> None:
    bench.disk.mkdir(b"d", bench.fd)
    bench.file(b"d/f", b"x")
    inner = os.open(b"d", os.O_RDONLY, dir_fd=bench.fd)
    bench.disk.fsync(inner)
    os.close(inner)
    assert {} in bench.left()


def test_a_failed_sync_is_not_made_good_by_another(bench: Bench) -> None:
    fd = bench.file(b"f", b"old")
    bench.disk.fsync(bench.fd)
    bench.disk.pwrite(fd, [b"new"], 0)
    bench.recorder.fail_sync = 0
    with pytest.raises(OSError, match=os.strerror(errno.EIO)):
        bench.disk.fsync(fd)
    bench.disk.fsync(fd)
    assert {one["/f"] for one in bench.left()} == {b"old", b"new"}
    bench.disk.pwrite(fd, [b"NEW"], 0)
    bench.disk.fsync(fd)
    assert {one["/f"] for one in bench.left()} == {b"NEW"}


@pytest.mark.parametrize(
    "change",
    [
        lambda disk, fd: disk.truncate(fd, 1),
        lambda disk, fd: disk.punch(fd, 0, 2),
        lambda disk, fd: disk.copy(fd, fd, 1, 0, 2),
        lambda disk, fd: disk.pwrite(fd, [b"x"], 1),
    ],
)
def test_changes_of_a_file(bench: Bench, change: Callable[[Disk, int], object]) -> None:
    fd = bench.file(b"f", b"abc")
    bench.disk.fsync(bench.fd)
    change(bench.disk, fd)
    now = (bench.root / "f").read_bytes()
    assert now != b"abc"
    assert {one["/f"] for one in bench.left()} == {b"abc", now}
    bench.disk.sync_all(fd)
    assert [one["/f"] for one in bench.left()] == [now]


def test_a_change_that_it_does_not_know(bench: Bench) -> None:
    with pytest.raises(UnknownChange, match="melt"):
        bench.recorder("melt", lambda: None)


def test_where_nothing_is_lost_all_is_as_it_was(tmp_path: Path) -> None:
    """And stamps hold, though the inodes are other ones."""
    stage = Stage(tmp_path)
    for name in ("complete by copying, over", "delete a folder that is not empty"):
        scene = BY_NAME[name]
        recorded: Recorded = record(stage, scene)
        crashes = Crashes(recorded.log)
        crashes.put(crashes.after(len(recorded.log.events), 2), stage.clear(make=False))
        with stage.store() as store:
            assert look(store, WITHIN) == scene.states()[1]
