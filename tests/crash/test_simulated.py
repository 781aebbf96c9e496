"""Power cuts on the simulated disk: every request, cut after every change, with what chance leaves."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from pathlib import Path

import attrs
import pytest

from tests.crash.lossy import Crashes, Tree
from tests.crash.oracle import look
from tests.crash.recorder import Log, Recorder
from tests.crash.scenes import SCENES, WITHIN, Scene, Told
from tests.crash.stages import KINDS, THEN, Expected, Stage


@attrs.frozen
class Recorded:
    """A scene as it was played on a disk.

    :ivar begin: how many events there were before the request.
    """

    log: Log
    begin: int
    told: Told

    def points(self) -> list[int]:
        """Numbers of events after which the power can go; the last one is the acknowledgement."""
        return [self.begin, *sorted({end for _, end in self.log.calls if end > self.begin})]


def record(stage: Stage, scene: Scene) -> Recorded:
    """Play a scene."""
    recorder = Recorder(stage.clear())
    with stage.store(recorder) as store:
        world, told = scene.prepare(store)
        begin = len(recorder.log.events)
        scene.act(world, told)
    recorder.close()
    return Recorded(recorder.log, begin, told)


@attrs.define
class Tried:
    """How much was tried: crashes, and how many different states they left."""

    crashes: int = 0
    states: int = 0


def violations(
    stage: Stage, expected: Expected, recorded: Recorded, seeds: range, share: float, harsh: bool
) -> Iterator[str]:
    """What is wrong after crashes.

    :param share: of the points; the last one is always among them.
    """
    crashes = Crashes(recorded.log, harsh)
    points = recorded.points()
    chance = random.Random(expected.scene.name)
    seen: set[tuple[bool, int]] = set()
    for point in points:
        acknowledged = point == points[-1]
        if not acknowledged and chance.random() >= share:
            continue
        for seed in seeds:
            tree = crashes.after(point, seed)
            TRIED.crashes += 1
            mark = acknowledged, hash(tuple(sorted(tree.items())))
            if mark in seen:
                continue
            seen.add(mark)
            TRIED.states += 1
            crashes.put(tree, stage.clear(make=False))
            then = THEN[len(seen) % len(THEN)]
            for wrong in expected.wrong(stage, recorded.told, acknowledged, then):
                yield f"after {point} of {points[-1]}, seed {seed}, {then}: {wrong}"


TRIED = Tried()


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return Stage(tmp_path)


@pytest.mark.parametrize("scene", SCENES, ids=[scene.name for scene in SCENES])
def test_some_power_cuts(tmp_path: Path, scene: Scene) -> None:
    stage = Stage(tmp_path)
    expected = Expected.of(scene, stage)
    recorded = record(stage, scene)
    assert (
        list(violations(stage, expected, recorded, range(8), 1, bool(os.environ.get("HARSH"))))
        == []
    )
