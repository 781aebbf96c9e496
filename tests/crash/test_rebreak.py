"""The tests of crashes find what they are for: the store is broken on purpose, and they see it.

They find nothing where nothing is broken: :func:`_finds` asks for that too, and the tests beside
this one do.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
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


def _power(stage: Stage, name: str, fail_sync: int = -1) -> list[str] | None:
    """What power cuts show; None where there was no such sync."""
    scene = scenes.BY_NAME[name]
    recorded = record(stage, scene, fail_sync)
    judge = judge_of(stage, scene, recorded.told)
    share = 1.0 if fail_sync < 0 else 0.0
    found = list(violations(stage, recorded, judge, _SEEDS, share))
    return found if fail_sync < 0 or recorded.failed else None


def _failed_syncs(stage: Stage, name: str) -> list[str]:
    """What power cuts show after each sync has failed."""
    found: list[str] = []
    for number in itertools.count():
        wrong = _power(stage, name, number)
        if wrong is None:
            return found
        found += [f"sync {number} failed: {one}" for one in wrong]
    raise AssertionError


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


def _finds(bench: Callable[[], list[str]], patch: pytest.MonkeyPatch, broken: Break) -> None:
    """It finds nothing, and then something."""
    assert bench() == []
    broken(patch)
    assert bench()


@_named(BY_POWER)
def test_power_cuts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, broken: Break, name: str
) -> None:
    stage = Stage(tmp_path)
    _finds(lambda: _power(stage, name) or [], monkeypatch, broken)


@_named(BY_FAILED_SYNC)
def test_failed_syncs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, broken: Break, name: str
) -> None:
    stage = Stage(tmp_path)
    _finds(lambda: _failed_syncs(stage, name), monkeypatch, broken)


@_named(BY_KILL)
def test_kills(tmp_path: Path, forker: Forker, broken: Break, name: str) -> None:
    assert any(_kills(Stage(tmp_path), name, forker, broken.__name__))


@_named(BY_RACE)
def test_races(tmp_path: Path, forker: Forker, broken: Break, name: str) -> None:
    assert any(_race(Stage(tmp_path), name, forker, broken.__name__))
