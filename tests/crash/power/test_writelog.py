"""Write logs are read, and what a device may have kept of one is chosen, as they should be."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from tests.crash.power.replay import Replay
from tests.crash.power.writelog import FUA, MAGIC, SECTOR, Entry, Point, last_flush, read

A, B, C = (bytes([letter]) * SECTOR for letter in b"ABC")


def written(path: Path, *entries: tuple[int, int, bytes], end: bytes = b"") -> Path:
    """A log of (sector, flags, data)."""
    raw = struct.pack("<QQQL", MAGIC, 1, 0, SECTOR).ljust(SECTOR, b"\0")
    for sector, flags, data in entries:
        head = struct.pack("<QQQQ", sector, len(data) // SECTOR, flags, 0)
        raw += head.ljust(SECTOR, b"\0") + data
    path.write_bytes(raw + end)
    return path


def test_a_log_is_read(tmp_path: Path) -> None:
    log = written(tmp_path / "log", (3, 0, A + B), (0, 1, b""), (0, 0, C), end=bytes(SECTOR))
    assert list(read(log)) == [
        Entry(3 * SECTOR, A + B),
        Entry(0, b"", flush=True),
        Entry(0, C),
    ]


def test_a_write_that_is_not_whole_ends_it(tmp_path: Path) -> None:
    log = written(tmp_path / "log", (0, 0, A), (1, 0, B + C))
    log.write_bytes(log.read_bytes()[:-1])
    assert list(read(log)) == [Entry(0, A)]


def test_what_is_not_known_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="flags 2"):
        list(read(written(tmp_path / "log", (0, FUA, A))))
    (tmp_path / "other").write_bytes(bytes(SECTOR))
    with pytest.raises(ValueError, match="no write log"):
        list(read(tmp_path / "other"))


LOG = [Entry(0, A), Entry(0, b"", flush=True), Entry(SECTOR, B + B), Entry(0, C)]


def test_what_is_kept() -> None:
    assert last_flush(LOG, 4) == last_flush(LOG, 2) == 2
    assert last_flush(LOG, 1) == 0
    assert list(Point(4).kept(LOG)) == LOG[2:]
    assert list(Point(3).kept(LOG)) == LOG[2:3]
    # With many seeds each of the possibilities comes up; what was flushed is never in question.
    seen = {tuple(Point(4, seed).kept(LOG)) for seed in range(200)}
    torn = (Entry(2 * SECTOR, B),)
    assert {(), tuple(LOG[2:]), (LOG[3],), (LOG[2],), torn} <= seen
    assert list(Point(4, 7).kept(LOG)) == list(Point(4, 7).kept(LOG))


def test_a_device_tears_at_its_atoms() -> None:
    entry = Entry(3 * SECTOR, A + B + C)
    seen = {tuple(Point(1, seed).kept([entry], 4 * SECTOR)) for seed in range(200)}
    assert seen == {
        (),
        (entry,),
        (Entry(3 * SECTOR, A),),
        (Entry(4 * SECTOR, B + C),),
        (Entry(3 * SECTOR, A), Entry(4 * SECTOR, B + C)),
    }


def test_images_of_points(tmp_path: Path) -> None:
    base, image = tmp_path / "base", tmp_path / "image"
    base.write_bytes(bytes(4 * SECTOR))
    replay = Replay(base, LOG)
    empty = bytes(SECTOR)
    for entries, wanted in [
        (0, empty * 4),
        (1, A + empty * 3),
        (2, A + empty * 3),
        (3, A + B + B + empty),
        (4, C + B + B + empty),
    ]:
        replay.image(Point(entries), image)
        assert image.read_bytes() == wanted
    with pytest.raises(AssertionError):
        replay.image(Point(0), image)
