"""The power goes, on the simulated disk: in every request, after every change."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tests.crash.recorder import Synced
from tests.crash.scenes import SCENES, Scene
from tests.crash.simulated import Tried, judge_of, record, violations
from tests.crash.stages import KINDS, Expected, Stage

every_scene = pytest.mark.parametrize("scene", SCENES, ids=[scene.name for scene in SCENES])


def found(
    path: Path, scene: Scene, kind: str, seeds: range, share: float, tried: Tried
) -> list[str]:
    """What is wrong after power cuts."""
    stage = Stage(path, kind)
    recorded = record(stage, scene)
    judge = judge_of(stage, Expected.of(scene, stage), recorded.told)
    return list(violations(stage, recorded, judge, seeds, share, tried))


def syncs(stage: Stage, scene: Scene) -> int:
    """How many syncs the request makes."""
    recorded = record(stage, scene)
    return sum(isinstance(event, Synced) for event in recorded.log.events[recorded.begin :])


def after_failed_syncs(
    stage: Stage, scene: Scene, numbers: set[int], seeds: range, tried: Tried
) -> list[str]:
    """What is wrong when one of the syncs fails, whatever is answered then, and the power goes."""
    wrong, expected = [], Expected.of(scene, stage)
    for number in sorted(numbers):
        recorded = record(stage, scene, number)
        judge = judge_of(stage, expected, recorded.told)
        for one in violations(stage, recorded, judge, seeds, 0.0, tried):
            wrong.append(f"sync {number} failed, answered {recorded.answer!r}, {one}")
    return wrong


@pytest.mark.parametrize("kind", ["unnamed", "sidecars"])
@every_scene
def test_some_power_cuts(tmp_path: Path, scene: Scene, kind: str) -> None:
    assert found(tmp_path, scene, kind, range(3), 0.1, Tried()) == []


@pytest.mark.crash
@pytest.mark.parametrize("kind", KINDS)
@every_scene
def test_power_cuts(tmp_path: Path, scene: Scene, kind: str) -> None:
    tried = Tried()
    assert found(tmp_path, scene, kind, range(50), 1.0, tried) == []
    assert tried.states > 1
    tried.say(f"simulated power cuts, {kind}")


@every_scene
def test_a_sync_fails_and_then_the_power_goes(tmp_path: Path, scene: Scene) -> None:
    """One of them; all in :func:`test_each_sync_fails_and_then_the_power_goes`."""
    stage = Stage(tmp_path)
    some = {random.Random(scene.name).randrange(syncs(stage, scene))}
    assert after_failed_syncs(stage, scene, some, range(3), Tried()) == []


@pytest.mark.crash
@every_scene
def test_each_sync_fails_and_then_the_power_goes(tmp_path: Path, scene: Scene) -> None:
    stage, tried = Stage(tmp_path), Tried()
    every = set(range(syncs(stage, scene)))
    assert after_failed_syncs(stage, scene, every, range(30), tried) == []
    tried.say("simulated power cuts after a failed sync")
