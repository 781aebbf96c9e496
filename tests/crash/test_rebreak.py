"""The tests of crashes find what they are for: the store is broken on purpose, and they see it.

They find nothing where nothing is broken: the tests beside this one ask for that, of all requests.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.crash import races, scenes
from tests.crash.breaking import BY_FAILED_SYNC, BY_KILL, BY_POWER, BY_RACE, Break
from tests.crash.killed import MORE, run, wrong_after, wrong_with
from tests.crash.killing import Forker
from tests.crash.simulated import judge_of, record, violations
from tests.crash.stages import Expected, Stage

_SEEDS = range(20)


def _named(breaks: list[tuple[Break, str]]) -> pytest.MarkDecorator:
    ids = [f"{one.__name__}: {name}" for one, name in breaks]
    return pytest.mark.parametrize(("broken", "name"), breaks, ids=ids)


def _power(stage: Stage, name: str) -> Iterator[str]:
    """What power cuts show."""
    scene = scenes.BY_NAME[name]
    recorded = record(stage, scene)
    judge = judge_of(stage, Expected.of(scene, stage), recorded.told)
    return violations(stage, recorded, judge, _SEEDS)


def _failed_syncs(stage: Stage, name: str) -> Iterator[str]:
    """What power cuts show after each sync has failed."""
    scene = scenes.BY_NAME[name]
    expected = Expected.of(scene, stage)
    for number in itertools.count():
        recorded = record(stage, scene, number)
        if not recorded.failed:
            return
        judge = judge_of(stage, expected, recorded.told)
        yield from violations(stage, recorded, judge, _SEEDS, share=0.0)


def _kills(stage: Stage, name: str, forker: Forker, broken: str) -> Iterator[str]:
    """What kills show."""
    expected = Expected.of(scenes.BY_NAME[name], stage)
    for number in itertools.count():
        wrong = wrong_after(stage, expected, forker, number, broken=broken)
        if wrong is None:
            return
        yield from wrong


def _race(stage: Stage, name: str, forker: Forker, broken: str) -> Iterator[str]:
    """What kills in a race show."""
    race = next(one for one in races.RACES if one.name == name)
    outcomes = race.outcomes()
    for more in MORE:
        for pause in itertools.count():
            second = run(stage, race, forker, pause, more, broken)
            if second is None:
                break
            yield from wrong_with(stage, outcomes, second)


@_named(BY_POWER)
def test_power_cuts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, broken: Break, name: str
) -> None:
    broken(monkeypatch)
    assert any(_power(Stage(tmp_path), name))


@_named(BY_FAILED_SYNC)
def test_failed_syncs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, broken: Break, name: str
) -> None:
    broken(monkeypatch)
    assert any(_failed_syncs(Stage(tmp_path), name))


@pytest.mark.crash
@pytest.mark.parametrize("name", sorted({name for _, name in (*BY_POWER, *BY_FAILED_SYNC)}))
def test_nothing_is_found_where_nothing_is_broken(tmp_path: Path, name: str) -> None:
    stage = Stage(tmp_path)
    assert list(_power(stage, name)) == list(_failed_syncs(stage, name)) == []


@_named(BY_KILL)
def test_kills(tmp_path: Path, forker: Forker, broken: Break, name: str) -> None:
    assert any(_kills(Stage(tmp_path), name, forker, broken.__name__))


@_named(BY_RACE)
def test_races(tmp_path: Path, forker: Forker, broken: Break, name: str) -> None:
    assert any(_race(Stage(tmp_path), name, forker, broken.__name__))
