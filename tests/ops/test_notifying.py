"""What systemd is told."""

from __future__ import annotations

import signal
import socket
from pathlib import Path
from typing import Any

import pytest
from twisted.internet.testing import MemoryReactorClock
from twisted.logger import capturedLogs

from s3daemon.ops.alone import Alone
from s3daemon.ops.notifying import SERVING, SOCKET, Notify
from s3daemon.ops.signals import Signals


@pytest.mark.parametrize("abstract", [False, True])
def test_one_datagram_each(tmp_path: Path, abstract: bool) -> None:
    where = f"@s3gate-test-{tmp_path}" if abstract else str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind("\0" + where[1:] if abstract else where)
        notify = Notify.of({SOCKET: where})
        notify.reloading()
        notify.ready("2 workers")
        notify.status("1 worker")
        notify.stopping()
        got = [systemd.recv(1000).decode().splitlines() for _ in range(4)]
    assert got[0][0] == "RELOADING=1"
    assert got[0][1].startswith("MONOTONIC_USEC=")
    assert got[1:] == [
        ["READY=1", "STATUS=2 workers"],
        ["STATUS=1 worker"],
        ["STOPPING=1", "STATUS=finishing the requests under way"],
    ]


def test_nobody_there(tmp_path: Path) -> None:
    with capturedLogs() as events:
        Notify.of({SOCKET: str(tmp_path / "none")}).ready("x")
    assert events[0]["why"] == "No such file or directory"


@pytest.mark.parametrize("environ", [{}, {SOCKET: ""}, {SOCKET: "vsock:2:1"}])
def test_nobody_wants_to_know(environ: dict[str, str]) -> None:
    with capturedLogs() as events:
        Notify.of(environ).ready("x")
    assert events == []


class Reactor(MemoryReactorClock):
    """Acts on signals at once."""

    def callFromThread(self, call: Any, *args: Any, **kwargs: Any) -> None:
        call(*args, **kwargs)


def test_a_daemon_of_one_process() -> None:
    said: list[str] = []
    handlers: dict[int, Any] = {}

    def install(number: int, handler: Any) -> Any:
        before, handlers[number] = handlers.get(number, "before"), handler
        return before

    reactor = Reactor()
    notify = Notify(lambda message: said.append(message.decode()))
    service = Alone(notify, reactor, Signals(reactor, install))
    service.startService()
    assert said == [], "not before the reactor runs"
    for call, args, kwargs in reactor.whenRunningHooks:
        call(*args, **kwargs)
    assert said == [f"READY=1\nSTATUS={SERVING}"]
    with capturedLogs() as events:
        handlers[signal.SIGUSR2](signal.SIGUSR2, None)
    assert "no workers" in events[0]["log_format"]
    service.stopService()
    assert said[1].startswith("STOPPING=1")
    assert handlers == {signal.SIGUSR2: "before"}
