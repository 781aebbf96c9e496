"""Directories that are read through descriptors that others have too."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from s3daemon.store.posix.entries import entries, names_in
from s3daemon.store.posix.store import PosixStore


@pytest.fixture
def directory(tmp_path: Path) -> Iterator[int]:
    fd = os.open(tmp_path, os.O_RDONLY | os.O_DIRECTORY)
    for number in range(3):
        (tmp_path / f"{number}").touch()
    yield fd
    os.close(fd)


def test_somebody_else_is_in_the_middle_of_it(directory: int) -> None:
    with os.scandir(directory) as others:
        next(others)  # and has read them all, as far as the kernel is concerned
        assert sorted(names_in(directory)) == [b"0", b"1", b"2"]
        with entries(directory) as found:
            assert {entry.name for entry in found} == {"0", "1", "2"}


def test_what_came_after_it_was_opened(directory: int, tmp_path: Path) -> None:
    assert len(names_in(directory)) == 3
    (tmp_path / "3").touch()
    assert sorted(names_in(directory)) == [b"0", b"1", b"2", b"3"]


def test_a_directory_that_is_gone_holds_nothing(tmp_path: Path) -> None:
    (tmp_path / "gone").mkdir()
    fd = os.open(tmp_path / "gone", os.O_RDONLY | os.O_DIRECTORY)
    (tmp_path / "gone").rmdir()
    assert names_in(fd) == []
    os.close(fd)


def test_nothing_stays_open(directory: int) -> None:
    before = len(os.listdir("/proc/self/fd"))
    with entries(directory) as found:
        next(found)
    assert names_in(directory)
    assert len(os.listdir("/proc/self/fd")) == before


def test_buckets_are_listed_whoever_else_lists_them(disk_store: PosixStore) -> None:
    for number in range(3):
        disk_store.buckets.create(f"bucket-{number}", "alice")
    with os.scandir(disk_store._volume.fd) as others:
        next(others)
        assert len(disk_store.buckets.list()) == 4
