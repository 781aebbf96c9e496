"""The supervisor, with workers that are no processes: who is started, told, replaced."""

from __future__ import annotations

import signal
from collections.abc import Sequence
from typing import Any

import attrs
import pytest
from twisted.internet.address import IPv4Address
from twisted.internet.error import ProcessDone, ProcessTerminated
from twisted.internet.testing import MemoryReactorClock
from twisted.logger import capturedLogs
from twisted.python.failure import Failure

from s3daemon.ops import orders
from s3daemon.ops.crew import Worker
from s3daemon.ops.leaving import BEYOND
from s3daemon.ops.listening import Place
from s3daemon.ops.notifying import Notify
from s3daemon.ops.pulse import EVERY, PATIENCE
from s3daemon.ops.signals import Signals
from s3daemon.ops.slots import AGAIN, AGAIN_AT_MOST, SOON, STEADY, CannotChange, Plan
from s3daemon.ops.supervisor import Supervisor

DRAIN = 30.0


@attrs.define(eq=False)
class Process:
    """What a worker's transport is."""

    worker: Worker
    pid: int
    plan: str
    told: list[str] = attrs.field(factory=list)
    asked: int = 0
    signals: list[int] = attrs.field(factory=list)

    def writeToChild(self, childFD: int, data: bytes) -> None:
        assert childFD == orders.ORDERS
        if data == orders.PING + b"\n":
            self.asked += 1
        else:
            self.told += data.decode().splitlines()

    def signalProcess(self, number: int) -> None:
        self.signals.append(number)

    def reports(self, what: bytes) -> None:
        self.worker.childDataReceived(orders.REPORTS, what + b"\n")

    def ends(self, number: int | None = None) -> None:
        reason = ProcessDone(0) if number is None else ProcessTerminated(signal=number)
        self.worker.processEnded(Failure(reason))


class Port:
    """An open port."""

    accepts = True
    open = True

    def stopReading(self) -> None:
        self.accepts = False

    def fileno(self) -> int:
        return 7

    def getHost(self) -> IPv4Address:
        return IPv4Address("TCP", "127.0.0.1", 1)

    def stopListening(self) -> None:
        self.open = False


