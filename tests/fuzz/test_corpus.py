"""What fuzzing is made of, replayed: every seed, and a few changes of each, on plain Python."""

from __future__ import annotations

import itertools
import random

import pytest

from fuzz import plain
from fuzz.target import CORPUS, Broken, Target
from fuzz.targets import TARGETS

SEEDS = [(target, name) for target in TARGETS.values() for name, _ in target.corpus()]


@pytest.mark.parametrize(("target", "name"), SEEDS, ids=lambda part: getattr(part, "name", part))
def test_every_seed(target: Target, name: str) -> None:
    outcome = target.run((CORPUS / target.name / name).read_bytes())
    assert isinstance(outcome, str)


@pytest.mark.parametrize("target", TARGETS.values(), ids=lambda target: target.name)
def test_some_changes(target: Target) -> None:
    pool = [data for _, data in target.corpus()]
    for data in itertools.islice(plain.inputs(target, pool, random.Random(7)), 50):
        target.run(data)


@pytest.mark.parametrize("target", TARGETS.values(), ids=lambda target: target.name)
def test_seeds_are_small_and_say_different_things(target: Target) -> None:
    """A corpus that comes to one outcome reaches next to nothing."""
    seeds = list(target.corpus())
    assert len(seeds) >= 3
    assert all(len(data) <= 16384 for _, data in seeds)
    assert len({target.run(data) for _, data in seeds}) >= 2


def test_there_is_a_corpus_for_each_and_no_other() -> None:
    assert {path.name for path in CORPUS.iterdir()} == set(TARGETS)


def test_what_breaks_a_promise_is_found() -> None:
    def run(data: bytes) -> str:
        if b"\xff" in data:
            raise Broken("no bytes above 0xFE")
        return f"{len(data) // 10}"

    target = Target("ranges", run, (b"\xfe", b"\xff"))
    count, finding = plain.run(target, 60, seed=1)
    assert finding is not None
    data, error = finding
    assert b"\xff" in data
    assert str(error) == "no bytes above 0xFE"
    assert count > 0
