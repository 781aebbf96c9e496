"""The checker is right about histories that are known, and about all small ones."""

from __future__ import annotations

import itertools
import random
from collections.abc import Sequence

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.history.checker import ABSENT, Operation, check, read, refused, swap, write

GOOD = {
    "nothing": [],
    "one after the other": [write(0, 1, "a"), read(2, 3, "a"), write(4, 5, "b"), read(6, 7, "b")],
    "a key that is not there yet": [read(0, 1, ABSENT)],
    "a read beside a write sees the old": [write(0, 1, "a"), write(2, 9, "b"), read(3, 4, "a")],
    "a read beside a write sees the new": [write(0, 1, "a"), write(2, 9, "b"), read(3, 4, "b")],
    "two writes at once, either is last": [write(0, 9, "a"), write(1, 8, "b"), read(10, 11, "a")],
    "moments that meet are not before": [write(0, 5, "a"), read(5, 6, ABSENT)],
    "deleted": [write(0, 1, "a"), write(2, 3, ABSENT), read(4, 5, ABSENT)],
    "one creator": [
        swap(0, 9, [ABSENT], "a"),
        refused(0, 9, ABSENT, label="create, refused"),
        read(10, 11, "a"),
    ],
    "swapped in turn": [
        write(0, 1, "a"),
        swap(2, 9, ["a"], "b"),
        swap(2, 9, ["b"], "c"),
        read(10, 11, "c"),
    ],
    "never answered, and happened late": [
        write(0, 1, "a"),
        write(2, None, "b"),
        read(3, 4, "a"),
        read(5, 6, "b"),
    ],
    "never answered, and never happened": [write(0, 1, "a"), write(2, None, "b"), read(3, 4, "a")],
    "one of several values": [write(0, 1, "a"), read(2, 3, "x", "a")],
}

BAD = {
    "never written": [read(0, 1, "a")],
    "lost": [write(0, 1, "a"), read(2, 3, ABSENT)],
    "stale": [write(0, 1, "a"), write(2, 3, "b"), read(4, 5, "a")],
    "read before it was written": [read(0, 1, "a"), write(2, 3, "a")],
    "new, then old again": [
        write(0, 1, "a"),
        write(2, 9, "b"),
        read(3, 4, "b"),
        read(5, 6, "a"),
    ],
    "two readers disagree on the order": [
        write(0, 20, "a"),
        write(0, 20, "b"),
        read(1, 2, "a"),
        read(3, 4, "b"),
        read(5, 6, "a"),
    ],
    "two creators": [swap(0, 9, [ABSENT], "a"), swap(0, 9, [ABSENT], "b")],
    "two winners of one swap": [
        write(0, 1, "a"),
        swap(2, 9, ["a"], "b"),
        swap(2, 9, ["a"], "c"),
    ],
    "refused for nothing": [write(0, 1, "a"), refused(2, 3, "a")],
    "came to life again": [
        write(0, 1, "a"),
        write(2, 3, ABSENT),
        read(4, 5, ABSENT),
        read(6, 7, "a"),
    ],
    "never answered, and undone": [
        write(0, 1, "a"),
        write(2, None, "b"),
        read(3, 4, "b"),
        read(5, 6, "a"),
    ],
    "never answered happens once": [
        write(0, None, "a"),
        read(1, 2, "a"),
        write(3, 4, ABSENT),
        read(5, 6, "a"),
    ],
    "never answered, and seen before it was asked for": [read(0, 1, "a"), write(2, None, "a")],
}


@pytest.mark.parametrize("name", GOOD)
def test_good_histories(name: str) -> None:
    assert check(GOOD[name]) is None


@pytest.mark.parametrize("name", BAD)
def test_bad_histories(name: str) -> None:
    assert check(BAD[name]) is not None


@pytest.mark.parametrize("name", [*GOOD, *BAD])
def test_the_order_in_which_they_are_given_is_nothing(name: str) -> None:
    history = (GOOD | BAD)[name]
    random.Random(1).shuffle(shuffled := list(history))
    assert (check(shuffled) is None) == (check(history) is None)


def test_a_contradiction_says_where() -> None:
    found = check([write(0, 1, "a"), write(2, 3, "b"), read(4, 5, "a", label="GET by 1")])
    assert found is not None
    assert (found.done, found.value) == (2, "b")
    assert str(found).splitlines() == [
        "after 2 operations the key held b; none can be next of",
        "  [4 .. 5] GET by 1",
    ]


def test_what_the_key_held_before() -> None:
    assert check([read(0, 1, "a")], "a") is None
    assert check([read(0, 1, ABSENT)], "a") is not None


