"""kill -9, at every change that every request makes, and what the next process finds."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tests.crash.forker import Job
from tests.crash.killing import Forker
from tests.crash.scenes import SCENES, Scene
from tests.crash.simulated import Tried
from tests.crash.stages import KINDS, THEN, Expected, Stage

every_scene = pytest.mark.parametrize("scene", SCENES, ids=[scene.name for scene in SCENES])


def job(stage: Stage, scene: Scene, kill: int = -1, half: bool = False) -> Job:
    """A scene at the root of a stage."""
    return Job(str(stage.root), stage.probe, scene.name, kill=kill, half=half)


def kill(
    stage: Stage, expected: Expected, forker: Forker, number: int, half: bool
) -> tuple[list[str], bool]:
    """Kill at a change; what is wrong then, and whether it came to that."""
    stage.clear()
    scene = expected.scene
    child = forker.play(job(stage, scene, number, half))
    acknowledged = child.done == ""
    assert child.done in ("", None)
    then = THEN[number % len(THEN)]
    wrong = expected.wrong(stage, child.told, acknowledged, then)
    return [
        f"before change {number}, half: {half}, {then}: {one}" for one in wrong
    ], not acknowledged


@every_scene
def test_some_kills(tmp_path: Path, forker: Forker, scene: Scene) -> None:
    stage = Stage(tmp_path)
    expected = Expected.of(scene, stage)
    stage.clear()
    changes = forker.play(job(stage, scene)).changes
    chance = random.Random(scene.name)
    wrong, killed = kill(stage, expected, forker, chance.randrange(changes + 1), True)
    assert wrong == []
    assert killed


@pytest.mark.crash
@pytest.mark.parametrize("kind", KINDS)
@every_scene
def test_kills(tmp_path: Path, forker: Forker, scene: Scene, kind: str) -> None:
    stage, tried, found = Stage(tmp_path, kind), Tried(), []
    expected = Expected.of(scene, stage)
    for half in (False, True):
        for number in range(1000):
            wrong, killed = kill(stage, expected, forker, number, half)
            found += wrong
            tried.crashes += killed
            tried.states += killed
            if not killed:
                break
    assert found == []
    assert tried.crashes > 1
    tried.say(f"kills, {kind}")
