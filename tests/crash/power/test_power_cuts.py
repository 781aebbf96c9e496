"""Power cuts, on real file systems: what was acknowledged is there, whole, at every point.

``S3GATE_POWER_CUTS`` says how many for each file system, ``S3GATE_SEED`` which.
"""

from __future__ import annotations

import os
import random
import stat
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from tests.crash.power import bench
from tests.crash.power.device import ENGINES, Engine, missing
from tests.crash.power.served import over_http

CUTS = int(os.environ.get("S3GATE_POWER_CUTS", "100"))
SEED = int(os.environ.get("S3GATE_SEED", "1"))

pytestmark = [
    pytest.mark.crash,
    pytest.mark.timeout(3600),
    pytest.mark.skipif(bool(missing()), reason=missing()),
]


@pytest.fixture
def folder() -> Iterator[Path]:
    """In memory where that is possible, for images are copied all the time."""
    memory = Path("/dev/shm")
    with TemporaryDirectory(dir=memory if os.access(memory, os.W_OK) else None) as path:
        yield Path(path)


@pytest.fixture(params=ENGINES, ids=lambda engine: engine.name)
def engine(request: pytest.FixtureRequest) -> Engine:
    """A file system."""
    found: Engine = request.param
    if found.missing:
        pytest.skip(found.missing)
    return found


def cut(
    engine: Engine, folder: Path, work: bench.Work, count: int, lossy: bool = False
) -> bench.Verdict:
    """Record some work, and cut the power at points of it."""
    recording = bench.record(engine, folder, work)
    chosen = bench.points(recording, count, random.Random(SEED))
    verdict = bench.judge(recording, chosen, folder, lossy)
    what = f"{len(recording.steps)} requests, {recording.flushes} flushes"
    sys.stdout.write(f"\n{engine.name}: {what}: {verdict}\n")  # to be seen with pytest -s
    return verdict


def test_nothing_is_lost(engine: Engine, folder: Path) -> None:
    verdict = cut(engine, folder, bench.clients(SEED, 4, 40), CUTS)
    assert verdict.complaints == []


def test_nothing_is_lost_that_the_daemon_has_answered(engine: Engine, folder: Path) -> None:
    """Two processes: what one makes durable, the other may have made."""
    verdict = cut(engine, folder, over_http(SEED, 6, 30, 2, folder), CUTS)
    assert verdict.complaints == []


def test_what_the_level_data_may_lose(engine: Engine, folder: Path) -> None:
    """Names may be old; but whatever is there is whole."""
    work = bench.clients(SEED, 4, 40, "data")
    verdict = cut(engine, folder, work, CUTS, lossy=True)
    assert verdict.complaints == []
    assert verdict.losing, "nothing is won by syncing less"


class Leaves:
    """Leaves out the fsyncs of a kind."""

    def __init__(self, of: Callable[[int], bool]) -> None:
        self._of = of

    def __call__(self, name: str, call: Callable[..., Any], *args: Any) -> Any:
        if name == "fsync" and self._of(os.fstat(args[0]).st_mode):
            return None
        return call(*args)


@pytest.mark.parametrize("kind", [stat.S_ISREG, stat.S_ISDIR])
def test_without_a_sync_the_bench_finds_losses(folder: Path, kind: Callable[[int], bool]) -> None:
    """Else nothing that it does not find means anything."""
    if ENGINES[0].missing:
        pytest.skip(ENGINES[0].missing)
    work = bench.clients(SEED, 1, 60, hooks=lambda: [Leaves(kind)])
    verdict = cut(ENGINES[0], folder, work, max(CUTS, 50))
    assert verdict.losing >= 0.3 * verdict.points