def test_a_crowd_of_writers_is_judged() -> None:
    """Twelve writes at once have half a billion orders; what is done is remembered."""
    writes = [write(0, 100, str(number)) for number in range(12)]
    assert check([*writes, read(101, 102, "7"), read(103, 104, "7")]) is None
    assert check([*writes, read(101, 102, "7"), read(103, 104, "8")]) is not None


# ---------------------------------------------------------------- against brute force

VALUES = (ABSENT, "a", "b")
moments = st.tuples(st.integers(0, 9), st.integers(0, 5))


@st.composite
def operations(draw: st.DrawFn) -> Operation:
    """Any operation, sensible or not."""
    start, length = draw(moments)
    return Operation(
        start,
        draw(st.sampled_from([None, *[start + length] * 4])),
        draw(st.none() | st.sampled_from(VALUES)),
        draw(st.none() | st.frozensets(st.sampled_from(VALUES), min_size=1)),
        draw(st.frozensets(st.sampled_from(VALUES), max_size=1)),
    )


def by_brute_force(history: Sequence[Operation]) -> bool:
    """Try every order of every choice of those that may not have happened."""
    sure = [one for one in history if one.end is not None]
    maybe = [one for one in history if one.end is None]
    for count in range(len(maybe) + 1):
        for happened in itertools.combinations(maybe, count):
            if any(map(_fits, itertools.permutations([*sure, *happened]))):
                return True
    return False


def _fits(order: Sequence[Operation]) -> bool:
    value = ABSENT
    for at, one in enumerate(order):
        if any(after.end is not None and after.end < one.start for after in order[at + 1 :]):
            return False
        if not one.suits(value):
            return False
        value = value if one.makes is None else one.makes
    return True


@settings(max_examples=200, deadline=None)
@given(st.lists(operations(), max_size=5))
def test_it_agrees_with_brute_force(history: list[Operation]) -> None:
    assert (check(history) is None) == by_brute_force(history)


# ---------------------------------------------------------------- against what has happened


def executed(chance: random.Random, clients: int, count: int) -> list[Operation]:
    """A history of clients that use one register, each operation in one step at some moment."""
    value, now = ABSENT, 0
    history: list[Operation] = []
    begun: dict[int, tuple[int, str]] = {}
    done: dict[int, Operation] = {}
    while len(history) < count:
        now += 1
        client = chance.randrange(clients)
        if client in done:
            history.append(attrs.evolve(done.pop(client), end=now))
            del begun[client]
        elif client not in begun:
            begun[client] = now, chance.choice(["write", "delete", "read", "swap", "create"])
        else:
            start, kind = begun[client]
            new = f"{client}-{now}"
            if kind == "write":
                done[client], value = write(start, None, new), new
            elif kind == "delete":
                done[client], value = write(start, None, ABSENT), ABSENT
            elif kind == "read":
                done[client] = read(start, None, value)
            elif kind == "swap":
                done[client], value = swap(start, None, [value], new), new
            elif value == ABSENT:
                done[client], value = swap(start, None, [ABSENT], new), new
            else:
                done[client] = refused(start, None, ABSENT)
    return [*history, *done.values()]


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 1 << 32), st.integers(1, 8))
def test_what_has_happened_is_possible(seed: int, clients: int) -> None:
    assert check(executed(random.Random(seed), clients, 200)) is None


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 1 << 32), st.integers(1, 6))
def test_a_read_of_what_was_never_there_is_found(seed: int, clients: int) -> None:
    chance = random.Random(seed)
    history = executed(chance, clients, 200)
    reads = [at for at, one in enumerate(history) if one.makes is None and one.needs and one.end]
    at = chance.choice(reads)
    history[at] = attrs.evolve(history[at], needs=frozenset(["never written"]))
    assert check(history) is not None


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 1 << 32), st.integers(1, 6))
def test_a_lost_write_is_found(seed: int, clients: int) -> None:
    """What is written and then read is not forgotten, and what is not written is not read."""
    chance = random.Random(seed)
    history = executed(chance, clients, 200)
    needed = [
        at
        for at, one in enumerate(history)
        if one.makes and any(other.needs == {one.makes} for other in history if other.end)
    ]
    at = chance.choice(needed)
    assert check([*history[:at], *history[at + 1 :]]) is not None


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 1 << 32), st.integers(2, 6))
def test_a_stale_read_is_found(seed: int, clients: int) -> None:
    """After a write that nobody else was beside, nobody reads what was there before."""
    history = executed(random.Random(seed), clients, 100)
    last = max(max(one.start, one.end or 0) for one in history)
    later = [write(last + 1, last + 2, "x"), write(last + 3, last + 4, "y")]
    assert check([*history, *later, read(last + 5, last + 6, "y")]) is None
    assert check([*history, *later, read(last + 5, last + 6, "x")]) is not None
