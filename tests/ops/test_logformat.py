"""One event, one line."""

from __future__ import annotations

import io
import os
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.logger import LogLevel
from twisted.python.failure import Failure

from s3daemon.ops import logformat


def event(**values: Any) -> dict[str, Any]:
    return {
        "log_time": 1795511400.1239,
        "log_level": LogLevel.info,
        "log_namespace": "s3daemon.access",
        "log_format": "method={method}",
        "method": "GET",
    } | values


def test_a_line() -> None:
    assert logformat.line(event()) == "2026-11-24T09:10:00.123Z info s3daemon.access method=GET\n"


def test_an_event_that_says_nothing_is_no_line() -> None:
    assert logformat.line(event(log_format="")) is None


def test_a_traceback_stays_on_the_line() -> None:
    try:
        raise ZeroDivisionError("hm")
    except ZeroDivisionError:
        failure = Failure()
    line = logformat.line(event(log_failure=failure, log_level=LogLevel.critical))
    assert line is not None
    assert line.count("\n") == 1
    assert " critical s3daemon.access method=GET | Traceback" in line
    assert line.endswith("ZeroDivisionError: hm\n")


@given(st.text())
def test_nothing_in_an_event_makes_a_second_line(text: str) -> None:
    line = logformat.line(event(log_format="a{text}", text=text))
    assert line is not None
    assert len(line.splitlines()) == 1
    assert line[:-1].isprintable()


@pytest.mark.parametrize(
    ("level", "seen"),
    [("debug", "diwe"), ("info", "iwe"), ("warn", "we"), ("error", "e")],
)
def test_levels(level: str, seen: str) -> None:
    out = io.StringIO()
    write = logformat.observer(level, out)
    for name in ("debug", "info", "warn", "error"):
        write(event(log_level=LogLevel.lookupByName(name), log_format=name[0]))
    assert "".join(line[-1] for line in out.getvalue().splitlines()) == seen


@pytest.mark.parametrize("name", ["debug", "info", "warn", "error"])
def test_there_is_a_function_for_every_level(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    write = getattr(logformat, name)()
    write(event(log_level=LogLevel.error, log_format="an error"))
    write(event(log_level=LogLevel.lookupByName(name), log_format="of this level"))
    assert len(capsys.readouterr().out.splitlines()) == 2


@pytest.mark.parametrize(("level", "told"), [("debug", True), ("info", False), ("warn", False)])
def test_connections_to_a_key_service_are_for_whoever_looks_closely(level: str, told: bool) -> None:
    out = io.StringIO()
    observe = logformat.observer(level, out)
    observe(event(log_namespace="twisted.web.client._HTTP11ClientFactory"))
    assert bool(out.getvalue()) is told
    observe(event(log_namespace="twisted.web.client", log_level=LogLevel.warn, method="WARN"))
    assert "WARN" in out.getvalue()


def test_lines_of_a_worker_are_whole_and_say_whose_they_are() -> None:
    read, write = os.pipe()
    observe = logformat.of_worker(7, "info", write)
    observe(event())
    observe(event(log_level=LogLevel.debug))
    observe(event(method="\udcff"))
    os.close(write)
    got = os.read(read, 10_000).decode().splitlines()
    os.close(read)
    assert got == [
        "2026-11-24T09:10:00.123Z info s3daemon.access worker=7 method=GET",
        "2026-11-24T09:10:00.123Z info s3daemon.access worker=7 method=\\udcff",
    ]
    observe(event())  # nobody reads, and nobody minds
