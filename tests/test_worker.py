"""A worker: its first order, those that follow, and its end."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from twisted.internet.error import ReactorNotRunning
from twisted.internet.testing import StringTransport
from twisted.logger import capturedLogs

from s3daemon import worker
from s3daemon.ops import orders
from s3daemon.ops.hangup import HangUp
from s3daemon.ops.listening import CannotStart, Listeners
from s3daemon.ops.root import Root
from s3daemon.streams.pool import SynchronousPool
from s3daemon.wire.forwarded import Networks


class Reactor:
    """Counts."""

    stopped = 0

    def stop(self) -> None:
        self.stopped += 1
        if self.stopped > 1:
            raise ReactorNotRunning


def linked() -> tuple[worker.Link, Reactor, Root, StringTransport]:
    root, reactor, transport = Root(), Reactor(), StringTransport()
    anything: Any = None
    listeners = Listeners(anything, anything, [], 1.0, Networks(), 1.0)
    for name, service in (
        ("hang-up", HangUp([], SynchronousPool(), anything)),
        ("listeners", listeners),
    ):
        service.setName(name)
        service.setServiceParent(root)
    link = worker.Link(root, reactor)
    link.makeConnection(transport)
    return link, reactor, root, transport


def test_reading_again_is_reported() -> None:
    link, reactor, _, transport = linked()
    link.dataReceived(b"rel")
    link.dataReceived(b"oad\n")
    assert transport.value() == b"reloaded\n"
    assert reactor.stopped == 0


@pytest.mark.parametrize(("order", "linger"), [(b"retire\n", orders.LINGER), (b"stop\n", 0)])
def test_the_end(order: bytes, linger: float) -> None:
    link, reactor, root, _ = linked()
    link.dataReceived(order)
    assert reactor.stopped == 1
    listeners: Any = root.getServiceNamed("listeners")
    assert listeners.linger == linger
    link.dataReceived(b"stop\n")
    with capturedLogs() as events:
        link.connectionLost()
    assert events == [], "expected"


def test_one_that_ends_by_a_signal_does_not_blame_the_supervisor() -> None:
    link, reactor, _, _ = linked()
    link.ends()
    with capturedLogs() as events:
        link.connectionLost()
    assert (events, reactor.stopped) == ([], 0)


def test_without_a_supervisor_it_ends() -> None:
    link, reactor, _, _ = linked()
    with capturedLogs() as events:
        link.connectionLost()
    assert reactor.stopped == 1
    assert "the supervisor is gone" in events[0]["log_format"]


def test_the_first_order_says_it_all() -> None:
    start = orders.Start(2, '[store]\nroot = "/ü"\n', 3, (1 << 40, 1 << 50))
    assert orders.Start.read(start.line()) == start
    assert b"\n" not in start.line()


@pytest.mark.parametrize("given", [b"", b"hello\n", b"[]\n", b"{}\n"])
def test_started_by_hand(
    given: bytes, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    read, write = os.pipe()
    os.write(write, given)
    os.close(write)
    monkeypatch.setattr(orders, "ORDERS", read)
    monkeypatch.setattr(worker.signal, "signal", lambda number, handler: None)
    assert worker.main() == 2
    assert "started by the daemon" in capsys.readouterr().err
    os.close(read)


def test_another_directory_in_the_place_of_the_root(tmp_path: Path) -> None:
    found = tmp_path.stat()
    worker._check_root(tmp_path, (found.st_dev, found.st_ino))
    with pytest.raises(CannotStart, match="is it still mounted"):
        worker._check_root(tmp_path, (found.st_dev, found.st_ino + 1))
    with pytest.raises(CannotStart, match="No such file"):
        worker._check_root(tmp_path / "none", (0, 0))
