"""``s3gate scrub`` and ``s3gate repair``: what may stand on the command line."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from s3daemon import config_kinds as kinds
from s3daemon.ops import repair_commands, scrub_commands
from s3daemon.store.posix.scrub.findings import KINDS

T = TypeVar("T")

_RATE = kinds.size(0, 1 << 50)
_AGE = kinds.duration(0.0, 3650 * 86400.0, zero="any age")
#: What people write for KiB ...
_SHORT = "KMGT"


def register(commands: argparse._SubParsersAction[Any]) -> None:
    """Add ``scrub`` and ``repair`` to a parser."""
    text = "read everything again and say what is not as it was put; changes nothing"
    scrub = _command(commands, "scrub", scrub_commands.run_scrub, text)
    scrub.add_argument(
        "--since",
        type=_when,
        metavar="WHEN",
        help="read only what has changed since: 7d, or a time",
    )
    scrub.add_argument(
        "--state", type=Path, metavar="FILE", help="where to go on after an interruption"
    )

    text = "say what would be repaired of what a scrub finds, and with --apply repair it"
    repair = _command(commands, "repair", repair_commands.run_repair, text)
    repair.add_argument("--apply", action="store_true", help="do it; default: only say what")
    repair.add_argument(
        "--only",
        action="append",
        choices=[kind.name for kind in KINDS if kind.repair],
        metavar="KIND",
        help="repair nothing else; may be repeated; one of: %(choices)s",
    )


def _command(
    commands: argparse._SubParsersAction[Any],
    name: str,
    command: Callable[[argparse.Namespace], int],
    text: str,
) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(
        name,
        help=text,
        description=text[0].upper() + text[1:] + ".",
        epilog=f"Status: 0 nothing is wrong (any more); {scrub_commands.FOUND} something is; 1 it"
        " was not done, or not to the end.  docs/operations.md says what each finding means.",
        allow_abbrev=False,
    )
    parser.add_argument("root", type=Path, help="the directory whose sub-directories are buckets")
    parser.add_argument(
        "target", nargs="?", default="", metavar="BUCKET[/PREFIX]", help="default: all buckets"
    )
    parser.add_argument(
        "--rate",
        type=_rate,
        default="50M",
        metavar="SIZE",
        help="bytes to read in a second, such as 50M; 0: as fast as it goes; default: %(default)s",
    )
    parser.add_argument(
        "--older",
        type=_age,
        default="1d",
        metavar="TIME",
        help="leftovers count from this age on; younger ones may be at work, so less than an hour"
        " is for when no gateway runs; default: %(default)s",
    )
    parser.add_argument("--json", action="store_true", help="print a JSON object in each line")
    parser.set_defaults(command=command)
    return parser


def _rate(text: str) -> int:
    long = text + "iB" if text[-1:] in _SHORT else text + "B" if text.isdecimal() else text
    return _read(_RATE, long)


def _age(text: str) -> float:
    return _read(_AGE, text)


def _read(kind: kinds.Kind[T], text: str) -> T:
    try:
        return kind.read(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"has to be {error}") from None


def _when(text: str) -> str:
    try:
        scrub_commands.parse_when(text)
    except ValueError:
        raise argparse.ArgumentTypeError(
            "has to be a duration such as 7d, or a time such as 2027-01-31T12:00:00Z"
        ) from None
    return text
