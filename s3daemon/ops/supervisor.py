"""Several processes that serve: started, watched, replaced, told what to do.

The supervisor opens the ports and serves nobody itself.  Each of its workers is a fresh interpreter
that inherits the ports; they share nothing but those and the file system.

    starting     the first workers are on their way; if one ends, the daemon cannot start
    serving      a worker that ends is replaced
    stopping     all are told to finish; those that do not are killed
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Sequence
from typing import Any

import attrs
from twisted.application.service import Service
from twisted.internet.defer import Deferred, gatherResults, maybeDeferred, succeed
from twisted.internet.interfaces import IListeningPort
from twisted.internet.protocol import ServerFactory
from twisted.logger import Logger

from s3daemon.ops import orders
from s3daemon.ops.crew import Worker
from s3daemon.ops.leaving import Leaving
from s3daemon.ops.listening import Place, announce
from s3daemon.ops.notifying import Notify
from s3daemon.ops.opening import open_port
from s3daemon.ops.pulse import Pulse
from s3daemon.ops.signals import Signals
from s3daemon.ops.slots import CannotChange, Plan, Slot


class ForWorkers(ServerFactory):
    """For ports that are not accepted from."""

    noisy = False


@attrs.define(eq=False)
class Supervisor(Service):
    """See above.

    :ivar places: where the ports are.
    :ivar plan: what workers are to be like.
    :ivar renew: reads the settings again; raises :class:`CannotChange`.
    :ivar fail: ends the daemon with a status that says that it failed.
    """

    _reactor: Any
    places: Sequence[Place]
    plan: Plan
    renew: Callable[[], Plan]
    fail: Callable[[], None]
    _notify: Notify
    _signals: Signals
    _pulse: Pulse = attrs.field(init=False)
    _ports: list[IListeningPort] = attrs.field(factory=list)
    _slots: dict[int, Slot] = attrs.field(factory=dict)
    _leaving: Leaving = attrs.field(init=False)
    _reading: set[Worker] = attrs.field(factory=set)
    _started: bool = False
    _rolling: list[int] = attrs.field(factory=list)
    _before_roll: Plan | None = None
    _stopped: Deferred[None] | None = None
    _failed: bool = False
    _log: Logger = attrs.field(factory=lambda: Logger(namespace="s3daemon.supervisor"))

    def __attrs_post_init__(self) -> None:
        self._pulse = Pulse(self._serving, self._reactor)
        self._leaving = Leaving(self._reactor)

    # -- Service -------------------------------------------------------------------------------

    def privilegedStartService(self) -> None:
        """Open the ports, while the process may still have the rights for low ones.

        :raises s3daemon.ops.opening.CannotStart: one cannot be had.
        """
        Service.privilegedStartService(self)
        for place in self.places:
            port: Any = open_port(place.listen, ForWorkers(), self._reactor)
            # Nothing is accepted here: the reactor does not run yet, and will not look.
            port.stopReading()
            self._ports.append(port)

    def startService(self) -> None:
        """Take the signals, and start the workers as soon as the reactor runs."""
        Service.startService(self)
        self._signals.take({signal.SIGHUP: self.reload, signal.SIGUSR2: self.roll})
        self._reactor.callWhenRunning(self._begin)
        self._pulse.start()

    def stopService(self) -> Deferred[None]:
        """Close the ports, have all workers finish; fires when the last one is gone."""
        Service.stopService(self)
        self._signals.give_back()
        self._pulse.stop()
        self._notify.stopping()
        self._rolling = []
        ports, self._ports = self._ports, []
        closed = gatherResults([maybeDeferred(port.stopListening) for port in ports])
        self._stopped = Deferred()
        stopped = self._stopped.addCallback(lambda _: closed)
        for slot in self._slots.values():
            slot.cancel()
        for worker in self._workers():
            self._leaving.stop(worker, self.plan.drain)
        self._look_whether_all_are_gone()
        return stopped.addCallback(lambda _: None)

    def _begin(self) -> None:
        if self.running:
            for number in range(1, self.plan.workers + 1):
                self._slots[number] = Slot(number)
                self._fill(self._slots[number])

    # -- what an operator asks for ---------------------------------------------------------------

    def reload(self) -> None:
        """Have all workers read again what may change."""
        if self._stopped is not None:
            return
        self._notify.reloading()
        for worker in self._workers():
            # Those that start may have read already, and hear of this when they serve.
            worker.order(orders.RELOAD)
            if worker.serves:
                self._reading.add(worker)
        self._look_whether_all_have_read()

    def roll(self) -> None:
        """Replace all workers, one after the other: each goes when the next one is there.

        They get the settings that the file has now.
        """
        if self._stopped is not None or self._rolling or not self._started:
            self._log.warn("SIGUSR2: workers are being started or stopped already; nothing is done")
            return
        try:
            plan = self.renew()
        except CannotChange as error:
            self._log.error("SIGUSR2: all stays as it is: {why}", why=error)
            return
        self._notify.reloading()
        self._before_roll, self.plan = self.plan, plan
        for number in range(1, plan.workers + 1):
            self._slots.setdefault(number, Slot(number))
        self._rolling = list(range(1, plan.workers + 1))
        self._log.info("SIGUSR2: replacing the workers")
        self._roll_on()

    def _roll_on(self) -> None:
        if not self._rolling:
            self._rolled()
            return
        slot = self._slots[self._rolling[0]]
        slot.cancel()
        slot.coming = self._start(slot.number)
        if slot.coming is None:
            self._give_up("there can be no more processes")

    def _rolled(self) -> None:
        self._before_roll = None
        for number in [n for n in self._slots if n > self.plan.workers]:
            slot = self._slots.pop(number)
            slot.cancel()
            if slot.current is not None:
                self._leaving.retire(slot.current, self.plan.drain)
        self._log.info("all workers have been replaced")
        self._tell()

    def _give_up(self, why: str) -> None:
        """The new workers are no good: stay with the old ones, and with their settings."""
        assert self._before_roll is not None
        self._log.error("the workers that are left stay as they are: {why}", why=why)
        self.plan, self._before_roll, self._rolling = self._before_roll, None, []
        for slot in list(self._slots.values()):
            if slot.current is None and slot.number > self.plan.workers:
                del self._slots[slot.number]
            elif slot.current is None and slot.timer is None:
                self._fill(slot)
        self._tell()

    # -- what workers say ------------------------------------------------------------------------

    def ready(self, worker: Worker) -> None:
        """It accepts."""
        slot = self._slots.get(worker.number)
        if slot is None or self._stopped is not None or worker in self._leaving:
            return  # it will hear in a moment that it is not needed any more
        worker.since = self._reactor.seconds()
        if slot.coming is worker:
            slot.coming, before, slot.current = None, slot.current, worker
            self._say_who_serves(worker)
            if before is not None:
                self._leaving.retire(before, self.plan.drain)
            self._rolling.pop(0)
            self._roll_on()
            return
        self._say_who_serves(worker)
        if not self._started and all(slot.serves for slot in self._slots.values()):
            self._started = True
            announce(self.places, self._ports)
        self._tell()

    def reloaded(self, worker: Worker) -> None:
        """It has read again what may change."""
        self._reading.discard(worker)
        self._look_whether_all_have_read()

    def beats(self, worker: Worker) -> None:
        """Its event loop turns."""
        self._pulse.beats(worker)

    def ended(self, worker: Worker, how: str) -> None:
        """Its process is gone."""
        self._leaving.gone(worker)
        slot = self._slots.get(worker.number)
        if self._stopped is not None:
            if slot is not None:
                slot.forget(worker)
            self._look_whether_all_are_gone()
            return
        problem = worker.problem or f"it ended with {how}"
        if slot is not None and slot.coming is worker:
            slot.coming = None
            self._give_up(f"worker {worker.number} cannot start: {problem}")
        elif slot is not None and slot.current is worker:
            slot.current = None
            self._replace(slot, worker, problem)
        else:
            self._log.info("worker {number} has finished, {how}", number=worker.number, how=how)
        if worker in self._reading:
            self.reloaded(worker)

    def _replace(self, slot: Slot, worker: Worker, problem: str) -> None:
        if self._failed:
            return
        if not worker.serves and not self._started:
            self._log.critical(
                "cannot start: worker {number}: {problem}", number=slot.number, problem=problem
            )
            self._fail()
            return
        wait = slot.pause(worker, self._reactor.seconds())
        self._log.error(
            "worker {number} is gone: {problem}; another one is started {when}",
            number=slot.number,
            problem=problem,
            when=f"in {wait:g} seconds" if wait else "now",
        )
        self._tell()
        if slot.coming is None:
            slot.timer = self._reactor.callLater(wait, self._fill, slot)

    # -- the steps ---------------------------------------------------------------------------------

    def _fill(self, slot: Slot) -> None:
        slot.timer = None
        slot.current = self._start(slot.number)
        if slot.current is None:
            if not self._started:
                self._fail()
                return
            wait = slot.pause(None, self._reactor.seconds())
            slot.timer = self._reactor.callLater(wait, self._fill, slot)

    def _start(self, number: int) -> Worker | None:
        worker = Worker(self, number)
        ports: list[Any] = list(self._ports)
        try:
            self.plan.spawn(worker, [port.fileno() for port in ports])
        except OSError as error:
            self._log.error(
                "worker {number} cannot be started: {why}", number=number, why=error.strerror
            )
            return None
        return worker

    def _workers(self) -> list[Worker]:
        """All processes there are."""
        of_slots = [who for slot in self._slots.values() for who in (slot.current, slot.coming)]
        found = [worker for worker in of_slots if worker is not None]
        return list(dict.fromkeys((*found, *self._leaving)))

    def _serving(self) -> list[Worker]:
        """Those that should be able to answer."""
        of_slots = [slot.current for slot in self._slots.values()]
        return [worker for worker in of_slots if worker is not None and worker.serves]

    def _fail(self) -> None:
        if not self._failed:
            self._failed = True
            self.fail()

    def _look_whether_all_are_gone(self) -> None:
        if self._stopped is None or self._workers():
            return
        stopped, self._stopped = self._stopped, succeed(None)
        if not stopped.called:
            stopped.callback(None)

    def _look_whether_all_have_read(self) -> None:
        if not self._reading:
            self._tell()

    def _say_who_serves(self, worker: Worker) -> None:
        self._log.info("worker {number} serves, pid {pid}", number=worker.number, pid=worker.pid)

    def _tell(self) -> None:
        """Tell systemd how many serve; that the service is ready only when it is."""
        if self._stopped is not None or not self._started:
            return
        serving = sum(slot.serves for slot in self._slots.values())
        status = f"{serving} of {self.plan.workers} workers serve"
        if self._reading or self._rolling:
            self._notify.status(status)
        else:
            self._notify.ready(status)
