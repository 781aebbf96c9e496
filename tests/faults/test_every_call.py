"""Every action, with each of its system calls failing in each way it can.

A request is sent again and again: the first of its calls fails, then the second, until it makes no
more; once for each error that the call can give.  Whatever fails, the client is told what the table
of docs/operations.md says, or gets exactly what it would have got; each object is what it was or
what it was to be; nothing is held open; the same request succeeds afterwards; and what lies about
is gone when the janitor has been there.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator
from pathlib import Path

import attrs
import pytest
from twisted.web.client import ResponseFailed

from s3daemon.store.posix.store import PosixStore
from s3daemon.wire.operations import OPERATIONS
from tests.faults import kernel
from tests.faults.conftest import Count
from tests.faults.kernel import CHANGES, ERRORS, GROWS, SHORT, Fault, Kernel
from tests.faults.scenarios import SCENARIOS, Scenario
from tests.faults.stage import ANSWERS, Stage, State, codes, is_between, said, state, wire_to
from tests.store.posix.disks import descriptors
from tests.support.inmemory import Response

#: Faults that stay: how, and which calls have them.
LASTING = {
    "full": (errno.ENOSPC, GROWS),
    "read-only": (errno.EROFS, CHANGES),
    "no descriptors": (
        errno.EMFILE,
        frozenset({"open", "create", "openat2", "scandir", "listdir", "dup"}),
    ),
    "broken": (errno.EIO, frozenset(ERRORS) - {"close"}),
    "stale": (errno.ESTALE, frozenset(ERRORS) - {"close"}),
}

#: Listings leave out what they find gone, or may not open: then they say less.
_OMITS = frozenset({errno.ESTALE, errno.EACCES})
#: Answers that are sent from the open file: a fault cuts them.
_CUT = Response(0, {}, b"")


@pytest.fixture(scope="module")
def machine() -> Iterator[Kernel]:
    """The kernel that fails."""
    with kernel.installed() as one:
        yield one


@attrs.define
class Trial:
    """One scenario on one stage: what is so before and after, and how many calls it takes."""

    machine: Kernel
    stage: Stage
    scenario: Scenario
    old: State = attrs.field(init=False)
    new: State = attrs.field(init=False)
    good: tuple[int, bytes] = attrs.field(init=False)
    calls: list[str] = attrs.field(init=False)
    descriptors: int = attrs.field(init=False)
    fresh: bool = False
    tried: int = 0

    def __attrs_post_init__(self) -> None:
        self.stage.set(self.scenario)
        store = self.stage.open()
        self.old = state(store)
        store.close()
        self.descriptors = descriptors()
        store = self.stage.open()
        response = self.send(store, None)
        assert response.status < 300, response
        self.calls = self.machine.calls
        self.new = state(store)
        store.close()
        self.good = said(response)
        self.fresh = self.new == self.old

    def send(self, store: PosixStore, fault: Fault | None) -> Response:
        """Send the request, once."""
        wire = wire_to(store)
        with self.machine.armed(fault):
            try:
                return self.scenario.request.send(wire, self.stage.found)
            except ResponseFailed:
                return _CUT

    def fail(self, fault: Fault) -> None:
        """Send it with a fault, and judge."""
        self.tried += 1
        if not self.fresh:
            self.stage.set(self.scenario)
        store = self.stage.open()
        where = (fault, self.machine.calls)
        response = self.send(store, fault)
        where = (fault, self.machine.calls[: fault.number + 1], response)
        self._judge_answer(fault, response, where)
        now = state(store)
        assert is_between(now, self.old, self.new), where
        if response.status < 300 and response is not _CUT and not codes(response):
            assert now == self.new, where
        self.fresh = now == self.old == self.new
        again = self.send(store, None)
        # If it had been done, it perhaps cannot be done twice.
        assert again.status < 300 or now == self.new, (where, again)
        assert state(store) == self.new, where
        if not self.fresh:
            assert self.stage.debris(store) == set(), where
        store.close()
        assert descriptors() == self.descriptors, where

    def _judge_answer(self, fault: Fault, response: Response, where: object) -> None:
        if response is _CUT:
            assert self.scenario.action == "GetObject", where
        elif response.status < 300 and not codes(response):
            # What an upload leaves is removed when the object is there for good.
            assert fault.fired != "fsync" or "CompleteMultipart" in self.scenario.action, where
            if self.old == self.new and fault.code not in _OMITS:
                assert said(response) == self.good, where
        else:
            assert fault.code != SHORT, where
            expected = ANSWERS[fault.code]
            found = (response.status, *codes(response))
            if fault.code == errno.ESTALE and found == (404, "NoSuchUpload"):
                return  # as a shared file system says that another node has removed the upload
            if self.scenario.request.method == "HEAD":
                expected, found = expected[:1], found[:1]
            elif self.scenario.action == "DeleteObjects" and found[0] == 200:
                expected, found = expected[1:], found[1:]
            assert found == expected, where


def test_every_action_has_a_scenario() -> None:
    assert {one.action for one in SCENARIOS} == {row.name for row in OPERATIONS}


every_scenario = pytest.mark.parametrize("scenario", SCENARIOS, ids=[one.name for one in SCENARIOS])
on_all = pytest.mark.parametrize("kind", ["best", "least", "sidecars"])


@pytest.fixture
def stage(kind: str, tmp_path: Path) -> Iterator[Stage]:
    """A place for stores."""
    one = Stage(tmp_path / "stage", kind)
    yield one
    one.clear()


@pytest.mark.parametrize("kind", ["best", "sidecars"])
@every_scenario
def test_a_sample(machine: Kernel, stage: Stage, scenario: Scenario, kind: str) -> None:
    """Calls with one error after the other; some of what lasts."""
    trial = Trial(machine, stage, scenario)
    step = 2 if kind == "best" else 4
    for number in range(0, len(trial.calls), step):
        errors = ERRORS[trial.calls[number]]
        trial.fail(Fault(number, errors[number // step % len(errors)]))
    lasting = list(LASTING.values())
    for number in range(1, len(trial.calls), 4 * step):
        error, kinds = lasting[number // step % len(lasting)]
        if trial.calls[number] in kinds:
            trial.fail(Fault(number, error, kinds))


@pytest.mark.faults
@on_all
@every_scenario
def test_each_call_fails_once(
    machine: Kernel, stage: Stage, scenario: Scenario, count: Count
) -> None:
    trial = Trial(machine, stage, scenario)
    for number, name in enumerate(trial.calls):
        for error in ERRORS[name]:
            trial.fail(Fault(number, error))
    count("in-process", trial.tried)


@pytest.mark.faults
@pytest.mark.parametrize("lasting", LASTING)
@on_all
@every_scenario
def test_it_goes_on_failing(
    machine: Kernel,
    stage: Stage,
    scenario: Scenario,
    lasting: str,
    count: Count,
) -> None:
    error, kinds = LASTING[lasting]
    trial = Trial(machine, stage, scenario)
    for number, name in enumerate(trial.calls):
        if name in kinds:
            trial.fail(Fault(number, error, kinds))
    count("in-process, from some call on", trial.tried)
