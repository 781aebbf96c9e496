"""Writers that share syncs of a directory: each answer holds, whoever has synced for it."""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event, Lock

import pytest

from s3daemon.store.posix.syncing import Syncs
from tests.crash.lossy import Crashes
from tests.crash.recorder import Recorder
from tests.crash.stages import Stage
from tests.store.tools import put

WRITERS, EACH = 16, 4


def lost(stage: Stage) -> list[str]:
    """Objects that were acknowledged, and are not there after a power cut."""
    recorder = Recorder(stage.clear())
    recorder.yields = 20
    answers: list[tuple[int, str]] = []
    with stage.store(recorder) as store:
        store.buckets.create("bucket", "alice")

        def write(writer: int) -> None:
            for number in range(EACH):
                key = f"d/{writer}-{number}"
                put(store, "bucket", key, b"x")
                answers.append((len(recorder.log.events), key))

        with ThreadPoolExecutor(WRITERS) as pool:
            list(pool.map(write, range(WRITERS)))
    recorder.close()
    assert len(answers) == WRITERS * EACH
    crashes, found = Crashes(recorder.log), []
    for point, _ in random.Random(1).sample(answers, 16):
        tree = crashes.after(point, 0)
        acknowledged = {key for at, key in answers if at <= point}
        there = {key for key in acknowledged if b"/bucket/" + key.encode() in tree}
        found += sorted(acknowledged - there)
    return found


def test_what_was_answered_is_there(tmp_path: Path) -> None:
    assert lost(Stage(tmp_path)) == []


class _JoinsWhatRuns(Syncs):
    """Shares a sync that has begun already."""

    def __init__(self) -> None:
        super().__init__()
        self._running: dict[tuple[int, int], Event] = {}
        self._running_lock = Lock()

    def together(self, sync: Callable[[int], None], fd: int) -> None:
        """See :meth:`Syncs.together`."""
        status = os.fstat(fd)
        identity = status.st_dev, status.st_ino
        with self._running_lock:
            running = self._running.get(identity)
            mine = self._running.setdefault(identity, Event())
        if running is not None:
            running.wait()
            return
        sync(fd)
        with self._running_lock:
            del self._running[identity]
        mine.set()


def test_a_sync_that_has_begun_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("s3daemon.store.posix.durable.Syncs", _JoinsWhatRuns)
    stage = Stage(tmp_path)
    assert any(lost(stage) for _ in range(20))