class Reactor(MemoryReactorClock):
    """Has ports, and runs when it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.port = Port()
        self.first: list[Any] = []

    def listenTCP(self, *args: Any, **kwargs: Any) -> Any:
        return self.port

    def callWhenRunning(self, call: Any, *args: Any, **kwargs: Any) -> None:
        self.first.append(call)

    def callFromThread(self, call: Any, *args: Any, **kwargs: Any) -> None:
        call(*args, **kwargs)


class Daemon:
    """A supervisor and all around it."""

    def __init__(self, workers: int = 2, refuse: OSError | None = None) -> None:
        self.reactor = Reactor()
        self.processes: list[Process] = []
        self.handlers: dict[int, Any] = {}
        self.said: list[str] = []
        self.failed = 0
        self.refuse = refuse
        self.next: Plan | CannotChange = self.plan("new", workers)
        places = [Place.of("tcp:1:interface=127.0.0.1", lambda: 0.0)]
        self.supervisor = Supervisor(
            self.reactor,
            places,
            self.plan("old", workers),
            self.renew,
            self.fail,
            Notify(lambda message: self.said.append(message.decode()), self.reactor.seconds),
            Signals(self.reactor, self.install),
        )
        self.supervisor.privilegedStartService()
        self.supervisor.startService()
        for call in self.reactor.first:
            call()

    def plan(self, name: str, workers: int) -> Plan:
        def spawn(worker: Worker, sockets: Sequence[int]) -> None:
            assert list(sockets) == [7]
            if self.refuse is not None:
                raise self.refuse
            process = Process(worker, 100 + len(self.processes), name)
            self.processes.append(process)
            worker.makeConnection(process)

        return Plan(workers, spawn, DRAIN)

    def renew(self) -> Plan:
        if isinstance(self.next, CannotChange):
            raise self.next
        return self.next

    def fail(self) -> None:
        self.failed += 1

    def install(self, number: int, handler: Any) -> Any:
        before, self.handlers[number] = self.handlers.get(number, "before"), handler
        return before

    def signal(self, number: int) -> None:
        self.handlers[number](number, None)

    @property
    def last(self) -> Process:
        return self.processes[-1]


def running(workers: int = 2) -> Daemon:
    daemon = Daemon(workers)
    for process in list(daemon.processes):
        process.reports(orders.READY)
    daemon.said.clear()
    return daemon


# ---------------------------------------------------------------- the start


def test_it_is_ready_when_all_workers_are() -> None:
    daemon = Daemon()
    assert [process.worker.number for process in daemon.processes] == [1, 2]
    daemon.processes[1].reports(orders.READY)
    assert daemon.said == []
    with capturedLogs() as events:
        daemon.processes[0].reports(orders.READY)
    assert daemon.said == ["READY=1\nSTATUS=2 of 2 workers serve"]
    assert [event["log_format"] for event in events][-1] == "listening on {where}{how}"


def test_a_first_worker_that_cannot_start_ends_the_daemon() -> None:
    daemon = Daemon()
    daemon.processes[0].reports(orders.READY)
    daemon.processes[1].reports(orders.failed("the key\nis gone"))
    with capturedLogs() as events:
        daemon.processes[1].ends()
    assert [event["problem"] for event in events] == ["the key is gone"]
    assert daemon.failed == 1
    daemon.processes[0].ends(9)
    daemon.reactor.advance(100)
    assert len(daemon.processes) == 2, "it is over"
    assert daemon.failed == 1


def test_a_machine_without_room_for_processes() -> None:
    with capturedLogs() as events:
        daemon = Daemon(refuse=OSError(11, "Resource temporarily unavailable"))
    assert (daemon.failed, daemon.processes) == (1, [])
    assert events[0]["why"] == "Resource temporarily unavailable"
    assert daemon.supervisor.stopService().called


def test_the_supervisor_itself_accepts_nothing() -> None:
    daemon = Daemon()
    assert not daemon.reactor.port.accepts
    daemon.supervisor.stopService()
    assert not daemon.reactor.port.open


# ---------------------------------------------------------------- replacing


def test_a_worker_that_hangs_is_ended() -> None:
    daemon = running()
    for _ in range(PATIENCE + 1):
        daemon.reactor.advance(EVERY)
        daemon.processes[0].reports(orders.PONG)
    assert [process.signals for process in daemon.processes] == [[], [signal.SIGABRT]]
    daemon.processes[1].ends(6)
    daemon.reactor.advance(EVERY)
    assert (len(daemon.processes), daemon.last.worker.number) == (3, 2)
    assert daemon.last.asked == 0, "it only starts"


def test_who_finishes_is_not_asked() -> None:
    daemon = running()
    daemon.supervisor.stopService()
    daemon.reactor.advance(EVERY)
    assert [process.asked for process in daemon.processes] == [0, 0]


def test_a_worker_that_dies_is_replaced_at_once() -> None:
    daemon = running()
    daemon.reactor.advance(STEADY)
    with capturedLogs() as events:
        daemon.processes[0].ends(9)
        daemon.reactor.advance(0)
    assert events[0]["problem"] == "it ended with signal 9"
    assert (daemon.last.worker.number, len(daemon.processes)) == (1, 3)
    assert daemon.said == ["READY=1\nSTATUS=1 of 2 workers serve"]
    daemon.last.reports(orders.READY)
    assert daemon.said[-1] == "READY=1\nSTATUS=2 of 2 workers serve"
    assert daemon.processes[1].told == [], "the other one hears of nothing"


def test_one_that_dies_again_and_again_is_replaced_soon() -> None:
    daemon = running()
    waits = []
    for _ in range(5):
        daemon.reactor.advance(0)
        process, before = daemon.last, len(daemon.processes)
        if not process.worker.serves:
            process.reports(orders.READY)
        process.ends(11)
        start = daemon.reactor.seconds()
        while len(daemon.processes) == before:
            daemon.reactor.advance(0.125)
        waits.append(daemon.reactor.seconds() - start)
    assert max(waits) == SOON
    assert waits[0] <= 0.125


def test_one_that_cannot_start_again_is_tried_less_and_less_often() -> None:
    daemon = running()
    daemon.processes[0].ends(9)
    daemon.reactor.advance(0)
    waits = []
    for _ in range(9):
        before = len(daemon.processes)
        daemon.last.ends()
        start = daemon.reactor.seconds()
        while len(daemon.processes) == before:
            daemon.reactor.advance(AGAIN / 2)
        waits.append(daemon.reactor.seconds() - start)
    assert waits == sorted(waits)
    assert waits[-1] == AGAIN_AT_MOST
    assert daemon.failed == 0, "the other one still serves"


def test_no_room_for_a_process_now_but_later() -> None:
    daemon = running()
    daemon.refuse = OSError(11, "Resource temporarily unavailable")
    with capturedLogs() as events:
        daemon.processes[0].ends(9)
        daemon.reactor.advance(0)
    assert events[-1]["why"] == "Resource temporarily unavailable"
    daemon.refuse = None
    daemon.reactor.advance(AGAIN_AT_MOST)
    assert len(daemon.processes) == 3


# ---------------------------------------------------------------- reading again


def test_a_hang_up_reaches_all_and_is_over_when_all_have_read() -> None:
    daemon = running()
    daemon.signal(signal.SIGHUP)
    assert [process.told for process in daemon.processes] == [["reload"], ["reload"]]
    daemon.processes[0].reports(orders.RELOADED)
    (reloading,) = daemon.said
    assert reloading.startswith("RELOADING=1\nMONOTONIC_USEC=")
    daemon.processes[1].reports(orders.RELOADED)
    assert daemon.said[1:] == ["READY=1\nSTATUS=2 of 2 workers serve"]


def test_one_that_dies_while_it_reads_is_not_waited_for() -> None:
    daemon = running()
    daemon.signal(signal.SIGHUP)
    daemon.processes[0].reports(orders.RELOADED)
    daemon.processes[1].ends(9)
    assert daemon.said[-1] == "READY=1\nSTATUS=1 of 2 workers serve"


# ---------------------------------------------------------------- a rolling restart


def test_each_goes_when_the_next_one_is_there() -> None:
    daemon = running()
    one, two = daemon.processes
    daemon.signal(signal.SIGUSR2)
    assert len(daemon.processes) == 3, "one at a time"
    assert (one.told, two.told) == ([], [])
    daemon.last.reports(orders.READY)
    assert (one.told, two.told) == (["retire"], [])
    assert len(daemon.processes) == 4, "the old one may take its time"
    daemon.last.reports(orders.READY)
    assert two.told == ["retire"]
    assert [process.plan for process in daemon.processes] == ["old", "old", "new", "new"]
    assert [process.worker.number for process in daemon.processes] == [1, 2, 1, 2]
    assert daemon.said[0].startswith("RELOADING=1")
    assert daemon.said[-1] == "READY=1\nSTATUS=2 of 2 workers serve"
    one.ends()
    two.ends()
    daemon.reactor.advance(1000)
    assert len(daemon.processes) == 4, "nobody takes the place of those"
    assert (one.signals, two.signals) == ([], [])


def test_an_old_one_that_does_not_go_is_killed() -> None:
    daemon = running(workers=1)
    daemon.signal(signal.SIGUSR2)
    daemon.last.reports(orders.READY)
    daemon.reactor.advance(orders.LINGER + DRAIN + BEYOND)
    assert daemon.processes[0].signals == [signal.SIGKILL]


def test_when_a_new_one_cannot_start_the_old_ones_stay() -> None:
    daemon = running()
    one, two = daemon.processes
    daemon.signal(signal.SIGUSR2)
    daemon.last.reports(orders.READY)
    assert one.told == ["retire"]
    daemon.last.reports(orders.failed("no such file"))
    with capturedLogs() as events:
        daemon.last.ends()
    assert "no such file" in events[0]["why"]
    assert two.told == []
    assert daemon.said[-1] == "READY=1\nSTATUS=2 of 2 workers serve"
    two.ends(9)
    daemon.reactor.advance(1)
    assert daemon.last.plan == "old", "what does not work is not tried again by itself"
    daemon.signal(signal.SIGUSR2)
    assert daemon.last.plan == "new"


def test_when_the_old_one_dies_meanwhile_and_the_new_one_too() -> None:
    daemon = running(workers=1)
    daemon.signal(signal.SIGUSR2)
    daemon.processes[0].ends(9)
    daemon.reactor.advance(1)
    assert len(daemon.processes) == 2, "somebody is coming already"
    daemon.processes[1].ends(9)
    assert len(daemon.processes) == 3
    assert daemon.last.plan == "old"


def test_settings_that_cannot_be_used_change_nothing() -> None:
    daemon = running()
    daemon.next = CannotChange("server.listen has changed, which takes a restart")
    with capturedLogs() as events:
        daemon.signal(signal.SIGUSR2)
    assert "takes a restart" in str(events[0]["why"])
    assert (len(daemon.processes), daemon.said) == (2, [])


@pytest.mark.parametrize("workers", [1, 3])
def test_more_workers_and_fewer(workers: int) -> None:
    daemon = running(workers=2)
    daemon.next = daemon.plan("new", workers)
    daemon.signal(signal.SIGUSR2)
    for _ in range(workers):
        daemon.last.reports(orders.READY)
    assert [process.told for process in daemon.processes[:2]] == [["retire"], ["retire"]]
    assert len(daemon.processes) == 2 + workers
    assert daemon.said[-1] == f"READY=1\nSTATUS={workers} of {workers} workers serve"


def test_one_at_a_time() -> None:
    daemon = running()
    daemon.signal(signal.SIGUSR2)
    with capturedLogs() as events:
        daemon.signal(signal.SIGUSR2)
    assert "nothing is done" in events[0]["log_format"]
    assert len(daemon.processes) == 3


def test_not_before_it_has_started() -> None:
    daemon = Daemon()
    daemon.signal(signal.SIGUSR2)
    assert len(daemon.processes) == 2


# ---------------------------------------------------------------- the end


def test_the_end_waits_for_all() -> None:
    daemon = running()
    stopped = daemon.supervisor.stopService()
    assert [process.told for process in daemon.processes] == [["stop"], ["stop"]]
    assert daemon.said == ["STOPPING=1\nSTATUS=finishing the requests under way"]
    assert set(daemon.handlers.values()) == {"before"}
    daemon.processes[0].ends()
    assert not stopped.called
    daemon.processes[1].ends()
    assert stopped.called
    assert daemon.reactor.getDelayedCalls() == []
    assert len(daemon.processes) == 2


def test_the_end_does_not_wait_for_ever() -> None:
    daemon = running()
    stopped = daemon.supervisor.stopService()
    daemon.processes[0].ends()
    daemon.reactor.advance(DRAIN + BEYOND)
    assert daemon.processes[1].signals == [signal.SIGKILL]
    daemon.processes[1].ends(9)
    assert stopped.called


def test_the_end_in_the_middle_of_a_rolling_restart() -> None:
    daemon = running(workers=1)
    daemon.signal(signal.SIGUSR2)
    stopped = daemon.supervisor.stopService()
    assert [process.told for process in daemon.processes] == [["stop"], ["stop"]]
    daemon.last.reports(orders.READY)
    for process in daemon.processes:
        process.ends()
    assert stopped.called


def test_the_end_while_one_is_waited_for() -> None:
    daemon = running(workers=1)
    daemon.last.ends(9)
    daemon.reactor.advance(0)
    daemon.last.ends()
    assert daemon.supervisor.stopService().called
    daemon.reactor.advance(100)
    assert len(daemon.processes) == 2
