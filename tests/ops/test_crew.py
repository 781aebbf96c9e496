"""A worker as its supervisor sees it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.error import ProcessDone, ProcessExitedAlready, ProcessTerminated
from twisted.logger import capturedLogs
from twisted.python.failure import Failure

from s3daemon.ops import crew, logformat, orders
from s3daemon.ops.crew import LONGEST, STDERR, STDOUT, Worker


class Supervisor:
    """Remembers what it hears."""

    def __init__(self) -> None:
        self.heard: list[str] = []

    def ready(self, worker: Worker) -> None:
        self.heard.append("ready")

    def reloaded(self, worker: Worker) -> None:
        self.heard.append("reloaded")

    def beats(self, worker: Worker) -> None:
        self.heard.append("beats")

    def ended(self, worker: Worker, how: str) -> None:
        self.heard.append(how)


class Transport:
    """Of a process."""

    pid = 5

    def __init__(self, problem: Exception | None = None) -> None:
        self.problem = problem
        self.written: list[tuple[int, bytes]] = []

    def writeToChild(self, childFD: int, data: bytes) -> None:
        if self.problem is not None:
            raise self.problem
        self.written.append((childFD, data))

    def signalProcess(self, number: int) -> None:
        if self.problem is not None:
            raise self.problem
        self.written.append((-1, signal.Signals(number).name.encode()))


def made(problem: Exception | None = None) -> tuple[Worker, Supervisor, Transport]:
    supervisor, transport = Supervisor(), Transport(problem)
    worker = Worker(supervisor, 3)
    worker.order(b"too early")
    worker.makeConnection(transport)
    return worker, supervisor, transport


def test_orders() -> None:
    worker, _, transport = made()
    worker.order(orders.RELOAD)
    worker.abort()
    worker.kill()
    assert transport.written == [
        (orders.ORDERS, b"reload\n"),
        (-1, b"SIGABRT"),
        (-1, b"SIGKILL"),
    ]
    worker.processEnded(Failure(ProcessDone(0)))
    worker.order(orders.STOP)
    assert len(transport.written) == 3


@pytest.mark.parametrize("problem", [KeyError(0), ProcessExitedAlready()])
def test_one_that_is_going(problem: Exception) -> None:
    worker, _, _ = made(problem)
    if isinstance(problem, KeyError):
        worker.order(orders.STOP)
    else:
        worker.kill()


@given(st.lists(st.integers(1, 9)))
def test_reports_however_they_come(cuts: list[int]) -> None:
    worker, supervisor, _ = made()
    text = b"ready\nreloaded\nsomething\nfailed the root\n"
    for cut in [*cuts, len(text)]:
        worker.childDataReceived(orders.REPORTS, text[:cut])
        text = text[cut:]
    assert supervisor.heard == ["ready", "reloaded"]
    assert worker.serves
    assert worker.problem == "the root"


@pytest.mark.parametrize(
    ("reason", "how"),
    [
        (ProcessDone(0), "status 0"),
        (ProcessTerminated(exitCode=1), "status 1"),
        (ProcessTerminated(signal=9), "signal 9"),
    ],
)
def test_how_it_ends(reason: Exception, how: str) -> None:
    worker, supervisor, _ = made()
    with capturedLogs() as events:
        worker.childDataReceived(STDERR, b"Traceback\n\nlast words")
        worker.childConnectionLost(STDERR)
        worker.processEnded(Failure(reason))
    assert [event["text"] for event in events] == ["Traceback", "last words"]
    assert events[0]["number"] == 3
    assert supervisor.heard == [how]
    assert worker.pid is None


def test_its_log_becomes_ours() -> None:
    worker, _, _ = made()
    event: Any = {
        "log_time": 0.0, "log_namespace": "s3daemon.access", "log_format": "{line}",
        "log_level": crew.LogLevel.warn, "line": "a {b} c",
    }  # fmt: skip
    line = logformat.line(event, "worker=3 ")
    assert line is not None
    with capturedLogs() as events:
        worker.childDataReceived(STDOUT, line.encode() + b"odd\n\n")
    seen = [(e["log_namespace"], e["log_level"].name, e["line"]) for e in events]
    assert seen == [
        ("s3daemon.access", "warn", "worker=3 a {b} c"),
        ("s3daemon.worker", "error", "odd"),
    ]


def test_a_line_without_an_end_is_kept_in_bounds() -> None:
    worker, _, _ = made()
    for _ in range(5):
        worker.childDataReceived(STDERR, b"x" * LONGEST)
    with capturedLogs() as events:
        worker.processEnded(Failure(ProcessDone(0)))
    assert len(events[0]["text"]) == LONGEST


def test_a_worker_gets_our_modules_and_no_word_for_systemd(tmp_path: Path) -> None:
    found = crew.environment({"NOTIFY_SOCKET": "/x", "HOME": "/h"}, ["", "a", "/b", "/b"])
    path = found.pop("PYTHONPATH").split(os.pathsep)
    assert found == {"HOME": "/h"}
    assert path[1:] == [str(Path("a").absolute()), "/b"]
    assert (Path(path[0]) / "s3daemon" / "worker.py").exists()


def test_descriptors_of_a_process(tmp_path: Path) -> None:
    class Reactor:
        def spawnProcess(self, worker: Worker, *args: Any, **kwargs: Any) -> None:
            self.descriptors = kwargs["childFDs"]
            self.transport = Transport()
            worker.makeConnection(self.transport)  # type: ignore[arg-type]

    start = orders.Start(3, "settings", 2, (1, 2))
    for own_log, out in ((True, STDOUT), (False, "r")):
        reactor = Reactor()
        crew.spawn(Worker(Supervisor(), 3), start, [11, 12], own_log, reactor)
        assert reactor.descriptors == {0: "w", 1: out, 2: "r", 3: "r", 4: 11, 5: 12}
        assert reactor.transport.written == [(0, start.line() + b"\n")]


_ENDED = """
import sys
from twisted.internet import reactor
from s3daemon.ops.crew import Worker

class Supervisor:
    def ended(self, worker, how):
        print(how)
        reactor.stop()

worker = Worker(Supervisor(), 1)
child = "import time; time.sleep(1000)"
reactor.spawnProcess(worker, sys.executable, [sys.executable, "-c", child], childFDs={2: "r"})
reactor.callWhenRunning(getattr(worker, sys.argv[1]))
reactor.run()
"""


@pytest.mark.parametrize(("how", "number"), [("abort", 6), ("kill", 9)])
def test_a_process_that_is_ended(how: str, number: int) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _ENDED, how], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout == f"signal {number}\n"
