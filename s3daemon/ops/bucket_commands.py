"""``s3gate bucket``: what an operator says of a bucket, in the store itself.

What is said is kept with the bucket, so that all gateways of all nodes hear of it, and at once.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from s3daemon.ops.as_owner import as_owner
from s3daemon.store.interfaces import NoSuchBucket, StorageError
from s3daemon.store.levels import LEVELS
from s3daemon.store.posix.probed import Probe, recorded
from s3daemon.store.posix.store import PosixStore
from s3daemon.toml_file import SettingError

#: What takes a bucket's own level away.
_DEFAULT = "default"


def register(commands: argparse._SubParsersAction[Any]) -> None:
    """Add ``bucket`` and its commands to a parser."""
    bucket = commands.add_parser(
        "bucket", help="what is kept with a bucket: its durability", allow_abbrev=False
    )
    actions = bucket.add_subparsers(required=True, metavar="COMMAND")
    durability = actions.add_parser(
        "durability",
        help="show or set how much of a bucket a power cut may take",
        description="Show the level of durability of buckets, or set that of one: strict (what was"
        " acknowledged survives a power cut), data (the newest changes may be lost, nothing is"
        " damaged), relaxed (nothing is synced), or default (that of store.durability).  Gateways"
        " that are running follow at once.",
        allow_abbrev=False,
    )
    durability.add_argument("root", type=Path, help="the root of the store")
    durability.add_argument("bucket", nargs="?", help="default: all")
    durability.add_argument("level", nargs="?", choices=(*LEVELS, _DEFAULT), help="default: show")
    durability.add_argument("--json", action="store_true", help="print JSON")
    durability.set_defaults(command=_durability)


def _durability(options: argparse.Namespace) -> int:
    """Show levels, or set one and show it."""
    with _opened(options.root) as store:
        try:
            if options.level is not None:
                level = None if options.level == _DEFAULT else options.level
                store.buckets.set_durability(options.bucket, level)
            one = options.bucket is not None
            found = [store.buckets.get(options.bucket)] if one else store.buckets.list()
        except NoSuchBucket:
            raise SettingError(
                str(options.root),
                "",
                f"there is no bucket {options.bucket!r}; s3gate bucket durability"
                f" {options.root} shows all",
            ) from None
        except StorageError as error:
            raise SettingError(str(options.root), options.bucket or "", str(error)) from error
    levels = {info.name: info.durability or _DEFAULT for info in found}
    if options.json:
        print(json.dumps(levels, indent=2))
        return 0
    for name, level in levels.items():
        print(f"{level:<8} {name}")
    return 0


@contextmanager
def _opened(root: Path) -> Iterator[PosixStore]:
    with as_owner(root):
        store = PosixStore(root, known=_known(root))
        try:
            yield store
        finally:
            store.close()


def _known(root: Path) -> Probe | None:
    """What the gateway found out about the root when it started."""
    fd = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        return recorded(fd)
    finally:
        os.close(fd)
