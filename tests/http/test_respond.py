"""How the bytes of an open object leave: by sendfile where nobody writes into it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from twisted.internet.defer import Deferred, ensureDeferred

from s3daemon.actions.base import Answer, Slice
from s3daemon.http import respond
from s3daemon.http.sendfile import BodyCutShort
from s3daemon.store.interfaces import IReader, IStore
from s3daemon.store.memory import MemoryStore
from s3daemon.store.posix.at_once import AtOnceReader
from s3daemon.store.posix.store import PosixStore
from s3daemon.streams.pool import SynchronousPool
from tests.store.posix.disks import descriptors
from tests.store.tools import put

DATA = b"data" * 30_000


class Recorder:
    """Takes an answer, as a request does.

    :ivar taken: by which method, and the bytes.
    """

    def __init__(self, meanwhile: Callable[[], object] = lambda: None) -> None:
        self.taken: tuple[str, bytes] | None = None
        self._meanwhile = meanwhile

    async def answer_file(
        self, status: int, fields: Any, fd: int, offset: int, length: int, produce: Any, pace: Any
    ) -> None:
        first = os.pread(fd, length - 1000, offset)
        self._meanwhile()
        self.taken = "file", first + await produce(length - 1000, 1000)

    async def answer_pieces(
        self, status: int, fields: Any, produce: Any, length: int, pace: Any
    ) -> None:
        first = await produce(0, 1000)
        self._meanwhile()
        self.taken = "pieces", first + await produce(1000, length - 1000)


def send(recorder: Recorder, reader: IReader) -> Deferred[None]:
    answer = Answer(200, (), Slice(reader, 2, len(DATA) - 2))
    sent = respond.send(recorder, answer, [], SynchronousPool())  # type: ignore[arg-type]
    return ensureDeferred(sent)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[PosixStore]:
    store = PosixStore(tmp_path)
    yield store
    store.close()


def opened(store: IStore, age: int = 10) -> IReader:
    """An object that was written so many seconds ago."""
    store.buckets.create("bucket", "alice")
    info = put(store, "bucket", "k", DATA)
    reader = store.objects.open("bucket", "k")
    # As if that were long ago; what the record says is of no account here.
    fd = reader.fileno()
    if fd is None:
        return reader
    when = info.modified_ns - age * 10**9
    os.utime(fd, ns=(when, when))
    reader.close()
    return store.objects.open("bucket", "k")


@pytest.mark.parametrize(("age", "how"), [(10, "file"), (3, "file"), (0, "pieces"), (-5, "file")])
def test_only_what_nobody_has_written_into_lately_goes_by_sendfile(
    store: PosixStore, age: int, how: str
) -> None:
    recorder = Recorder()
    send(recorder, opened(store, age))
    assert recorder.taken == (how, DATA[2:])


@pytest.mark.parametrize("age", [10, 0])
def test_what_is_written_into_meanwhile_does_not_come_to_its_end(
    store: PosixStore, tmp_path: Path, age: int
) -> None:
    def change() -> None:
        with open(tmp_path / "bucket" / "k", "r+b") as file:
            file.write(b"other")
        os.utime(tmp_path / "bucket" / "k", ns=(1, 1))

    reader = opened(store, age)
    before = descriptors() - 1
    recorder = Recorder(change)
    failed: list[Any] = []
    send(recorder, reader).addErrback(failed.append)
    assert recorder.taken is None
    assert failed[0].type is BodyCutShort
    assert descriptors() == before


def test_from_memory() -> None:
    recorder = Recorder()
    send(recorder, opened(MemoryStore()))
    assert recorder.taken == ("pieces", DATA[2:])


def test_what_was_opened_at_once_may_wait_now(
    store: PosixStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader = opened(store)
    fd = reader.fileno()
    assert fd is not None
    at_once = AtOnceReader(reader.info, os.dup(fd))
    reader.close()
    before = descriptors()

    def cold(*_: Any) -> int:
        raise BlockingIOError

    monkeypatch.setattr(os, "preadv", cold)
    recorder = Recorder()
    send(recorder, at_once)
    at_once.close()
    assert recorder.taken == ("file", DATA[2:])
    assert descriptors() == before - 1
