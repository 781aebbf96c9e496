"""Workers that hang."""

from __future__ import annotations

from signal import SIGABRT, SIGKILL
from typing import Any

import attrs
from twisted.internet.task import Clock
from twisted.logger import capturedLogs

from s3daemon.ops import orders
from s3daemon.ops.crew import Worker
from s3daemon.ops.pulse import EVERY, PATIENCE, Pulse


@attrs.define(eq=False)
class Process:
    """What a worker's transport is."""

    pid: int = 1
    told: list[bytes] = attrs.field(factory=list)
    signals: list[int] = attrs.field(factory=list)

    def writeToChild(self, childFD: int, data: bytes) -> None:
        self.told.append(data)

    def signalProcess(self, number: int) -> None:
        self.signals.append(number)


class Crew:
    """Two workers, and whoever asks them."""

    def __init__(self) -> None:
        self.clock = Clock()
        nobody: Any = None
        self.processes = [Process(), Process()]
        self.workers = [Worker(nobody, 1), Worker(nobody, 2)]
        for worker, process in zip(self.workers, self.processes, strict=True):
            worker.makeConnection(process)
        self.pulse = Pulse(lambda: list(self.workers), self.clock)
        self.pulse.start()

    def questions(self, number: int, answered: bool) -> None:
        """This many turns; the first worker always answers, the second one as said."""
        for _ in range(number):
            self.clock.advance(EVERY)
            self.pulse.beats(self.workers[0])
            if answered:
                self.pulse.beats(self.workers[1])


def test_those_that_answer_live() -> None:
    crew = Crew()
    crew.questions(10 * PATIENCE, answered=True)
    assert [process.signals for process in crew.processes] == [[], []]
    assert crew.processes[0].told == [orders.PING + b"\n"] * 10 * PATIENCE


def test_one_that_hangs_says_where_and_is_ended() -> None:
    crew = Crew()
    with capturedLogs() as events:
        crew.questions(PATIENCE, answered=False)
        assert crew.processes[1].signals == []
        crew.questions(1, answered=False)
        assert crew.processes[1].signals == [SIGABRT]
        crew.questions(1, answered=False)
    assert crew.processes[1].signals == [SIGABRT, SIGKILL]
    assert crew.processes[0].signals == []
    assert [(event["number"], event["seconds"]) for event in events] == [(2, PATIENCE * EVERY)]


def test_a_late_answer_counts() -> None:
    crew = Crew()
    for _ in range(3):
        crew.questions(PATIENCE, answered=False)
        crew.pulse.beats(crew.workers[1])
    assert crew.processes[1].signals == []


def test_a_clock_that_jumps_ends_nobody() -> None:
    crew = Crew()
    crew.clock.advance(1000 * EVERY)
    assert [process.signals for process in crew.processes] == [[], []]


def test_one_that_takes_over_begins_anew() -> None:
    crew = Crew()
    crew.questions(PATIENCE, answered=False)
    nobody: Any = None
    crew.workers[1] = Worker(nobody, 2)
    crew.workers[1].makeConnection(fresh := Process())
    crew.questions(PATIENCE, answered=False)
    assert fresh.signals == []


def test_nobody_is_asked_at_the_end() -> None:
    crew = Crew()
    crew.pulse.stop()
    crew.clock.advance(1000 * EVERY)
    assert crew.processes[0].told == []
