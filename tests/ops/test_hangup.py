"""SIGHUP: read again what may change, keep what is good."""

from __future__ import annotations

import signal
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.testing import MemoryReactorClock
from twisted.logger import LogLevel, capturedLogs

from s3daemon.auth.identity import Identity
from s3daemon.auth.users import Directory, Key, User
from s3daemon.ops.hangup import HangUp, Reloadable
from s3daemon.ops.notifying import Notify
from s3daemon.streams.pool import SynchronousPool
from s3daemon.toml_file import SettingError

ALICE = User(Identity("id-a", "alice", "Alice"), {"k": Key("hush")})
BOB = User(Identity("id-b", "bob", "Bob"), {"j": Key("hush")})


class Signals:
    """signal.signal, without a process."""

    def __init__(self) -> None:
        self.handler: Any = "before"

    def __call__(self, number: int, handler: Any) -> Any:
        assert number == signal.SIGHUP
        before, self.handler = self.handler, handler
        return before


class Reactor(MemoryReactorClock):
    """Calls from threads wait in a list."""

    def __init__(self) -> None:
        super().__init__()
        self.from_threads: list[Any] = []

    def callFromThread(self, call: Any, *args: Any) -> None:
        self.from_threads.append(call)


def credentials(load: Any, directory: Directory) -> Reloadable:
    return Reloadable("credentials", load, directory.replace)


def test_the_signal_is_taken_and_given_back() -> None:
    signals, reactor = Signals(), Reactor()
    directory = Directory()
    service = HangUp(
        [credentials(lambda: (ALICE,), directory)], SynchronousPool(), reactor, signals
    )
    service.startService()
    signals.handler(signal.SIGHUP, None)
    assert directory.find("k") is None, "the handler itself must not do the work"
    reactor.from_threads.pop()()
    assert directory.find("k") == (ALICE, Key("hush"))
    service.stopService()
    assert signals.handler == "before"


def reload(load: Any, directory: Directory) -> list[Any]:
    service = HangUp([credentials(load, directory)], SynchronousPool(), Reactor(), Signals())
    with capturedLogs() as events:
        service.reload()
    return list(events)


def test_what_has_changed_is_told() -> None:
    (event,) = reload(lambda: (BOB,), Directory([ALICE]))
    assert event["changes"] == "new: bob; gone: alice"
    (event,) = reload(lambda: (BOB,), Directory([BOB]))
    assert event["changes"] == "nothing has changed"


def _raise(error: Exception) -> Any:
    raise error


def test_a_bad_file_changes_nothing() -> None:
    directory = Directory([ALICE])
    (event,) = reload(lambda: _raise(SettingError("f:1", "user", "is wrong")), directory)
    assert event["log_level"] is LogLevel.error
    assert str(event["problem"]) == "f:1: user: is wrong"
    assert directory.find("k") == (ALICE, Key("hush"))


def test_a_bug_changes_nothing() -> None:
    directory = Directory([ALICE])
    (event,) = reload(lambda: _raise(ZeroDivisionError()), directory)
    assert event["log_failure"].check(ZeroDivisionError)
    assert directory.find("k") == (ALICE, Key("hush"))


def test_what_is_wrong_in_one_keeps_no_other() -> None:
    directory = Directory([ALICE])
    bad = Reloadable("certificates", lambda: _raise(SettingError("f", "", "is wrong")), list)
    good = credentials(lambda: (BOB,), directory)
    service = HangUp([bad, good], SynchronousPool(), Reactor(), Signals())
    with capturedLogs() as events:
        service.reload()
    assert [event["log_level"] for event in events] == [LogLevel.error, LogLevel.info]
    assert directory.find("j") == (BOB, Key("hush"))


def test_one_is_read_after_the_other() -> None:
    """Else the older of two readings might be the one that counts."""
    directory = Directory()
    waiting: list[Deferred[Any]] = []

    class Pool:
        def run(self, call: Any) -> Deferred[Any]:
            waiting.append(Deferred())
            return waiting[-1]

    one = credentials(lambda: (), directory)
    service = HangUp([one], Pool(), Reactor(), Signals())
    service.reload()
    service.read(one, "users.toml has changed")
    assert len(waiting) == 1
    waiting[0].callback((ALICE,))
    assert directory.find("k") is not None
    waiting[1].callback((BOB,))
    assert directory.find("k") is None


def test_without_anything_that_changes_there_is_nothing_to_read() -> None:
    service = HangUp([], SynchronousPool(), Reactor(), Signals())
    with capturedLogs() as events:
        service.reload()
    (event,) = events
    assert "nothing to read again" in event["log_format"]


def test_systemd_hears_when_it_begins_and_when_it_is_over() -> None:
    said: list[str] = []
    notify = Notify(lambda message: said.append(message.decode().partition("\n")[0]))
    waiting: list[Deferred[Any]] = []

    class Pool:
        def run(self, call: Any, *args: Any) -> Deferred[Any]:
            waiting.append(Deferred())
            return waiting[-1]

    broken = SettingError("f", "k", "is wrong")
    reloads = [credentials(lambda: (), Directory()), credentials(lambda: (), Directory())]
    service = HangUp(reloads, Pool(), Reactor(), Signals(), notify=notify)
    service.reload()
    assert said == ["RELOADING=1"]
    waiting[0].callback(())
    assert len(said) == 1
    waiting[1].errback(broken)
    assert said == ["RELOADING=1", "READY=1"], "what cannot be used is in the log"
