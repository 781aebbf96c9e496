"""Where a scrub that was interrupted goes on: a small file, replaced whole."""

from __future__ import annotations

import json
import os
from collections import Counter
from pathlib import Path
from typing import Any

import attrs

from s3daemon.ops import secret_file
from s3daemon.store.posix.scrub.findings import Totals
from s3daemon.store.posix.scrub.scrubbing import Position
from s3daemon.toml_file import SettingError


@attrs.frozen
class Task:
    """What was asked for; who asks for something else does not go on here.

    :ivar root: with all links resolved.
    :ivar target: ``BUCKET[/PREFIX]``, "" for all buckets.
    :ivar since: as it was written, for it may be relative to now; "" for the beginning.
    """

    root: str
    target: str
    since: str


@attrs.frozen
class State:
    """How far a scrub has come.

    :ivar since_ns: see :class:`s3daemon.store.posix.scrub.round.Scope`.
    :ivar position: None before the first entry.
    """

    task: Task
    since_ns: int
    position: Position | None
    totals: Totals


def load(path: Path, task: Task) -> State | None:
    """What was saved of a task that is not finished; None where there is nothing to go on with.

    :raises SettingError: the file is of another task, or no such file at all.
    :raises OSError: it cannot be read.
    """
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        return None
    try:
        fields = json.loads(raw)
        if fields["v"] != 1:
            raise ValueError("of another version")
        if fields["finished"]:
            return None
        found = Task(fields["root"], fields["target"], fields["since"])
        state = State(found, int(fields["since_ns"]), _position(fields), _totals(fields["totals"]))
    except (ValueError, TypeError, LookupError, AttributeError):
        raise SettingError(
            str(path), "", "is no state of a scrub: name another file with --state"
        ) from None
    if found != task:
        raise SettingError(
            str(path),
            "",
            f"is of an unfinished scrub of {found.root} {found.target}"
            + (f" --since {found.since}" if found.since else "")
            + ": finish that, name another file with --state, or remove this one",
        )
    return state


def save(path: Path, state: State, finished: bool = False) -> None:
    """Put down how far a scrub has come.  :raises OSError:"""
    position = state.position
    fields = {
        "v": 1,
        "finished": finished,
        **attrs.asdict(state.task),
        "since_ns": state.since_ns,
        "bucket": None if position is None else position.bucket,
        "place": (
            None
            if position is None or position.place is None
            else [os.fsdecode(name) for name in position.place]
        ),
        "totals": attrs.asdict(state.totals),
    }
    secret_file.replace(path, json.dumps(fields).encode() + b"\n")


def _position(fields: dict[str, Any]) -> Position | None:
    if fields["bucket"] is None:
        return None
    place = fields["place"]
    names = None if place is None else tuple(os.fsencode(name) for name in place)
    return Position(str(fields["bucket"]), names)


def _totals(fields: dict[str, Any]) -> Totals:
    counts = {name: int(value) for name, value in fields.items() if name != "found"}
    found = Counter({str(name): int(count) for name, count in fields["found"].items()})
    return Totals(**counts, found=found)
