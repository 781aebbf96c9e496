"""The ledger of a crash test: what was begun, what was acknowledged, and what must be true then.

It is kept outside of what crashes.  A *subject* is whatever has a state that survives: an object,
an upload, a bucket.  Nobody but one client changes a subject, one step after the other, so its
states are in a row: after a crash it has the state of the last step that was acknowledged, or that
of the one step which was begun after it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

import attrs

from tests.crash.versions import Version

#: Kind (``object``, ``upload``, ``bucket``), bucket, key, upload id.
Subject = tuple[str, str, str, str]


def an_object(bucket: str, key: str) -> Subject:
    """An object, as a subject."""
    return ("object", bucket, key, "")


def a_bucket(name: str) -> Subject:
    """A bucket, as a subject."""
    return ("bucket", name, "", "")


def an_upload(bucket: str, key: str, upload_id: str) -> Subject:
    """An upload under way, as a subject."""
    return ("upload", bucket, key, upload_id)


@attrs.frozen
class Parts:
    """The state of an upload: (number, ETag, size) of its parts."""

    parts: tuple[tuple[int, str, int], ...] = ()

    def having(self, number: int, etag: str, size: int) -> Parts:
        """The state after one has been stored, perhaps in place of another."""
        others = [part for part in self.parts if part[0] != number]
        return Parts(tuple(sorted([*others, (number, etag, size)])))


@attrs.frozen
class Tags:
    """The state of a bucket."""

    tags: tuple[tuple[str, str], ...] | None = None


@attrs.frozen
class Broken:
    """It cannot be read; this is never right."""

    error: str


#: None: it is not there.
State = Version | Parts | Tags | Broken | None


@attrs.define
class Step:
    """One request.

    :ivar changes: what it makes of which subjects; more may become known before it is acknowledged.
    :ivar kind: what it is, for people.
    """

    number: int
    kind: str
    changes: dict[Subject, State]


#: Called with True when a step is about to begin, False when it has been acknowledged, and number.
Mark = Callable[[bool, int], None]


class Ledger:
    """All steps of a run.  May be used from any thread.

    :param mark: called around each step.
    :ivar steps: in the order in which they were begun.
    :ivar acknowledged: the numbers of those that were.
    :ivar current: the state after the last acknowledged step of each subject.
    """

    def __init__(self, mark: Mark = lambda begins, number: None) -> None:
        self._mark = mark
        self._lock = threading.Lock()
        self.steps: list[Step] = []
        self.acknowledged: set[int] = set()
        self.current: dict[Subject, State] = {}

    @contextmanager
    def step(self, kind: str, changes: Mapping[Subject, State]) -> Iterator[Step]:
        """A request; it is acknowledged unless an exception leaves the block."""
        with self._lock:
            step = Step(len(self.steps), kind, dict(changes))
            self.steps.append(step)
        self._mark(True, step.number)
        yield step
        self._mark(False, step.number)
        with self._lock:
            self.acknowledged.add(step.number)
            self.current.update(step.changes)

    def settle(self, found: Mapping[Subject, State]) -> None:
        """After a crash: this is what there is, and no step from before can change it any more."""
        with self.step("settle", found):
            pass


@attrs.frozen
class Expected:
    """What may be found.

    :ivar allowed: the states that each subject may have; the acknowledged one first.
    :ivar linked: (upload, object, state) of Completes that were begun and not acknowledged: without
        the upload, the object has that state.
    """

    allowed: Mapping[Subject, Sequence[State]]
    linked: Sequence[tuple[Subject, Subject, State]]


def expected(
    steps: Sequence[Step],
    began: Callable[[int], bool],
    acknowledged: Callable[[int], bool],
    lossy: bool = False,
) -> Expected:
    """What may be found after a crash.

    :param began: whether a step had been begun then.
    :param acknowledged: whether it had been acknowledged.
    :param lossy: acknowledged states may be lost, for any that there was before.
    """
    allowed: dict[Subject, list[State]] = {}
    linked = []
    for step in steps:
        if not began(step.number):
            continue
        done = acknowledged(step.number)
        for subject, state in step.changes.items():
            if done and not lossy:
                allowed[subject] = [state]
            else:
                allowed.setdefault(subject, [None]).append(state)
        if step.kind == "complete" and not (done or lossy):
            upload, key = (
                next(subject for subject in step.changes if subject[0] == kind)
                for kind in ("upload", "object")
            )
            linked.append((upload, key, step.changes[key]))
    return Expected(allowed, linked)


def wrong(found: Mapping[Subject, State], expected: Expected) -> list[str]:
    """What is not as it must be; what no step has begun to make is not to be there."""
    complaints = []
    for subject in {**expected.allowed, **found}:
        states = expected.allowed.get(subject, (None,))
        if found[subject] not in states:
            wanted = " or ".join(map(str, states))
            complaints.append(f"{subject} is {found[subject]} and not {wanted}")
    for upload, key, state in expected.linked:
        if found[upload] is None and found[key] != state:
            complaints.append(f"{upload} is gone, and {key} is {found[key]} and not {state}")
    return complaints
