"""``s3gate scrub``: read a store again and say what is not as it was put.

Status 0: everything is as it should be, but perhaps for what a crash has left over; 3: something is
damaged or inconsistent; 1: it was not done, or not to the end.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import attrs

from s3daemon import config_kinds as kinds
from s3daemon.ops import scrub_state
from s3daemon.ops.scrub_state import State, Task
from s3daemon.store.interfaces import NoSuchBucket
from s3daemon.store.posix.paths import Place
from s3daemon.store.posix.scrub.findings import Finding, Level, Totals
from s3daemon.store.posix.scrub.pacing import Pacer, Stopped
from s3daemon.store.posix.scrub.round import Round, Scope
from s3daemon.store.posix.scrub.scrubbing import Position, open_to_read, scrub
from s3daemon.toml_file import SettingError

#: Something is damaged or inconsistent.
FOUND = 3
#: Seconds between two states that are saved.
_SAVE_EVERY = 10.0
_LEVELS: tuple[Level, ...] = ("damage", "inconsistent", "leftover", "note")


@contextmanager
def stoppable() -> Iterator[Callable[[], bool]]:
    """While this lasts, SIGINT and SIGTERM only make the function given return True."""
    stopped: list[int] = []
    before = {
        number: signal.signal(number, lambda got, _: stopped.append(got))
        for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield lambda: bool(stopped)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def run_scrub(options: argparse.Namespace) -> int:
    """Scrub; see :mod:`s3daemon.ops.scrub_arguments`."""
    bucket, _, prefix = options.target.partition("/")
    task = Task(os.path.realpath(options.root), options.target, options.since or "")
    state = None if options.state is None else scrub_state.load(options.state, task)
    if state is None:
        state = State(task, _since_ns(options.since), None, Totals())
    elif not options.json:
        print(f"going on with what {options.state} says was not finished")
    scope = Scope(
        before_ns=time.time_ns() - int(options.older * 1e9),
        prefix=prefix.encode("utf-8", "surrogateescape"),
        since_ns=state.since_ns,
    )
    keeper = _Keeper(options.state, state)
    volume = open_to_read(options.root)
    try:
        with stoppable() as should_stop:
            pacer = Pacer(options.rate, should_stop)
            report = _reporter(options.json)
            round_ = Round(volume, scope, pacer, state.totals, report)
            scrub(round_, bucket or None, state.position, keeper.done)
    except Stopped:
        keeper.save()
        how = "" if options.state is None else f"; --state {options.state} goes on from here"
        print(f"s3gate: stopped before the end{how}", file=sys.stderr)
        return 1
    except NoSuchBucket:
        raise SettingError("", "", f"there is no bucket {bucket!r} in {options.root}") from None
    finally:
        volume.close()
    keeper.save(finished=True)
    summarise(state.totals, options.json)
    return FOUND if state.totals.at("damage", "inconsistent") else 0


class _Keeper:
    """Saves the state now and then."""

    def __init__(self, path: Path | None, state: State) -> None:
        self._path = path
        self._state = state
        self._saved = time.monotonic()

    def done(self, position: Position) -> None:
        """Note how far the scrub is."""
        if self._path is None:
            return
        self._state = attrs.evolve(self._state, position=position)
        if time.monotonic() - self._saved >= _SAVE_EVERY:
            self.save()

    def save(self, finished: bool = False) -> None:
        """Put it down.  :raises OSError:"""
        if self._path is not None:
            scrub_state.save(self._path, self._state, finished)
            self._saved = time.monotonic()


# ---------------------------------------------------------------- words


def _since_ns(text: str | None) -> int:
    """The time of ``--since``; without it, the beginning."""
    return parse_when(text) if text else 0


def parse_when(text: str) -> int:
    """``7d``: so long ago; or a time as ISO 8601 has it.  In ns since the epoch.

    :raises ValueError: it is neither.
    """
    try:
        return time.time_ns() - int(kinds.duration(0.001, 36500 * 86400.0).read(text) * 1e9)
    except ValueError:
        at = datetime.datetime.fromisoformat(text)
    if at.tzinfo is None:
        raise ValueError("without an offset")
    return int(at.timestamp() * 1e9)


def shown(place: Place) -> str:
    """A path for people; what is not printable is escaped."""
    text = b"/".join(place).decode("utf-8", "backslashreplace")
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def facts(finding: Finding) -> dict[str, Any]:
    """A finding for programs."""
    return {
        "kind": finding.kind.name,
        "level": finding.kind.level,
        "bucket": finding.bucket,
        "key": finding.key,
        "path": os.fsdecode(b"/".join(finding.path)),
        "detail": finding.detail,
        "repair": finding.kind.repair or None,
    }


def line(finding: Finding) -> str:
    """A finding for people."""
    kind = finding.kind
    return f"{kind.level}: {kind.name}: {shown(finding.path)}: {finding.detail}"


def _reporter(as_json: bool) -> Callable[[Finding], None]:
    def report(finding: Finding) -> None:
        print(json.dumps(facts(finding)) if as_json else line(finding), flush=True)

    return report


def summarise(totals: Totals, as_json: bool) -> None:
    """Print what there was."""
    levels = {level: totals.at(level) for level in _LEVELS}
    if as_json:
        print(json.dumps({"summary": {**attrs.asdict(totals), "levels": levels}}), flush=True)
        return
    counts = attrs.asdict(totals)
    del counts["found"], counts["verified_bytes"]
    print(", ".join(f"{name} {count}" for name, count in counts.items()), end="; ")
    print(f"{_size(totals.verified_bytes)} verified")
    print(", ".join(f"{level} {count}" for level, count in levels.items()))


def _size(count: int) -> str:
    """Bytes for people."""
    size, unit = float(count), "B"
    for larger in ("KiB", "MiB", "GiB", "TiB"):
        if size < 1024:
            break
        size, unit = size / 1024, larger
    return f"{size:.1f} {unit}" if unit != "B" else f"{count} B"
