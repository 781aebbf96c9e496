"""``s3gate user``: what may stand on the command line."""

from __future__ import annotations

import argparse
import datetime
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from s3daemon import config_kinds as kinds
from s3daemon.ops import user_commands

_KEEP = kinds.duration(1, 3650 * 86400)


def register(commands: argparse._SubParsersAction[Any]) -> None:
    """Add ``user`` and its commands to a parser."""
    user = commands.add_parser(
        "user",
        help="who may come in: add, list, disable, enable, rotate, remove",
        description="Change the file of users.  Everything else in it stays as it is written; it is"
        " replaced whole, and daemons that use it read it again by themselves.",
    )
    actions = user.add_subparsers(required=True, metavar="COMMAND")
    _register_add(actions)

    shown = _command(
        actions, "list", user_commands.show, "show users and their access keys, never a secret"
    )
    shown.add_argument("name", nargs="?", help="of one user; default: all")

    for name, enabled, text in (
        ("disable", False, "let a user in no more, or stop one key; buckets stay theirs"),
        ("enable", True, "let a user in again, or one key"),
    ):
        switch = _command(actions, name, user_commands.switch, text)
        switch.add_argument("name", help="of the user")
        switch.add_argument("--access-key", metavar="KEY", help="only this key of the user")
        switch.set_defaults(enabled=enabled)

    rotate = _command(
        actions, "rotate", user_commands.rotate, "give a user a new key and end the old ones"
    )
    rotate.add_argument("name", help="of the user")
    rotate.add_argument("--access-key", metavar="KEY", help="end only this one of the old keys")
    rotate.add_argument(
        "--keep",
        type=_read(_KEEP),
        metavar="TIME",
        help="how long old keys stay good, such as 1h or 7d; default: they are removed now",
    )

    remove = _command(
        actions,
        "remove",
        user_commands.remove,
        "forget a user and all keys; buckets stay, under an id that nobody has any more",
    )
    remove.add_argument("name", help="of the user")


def _register_add(actions: argparse._SubParsersAction[Any]) -> None:
    add = _command(
        actions, "add", user_commands.add, "add a user with a new key, and show the secret once"
    )
    add.add_argument("name", help="for people and logs")
    add.add_argument("--id", help="canonical id, which buckets carry as owner; default: a new one")
    add.add_argument("--display-name", metavar="TEXT", help="default: the name")
    add.add_argument("--email", default="", metavar="ADDRESS", help="by which grants may name them")
    add.add_argument("--read-only", action="store_true", help="they may read, and nothing else")
    add.add_argument(
        "--scope",
        action="append",
        default=[],
        metavar="BUCKET[/PREFIX]",
        help="they reach nothing else; may be repeated",
    )
    add.add_argument("--uid", type=int, metavar="NUMBER", help="POSIX user")
    add.add_argument("--gid", type=int, metavar="NUMBER", help="POSIX group")
    add.add_argument(
        "--group",
        type=int,
        action="append",
        default=[],
        metavar="NUMBER",
        help="further POSIX group; may be repeated",
    )
    add.add_argument(
        "--expires", type=_end, metavar="WHEN", help="of the key: 90d, or 2027-01-31T12:00:00Z"
    )
    add.add_argument("--access-key", metavar="KEY", help="default: a new one")
    add.add_argument(
        "--secret-stdin",
        action="store_true",
        help="read the secret key from standard input; default: a new one",
    )


def _command(
    actions: argparse._SubParsersAction[Any],
    name: str,
    command: Callable[[argparse.Namespace], int],
    text: str,
) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = actions.add_parser(
        name, help=text, description=text[0].upper() + text[1:] + ".", allow_abbrev=False
    )
    place = parser.add_mutually_exclusive_group()
    place.add_argument("--file", type=Path, help="the file of users")
    place.add_argument(
        "--config",
        type=Path,
        metavar="FILE",
        help=f"the settings that name it in auth.credentials; default: {user_commands.SETTINGS}",
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(command=command)
    return parser


# ---------------------------------------------------------------- arguments


def _read(kind: kinds.Kind[float]) -> Callable[[str], float]:
    def read(text: str) -> float:
        try:
            return kind.read(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(f"has to be {error}") from None

    return read


def _end(text: str) -> datetime.datetime:
    """A time: as such, or from now on."""
    expects = "has to be a duration such as 90d, or a time such as 2027-01-31T12:00:00Z"
    try:
        return user_commands.from_now(_KEEP.read(text))
    except ValueError:
        pass
    try:
        end = datetime.datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(expects) from None
    if end.tzinfo is None:
        raise argparse.ArgumentTypeError(f"{expects}, with its offset")
    if end.timestamp() <= time.time():
        raise argparse.ArgumentTypeError("has to be in the future")
    return end.astimezone(datetime.UTC).replace(microsecond=0)
