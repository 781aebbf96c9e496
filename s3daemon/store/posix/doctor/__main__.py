"""The doctor as a program of its own, so that a file system that hangs does not take more with it.

Arguments: the root, and perhaps the same one by another mount.  Each line of the output is a JSON
object: ``{"trying": SECTION}``, ``{"finding": ...}`` or, at the end, ``{"error": TEXT}`` where no
gateway could serve the root.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

from s3daemon.store.posix.doctor.examine import examine
from s3daemon.store.posix.probe import ProbeError


def main(arguments: list[str]) -> None:
    """Examine, and say what is found as it is found."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _end)
    root = Path(arguments[0])
    try:
        _check_user(root)
        other = Path(arguments[1]) if arguments[1:] else None
        for finding in examine(root, lambda section: _say(trying=section), other):
            _say(finding=finding.as_dict())
    except ProbeError as error:
        _say(error=str(error))


def _end(*_: object) -> None:
    """End, and clear away what was made; nothing is to come between that."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)
    sys.exit(1)


def _check_user(root: Path) -> None:
    """What root makes in somebody's directory, its owner could not use.

    :raises ProbeError: the owner should try it.
    """
    if os.geteuid() != 0:
        return
    for path in (root / ".s3gate", root):
        try:
            owner = path.stat().st_uid
        except OSError:
            continue  # the probe says why
        if owner != 0:
            raise ProbeError(
                f"{path} belongs to user {owner}: examine it as the daemon's user, for what root"
                f" makes there the daemon could not change (setpriv --reuid={owner} --clear-groups"
                " s3gate doctor ...)"
            )
        return


def _say(**what: Any) -> None:
    print(json.dumps(what), flush=True)


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except BrokenPipeError:
        # Nobody listens any more; nor is anything left in the buffer to fail once again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        sys.exit(1)
