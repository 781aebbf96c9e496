"""kill -9 of one of two processes that serve the same at the same time.

The first stands before a change; the second does all that it is to do, or waits for a lock that the
first holds; then the first goes on for some changes, or none, and is killed.
"""

from __future__ import annotations

import itertools
import random
from pathlib import Path

import pytest

from s3daemon.store.interfaces import StorageError
from s3daemon.wire.errors import S3Error
from tests.crash import oracle
from tests.crash.forker import Job
from tests.crash.killing import PATIENCE, Child, Forker
from tests.crash.oracle import View, debris, look
from tests.crash.races import RACES, Race
from tests.crash.scenes import BUCKET, WITHIN
from tests.crash.simulated import Tried
from tests.crash.stages import Stage

every_race = pytest.mark.parametrize("race", RACES, ids=[race.name for race in RACES])

#: How many changes the first makes after the second is done.
MORE = (0, 1, 2, 5)


def run(stage: Stage, race: Race, forker: Forker, pause: int, more: int) -> Child | None:
    """The second, as it ended; None where the first had ended before it was to stand."""
    stage.clear()
    root = str(stage.root)
    with forker.child(
        Job(root, stage.probe, race.first.name, pause=pause, kill=pause + more)
    ) as first:
        if not first.wait_until_it_stands():
            return None
        job = Job(root, stage.probe, race.second.name, told=first.told)
        with forker.child(job) as second:
            second.ends_within(PATIENCE)
            first.go_on()
            first.wait()
            second.wait()
    return second


def wrong(stage: Stage, outcomes: list[tuple[str, View]], second: Child) -> list[str]:
    """What is wrong afterwards."""
    with stage.store() as store:
        now = look(store, WITHIN)
        if not any(second.done == done and now.is_one_of(view) for done, view in outcomes):
            return [f"answered {second.done!r}, and there is {now}"]
        try:
            oracle.finish_uploads(store, (BUCKET,))
            then = look(store, WITHIN)
            found = list(then.faults)
            oracle.sweep(store)
            kept = {item: seen for item, seen in then.items.items() if item[0] != "upload"}
            found += look(store, WITHIN).unexplained(View(kept))
        except (StorageError, S3Error) as error:
            return [f"{type(error).__name__}: {error}"]
        found += sorted(debris(stage.root).files)
        return found


@every_race
def test_some_races(tmp_path: Path, forker: Forker, race: Race) -> None:
    stage, chance = Stage(tmp_path), random.Random(race.name)
    for most in (20, 10, 5, 3, 1):
        second = run(stage, race, forker, chance.randrange(most), chance.choice(MORE))
        if second is not None:
            assert wrong(stage, race.outcomes(), second) == []
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
            found += [
                f"before change {pause}, and {more} more: {one}"
                for one in wrong(stage, outcomes, second)
            ]
    assert found == []
    assert tried.crashes > len(MORE)
    tried.say("kills in races")
