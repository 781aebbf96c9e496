"""The real daemon is killed under load, again and again: nothing acknowledged is lost.

``S3GATE_KILLS`` says how often, ``S3GATE_SEED`` what is done and when; ``pytest -s`` shows figures.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from tests.crash.loop.killing import Loop

KILLS = int(os.environ.get("S3GATE_KILLS", "10"))
SEED = int(os.environ.get("S3GATE_SEED", "1"))


@pytest.mark.crash
@pytest.mark.timeout(120 + 60 * KILLS)
@pytest.mark.parametrize("workers", [1, 3])
def test_kills_under_load(tmp_path: Path, workers: int) -> None:
    """With several processes, one of them in half of the cases, and all of them in the others."""
    tally = Loop(tmp_path, SEED, workers).run(KILLS)
    sys.stdout.write(f"\n{workers} workers: {tally}\n")
    assert tally.complaints == []
    assert tally.acknowledged > 0
