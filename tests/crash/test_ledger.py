"""The ledger tells what may be found after a crash from what may not."""

from __future__ import annotations

import random

import attrs
import pytest

from tests.crash import versions
from tests.crash.ledger import Ledger, Parts, State, an_object, an_upload, expected, wrong

KEY = an_object("bucket", "key")
UPLOAD = an_upload("bucket", "key", "id")
FIRST, SECOND, THIRD = (versions.make(random.Random(number), number) for number in range(3))


def ledger_of(*states: State) -> Ledger:
    ledger = Ledger()
    for state in states:
        with ledger.step("put", {KEY: state}):
            pass
    return ledger


@pytest.mark.parametrize(
    ("found", "begun", "acknowledged", "fine"),
    [
        (None, 0, 0, True),
        (FIRST, 0, 0, False),
        (None, 1, 0, True),
        (FIRST, 1, 0, True),
        (FIRST, 1, 1, True),
        (None, 1, 1, False),
        (FIRST, 2, 1, True),
        (SECOND, 2, 1, True),
        (THIRD, 2, 1, False),
        (None, 2, 1, False),
        (FIRST, 2, 2, False),
        (SECOND, 2, 2, True),
    ],
)
def test_an_object(found: State, begun: int, acknowledged: int, fine: bool) -> None:
    steps = ledger_of(FIRST, SECOND, THIRD).steps
    wanted = expected(steps, lambda n: n < begun, lambda n: n < acknowledged)
    assert (not wrong({KEY: found}, wanted)) is fine


def test_a_mix_of_two_versions_is_none() -> None:
    wanted = expected(ledger_of(FIRST, SECOND).steps, lambda n: True, lambda n: n < 1)
    for name in ("body", "etag", "metadata", "tags", "content_type"):
        mix = attrs.evolve(FIRST, **{name: getattr(SECOND, name)})
        assert wrong({KEY: mix}, wanted)


def test_what_may_be_lost() -> None:
    steps = ledger_of(FIRST, SECOND, THIRD).steps
    wanted = expected(steps, lambda n: n < 2, lambda n: n < 2, lossy=True)
    assert not any(wrong({KEY: found}, wanted) for found in (None, FIRST, SECOND))
    assert wrong({KEY: THIRD}, wanted)


@pytest.mark.parametrize(
    ("upload", "found", "fine"),
    [
        (Parts(), None, True),
        (Parts(), FIRST, True),
        (None, FIRST, True),
        (None, None, False),
    ],
)
def test_a_complete_that_was_not_acknowledged(upload: State, found: State, fine: bool) -> None:
    ledger = Ledger()
    with ledger.step("begin", {UPLOAD: Parts()}):
        pass
    with ledger.step("complete", {UPLOAD: None, KEY: FIRST}):
        pass
    wanted = expected(ledger.steps, lambda n: True, lambda n: n == 0)
    assert (not wrong({UPLOAD: upload, KEY: found}, wanted)) is fine


def test_what_fails_is_not_acknowledged() -> None:
    ledger = ledger_of(FIRST)

    with pytest.raises(ConnectionError), ledger.step("put", {KEY: SECOND}):
        raise ConnectionError
    assert ledger.acknowledged == {0}
    assert ledger.current == {KEY: FIRST}
