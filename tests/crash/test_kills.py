"""kill -9, at every change that every request makes, and what the next process finds."""

from __future__ import annotations

import itertools
import random
from pathlib import Path

import pytest

from tests.crash.killed import changes_of, wrong_after
from tests.crash.killing import Forker
from tests.crash.scenes import SCENES, Scene
from tests.crash.simulated import Tried
from tests.crash.stages import KINDS, Expected, Stage

every_scene = pytest.mark.parametrize("scene", SCENES, ids=[scene.name for scene in SCENES])


@pytest.mark.parametrize("kind", ["unnamed", "sidecars"])
@every_scene
def test_some_kills(tmp_path: Path, forker: Forker, scene: Scene, kind: str) -> None:
    stage = Stage(tmp_path, kind)
    expected = Expected.of(scene, stage)
    number = random.Random(scene.name).randrange(changes_of(stage, scene, forker) + 1)
    assert wrong_after(stage, expected, forker, number, half=True) == []


@pytest.mark.crash
@pytest.mark.parametrize("kind", KINDS)
@every_scene
def test_kills(tmp_path: Path, forker: Forker, scene: Scene, kind: str) -> None:
    stage, tried, found = Stage(tmp_path, kind), Tried(), []
    expected = Expected.of(scene, stage)
    for half in (False, True):
        for number in itertools.count():
            wrong = wrong_after(stage, expected, forker, number, half)
            if wrong is None:
                break
            tried.crashes += 1
            tried.states += 1
            found += wrong
    assert found == []
    assert tried.crashes > 1
    tried.say(f"kills, {kind}")


@pytest.mark.crash
@every_scene
def test_kills_where_nothing_is_synced(tmp_path: Path, forker: Forker, scene: Scene) -> None:
    """What is relaxed outlives its process all the same."""
    stage, tried = Stage(tmp_path, durability="relaxed"), Tried()
    expected = Expected.of(scene, stage)
    for number in itertools.count():
        wrong = wrong_after(stage, expected, forker, number)
        if wrong is None:
            break
        tried.crashes += 1
        tried.states += 1
        assert wrong == []
    tried.say("kills, relaxed")
