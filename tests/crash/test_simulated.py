"""The power goes, on the simulated disk: in every request, after every change."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.crash.scenes import SCENES, Scene
from tests.crash.simulated import Tried, judge_of, record, violations
from tests.crash.stages import KINDS, Stage

every_scene = pytest.mark.parametrize("scene", SCENES, ids=[scene.name for scene in SCENES])


def found(
    path: Path, scene: Scene, kind: str, seeds: range, share: float, tried: Tried
) -> list[str]:
    """What is wrong after power cuts."""
    stage = Stage(path, kind)
    recorded = record(stage, scene)
    judge = judge_of(stage, scene, recorded.told)
    return list(violations(stage, recorded, judge, seeds, share, tried))


@every_scene
def test_some_power_cuts(tmp_path: Path, scene: Scene) -> None:
    assert found(tmp_path, scene, "unnamed", range(4), 0.15, Tried()) == []


@pytest.mark.crash
@pytest.mark.parametrize("kind", KINDS)
@every_scene
def test_power_cuts(tmp_path: Path, scene: Scene, kind: str) -> None:
    tried = Tried()
    assert found(tmp_path, scene, kind, range(200), 1.0, tried) == []
    assert tried.states > 1
    tried.say(f"simulated power cuts, {kind}")
