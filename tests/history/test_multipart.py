"""Multipart uploads: every way of a length, and any two or three moves at once, as the model says.

S3GATE_TEST_LENGTH says how far ways are gone, S3GATE_TEST_SEEDS how many meetings there are.
"""

from __future__ import annotations

import itertools
import os
import random
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from s3daemon.store.posix.probe import probe
from s3daemon.store.posix.probed import Probe
from s3daemon.store.posix.store import PosixStore
from tests.history.baton import Baton
from tests.history.multipart import BUCKET, MOVES, Explorer, Side, Step, Tally, Way, model, moment
from tests.store.posix.disks import descriptors

LENGTH = int(os.environ.get("S3GATE_TEST_LENGTH", "4"))
SEEDS = range(int(os.environ.get("S3GATE_TEST_FIRST_SEED", "0")), 1 << 31)
COUNT = int(os.environ.get("S3GATE_TEST_SEEDS", "40"))


@pytest.fixture(scope="module")
def known() -> Iterator[Probe]:
    """What the file system of the tests can do."""
    with tempfile.TemporaryDirectory() as root:
        yield probe(Path(root))


def say(tally: Tally) -> None:
    sys.stdout.write(f"{tally.steps} steps, {tally.cuts} of them cut, {tally.states} states\n")


@pytest.mark.timeout(3600)
def test_every_way(tmp_path: Path, known: Probe) -> None:
    before = descriptors()
    tally = Explorer(tmp_path, known).explore(LENGTH)
    say(tally)
    assert tally.states > 300
    assert descriptors() == before


@pytest.mark.timeout(3600)
def test_every_way_with_a_crash(tmp_path: Path, known: Probe) -> None:
    tally = Explorer(tmp_path, known, crashes=1).explore(LENGTH - 1)
    say(tally)
    assert tally.cuts > 100


@pytest.mark.timeout(3600)
def test_some_long_ways_with_crashes(tmp_path: Path, known: Probe) -> None:
    for seed in itertools.islice(SEEDS, -(-COUNT // 40)):
        where = tmp_path / str(seed)
        where.mkdir()
        explorer = Explorer(where, known, crashes=3, width=2, chance=random.Random(seed))
        say(explorer.explore(7))


# ---------------------------------------------------------------- at once

#: Where those who meet begin.
STARTS: dict[str, Sequence[str]] = {
    "no part": ["begin"],
    "one part": ["begin", "part 1a"],
    "two parts": ["put", "begin", "part 1a", "part 2"],
    "a part again": ["begin", "part 1a", "part 1b", "part 2"],
    "a part under way": ["begin", "part 1c", "start"],
    "another upload": ["begin", "part 1a", "begin", "part 1a", "part 2"],
}
MEETING = [move for move in MOVES if move not in ("begin", "start", "restart")]
NOT_DONE = ("error", "Busy"), ("error", "ConditionConflict")


def meet(seed: int, root: Path, known: Probe, monkeypatch: pytest.MonkeyPatch) -> str:
    """Some moves at once; what is wrong, or nothing."""
    chance = random.Random(seed)
    baton = Baton(chance, chance.choice([0.03, 0.1, 0.3, 0.7]))
    root.mkdir()
    stores = [PosixStore(root, "relaxed", known, [baton.hook]) for _ in range(2)]
    try:
        stores[0].buckets.create(BUCKET, "alice")
        first = Side(stores[0])
        start = STARTS[chance.choice(list(STARTS))]
        way = tuple(map(Step, start))
        for step in way:
            first.do(step.move)
        # Several uploads expire one by one.
        sensible = [move for move in MEETING if move != "expire" or start.count("begin") == 1]
        moves = chance.choices(sensible, k=chance.choice([2, 2, 3]))
        first.before_ns = moment(root)
        sides = [first]
        for number in range(1, len(moves)):
            sides.append(Side(stores[number % 2], first.before_ns))
            sides[-1].upload = first.upload
        results: list[tuple[str, object]] = [("", None)] * len(moves)

        def work(number: int) -> None:
            results[number] = sides[number].do(moves[number])

        with baton.installed(monkeypatch):
            baton.run([lambda number=number: work(number) for number in range(len(moves))])
        if is_some_order(way, moves, results, first.seen()):
            return ""
        return f"{start} then {moves}: {results}, {first.seen()}"
    finally:
        for store in stores:
            store.close()


def is_some_order(
    way: Way, moves: Sequence[str], results: Sequence[tuple[str, object]], seen: object
) -> bool:
    """Whether the moves, one after the other, give these results and leave this to be seen.

    What expires is left alone while somebody completes or aborts it.  A part that is put while the
    upload is completed is in the object or not, whatever its client is told: the upload is gone.
    """
    completed = any(
        move.startswith("complete") and result[0] == "done"
        for move, result in zip(moves, results, strict=True)
    )
    sure, perhaps = [], []
    for number, result in enumerate(results):
        is_part = moves[number].startswith(("part", "finish"))
        if moves[number] == "expire" or (completed and is_part):
            perhaps.append(number)
        elif result not in NOT_DONE:
            sure.append(number)
    orders = itertools.chain.from_iterable(
        itertools.permutations([*sure, *chosen])
        for count in range(len(perhaps) + 1)
        for chosen in itertools.combinations(perhaps, count)
    )
    for order in orders:
        expected = model(way)
        writer = expected.under_way
        for number in order:
            # Only the first has a part under way.
            expected.under_way = None if number else writer
            if expected.do(moves[number]) != results[number] and number not in perhaps:
                break
        else:
            if expected.seen() == seen:
                return True
    return False


@pytest.mark.timeout(3600)
def test_every_meeting_is_some_order(
    tmp_path: Path, known: Probe, monkeypatch: pytest.MonkeyPatch
) -> None:
    for seed in itertools.islice(SEEDS, COUNT * 5):
        wrong = meet(seed, tmp_path / str(seed), known, monkeypatch)
        assert not wrong, f"seed {seed}: {wrong}"
