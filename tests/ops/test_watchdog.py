"""Signs of life for systemd."""

from __future__ import annotations

import os

import pytest
from twisted.internet.task import Clock

from s3daemon.ops.notifying import Notify
from s3daemon.ops.watchdog import Watchdog, silence

PID = 42


@pytest.mark.parametrize(
    ("environ", "seconds"),
    [
        ({}, None),
        ({"WATCHDOG_USEC": "30000000"}, 30.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "42"}, 30.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "43"}, None),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": ""}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": ""}, None),
        ({"WATCHDOG_USEC": "-1"}, None),
        ({"WATCHDOG_USEC": "\u0663"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
    ],
)
def test_who_is_meant(environ: dict[str, str], seconds: float | None) -> None:
    assert silence(environ, PID) == seconds


def test_twice_in_that_time() -> None:
    said: list[bytes] = []
    clock = Clock()
    environ = {"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": str(os.getpid())}
    watchdog = Watchdog.of(Notify(said.append), clock, environ)
    assert watchdog is not None
    watchdog.startService()
    clock.pump([5] * 7)
    assert said == [b"WATCHDOG=1"] * 2
    watchdog.stopService()
    clock.advance(1000)
    assert len(said) == 2


def test_nobody_watches() -> None:
    assert Watchdog.of(Notify(lambda message: None), Clock(), {}) is None
