"""Logs as lines: one event, one line, whatever is in it.

``2026-11-24T09:10:00.123Z info s3daemon.access request_id=...``
"""

from __future__ import annotations

import datetime
import io
import os
import sys
from contextlib import suppress
from functools import lru_cache, partial
from typing import TextIO, cast

from twisted.logger import (
    FileLogObserver,
    FilteringLogObserver,
    ILogObserver,
    LogEvent,
    LogLevel,
    LogLevelFilterPredicate,
    eventAsText,
    formatEvent,
)


def line(event: LogEvent, tag: str = "") -> str | None:
    """The event as a line with its end; None for an event that says nothing.

    Line ends within it, of tracebacks most often, become `` | ``.

    :param tag: stands in front of the text.
    """
    if event.get("log_format") == "{line}":
        text = str(event["line"])  # one a request: its formatting is most of what it costs
    elif "log_failure" in event:
        text = eventAsText(event, includeTimestamp=False, includeSystem=False)
    else:
        text = formatEvent(event)
    if not text.isprintable():
        text = " | ".join(part.rstrip() for part in text.splitlines() if part.strip())
        text = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
    if not text:
        return None
    time = event.get("log_time", 0.0)
    second = int(time // 1)
    level: object = event.get("log_level")
    name = getattr(level, "name", "info")
    milliseconds = int((time - second) * 1000)
    return (
        f"{_second(second)}.{milliseconds:03d}Z {name} {event.get('log_namespace') or '-'}"
        f" {tag}{text}\n"
    )


@lru_cache(maxsize=2)
def _second(seconds: int) -> str:
    """The date and time of a second; most lines share theirs with the line before."""
    return datetime.datetime.fromtimestamp(seconds, datetime.UTC).strftime("%Y-%m-%dT%H:%M:%S")


def observer(level: str = "info", out: TextIO | None = None) -> ILogObserver:
    """Writes lines of events of this level and above, to standard output unless told otherwise."""
    least = LogLevelFilterPredicate(LogLevel.lookupByName(level))
    if level == "info":
        # Twisted's client of HTTP tells of each connection that it opens and closes.
        least.setLogLevelForNamespace("twisted.web.client", LogLevel.warn)
    return FilteringLogObserver(FileLogObserver(sys.stdout if out is None else out, line), [least])


def of_worker(number: int, level: str, fd: int) -> ILogObserver:
    """Writes the lines of one of several processes, each by one call, which keeps it in one piece.

    :param fd: what all of them write to.
    """
    return FilteringLogObserver(
        FileLogObserver(cast(TextIO, _Lines(fd)), partial(line, tag=f"worker={number} ")),
        [LogLevelFilterPredicate(LogLevel.lookupByName(level))],
    )


class _Lines(io.TextIOBase):
    """Text straight to a descriptor."""

    def __init__(self, fd: int) -> None:
        self._fd = fd

    def write(self, text: str) -> int:
        data = text.encode("utf-8", "backslashreplace")
        with suppress(OSError):  # nobody reads it any more; there is nobody else to tell
            while data:
                data = data[os.write(self._fd, data) :]
        return len(text)


def debug() -> ILogObserver:
    """Everything.  These are what ``twistd --logger`` takes: names of functions."""
    return observer("debug")


def info() -> ILogObserver:
    """One line a request, and what an operator wants to know."""
    return observer("info")


def warn() -> ILogObserver:
    """What may need an operator."""
    return observer("warn")


def error() -> ILogObserver:
    """What needs one."""
    return observer("error")
