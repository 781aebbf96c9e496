"""Logs as lines: one event, one line, whatever is in it.

``2026-11-24T09:10:00.123Z info s3daemon.access request_id=...``
"""

from __future__ import annotations

import datetime
import sys
from typing import TextIO

from twisted.logger import (
    FileLogObserver,
    FilteringLogObserver,
    ILogObserver,
    LogEvent,
    LogLevel,
    LogLevelFilterPredicate,
    eventAsText,
)


def line(event: LogEvent) -> str | None:
    """The event as a line with its end; None for an event that says nothing.

    Line ends within it, of tracebacks most often, become `` | ``.
    """
    text = eventAsText(event, includeTraceback=True, includeTimestamp=False, includeSystem=False)
    text = " | ".join(part.rstrip() for part in text.splitlines() if part.strip())
    if not text:
        return None
    text = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
    time = datetime.datetime.fromtimestamp(event.get("log_time", 0.0), datetime.UTC)
    stamp = time.strftime("%Y-%m-%dT%H:%M:%S.") + f"{time.microsecond // 1000:03d}Z"
    level: object = event.get("log_level")
    name = getattr(level, "name", "info")
    return f"{stamp} {name} {event.get('log_namespace') or '-'} {text}\n"


def observer(level: str = "info", out: TextIO | None = None) -> ILogObserver:
    """Writes lines of events of this level and above, to standard output unless told otherwise."""
    return FilteringLogObserver(
        FileLogObserver(sys.stdout if out is None else out, line),
        [LogLevelFilterPredicate(LogLevel.lookupByName(level))],
    )


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
