"""kill -9 of one of two processes that serve the same at the same time.

The first stands before a change; the second does all that it is to do, or waits for a lock that the
first holds; then the first goes on for some changes, or none, and is killed.
"""

from __future__ import annotations

import itertools
import random
from pathlib import Path

import pytest

from tests.crash.killed import MORE, run, wrong_with
from tests.crash.killing import Forker
from tests.crash.races import RACES, Race
from tests.crash.simulated import Tried
from tests.crash.stages import Stage

every_race = pytest.mark.parametrize("race", RACES, ids=[race.name for race in RACES])


@every_race
def test_some_races(tmp_path: Path, forker: Forker, race: Race) -> None:
    stage, chance = Stage(tmp_path), random.Random(race.name)
    for most in (20, 10, 5, 3, 1):
        second = run(stage, race, forker, chance.randrange(most), chance.choice(MORE))
        if second is not None:
            assert wrong_with(stage, race.outcomes(), second) == []
            return
    raise AssertionError("the first is never killed")


@pytest.mark.crash
@every_race
def test_races(tmp_path: Path, forker: Forker, race: Race) -> None:
    stage, tried, found = Stage(tmp_path), Tried(), []
    outcomes = race.outcomes()
    for more in MORE:
        for pause in itertools.count():
            second = run(stage, race, forker, pause, more)
            if second is None:
                break
            tried.crashes += 1
            tried.states += 1
            where = f"before change {pause}, and {more} more"
            found += [f"{where}: {one}" for one in wrong_with(stage, outcomes, second)]
    assert found == []
    assert tried.crashes > len(MORE)
    tried.say("kills in races")
