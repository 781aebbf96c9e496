"""Whole lives of a store on the simulated disk, with two gateways, cut short by power cuts."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest

from tests.crash.lives import cut_short, live
from tests.crash.simulated import Tried
from tests.crash.stages import KINDS, Stage

#: How many lives there are on each kind of file system.
SEEDS = int(os.environ.get("S3GATE_TEST_SEEDS", "20"))


def _wrong(path: Path, kind: str, seed: int, length: int, cuts: int, tried: Tried) -> list[str]:
    chance = random.Random(seed)
    stage = Stage(path, kind)
    return list(cut_short(stage, live(stage, chance, length), chance, cuts, tried))


@pytest.mark.parametrize("seed", range(12))
def test_some_lives(tmp_path: Path, seed: int) -> None:
    kind = list(KINDS)[seed % len(KINDS)]
    assert _wrong(tmp_path, kind, seed, 25, 12, Tried()) == []


@pytest.mark.crash
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", range(100, 100 + SEEDS))
def test_lives(tmp_path: Path, seed: int, kind: str) -> None:
    tried = Tried()
    assert _wrong(tmp_path, kind, seed, 60, 60, tried) == []
    tried.say("lives of two gateways")
