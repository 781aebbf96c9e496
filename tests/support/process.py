"""The daemon as a process of its own."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent


@contextmanager
def process(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    """It runs in the foreground, alone unless told otherwise; its log is its standard output."""
    code = "from twisted.scripts.twistd import run; run()"
    command = [sys.executable, "-c", code, "--nodaemon", "--pidfile=", "s3gate", "--workers=1"]
    command += arguments
    with subprocess.Popen(
        command, cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    ) as running:
        try:
            yield running
        finally:
            running.kill()


def read_until(running: subprocess.Popen[str], text: str) -> str:
    """The first line with this text; the test's own time limit ends a vain wait."""
    assert running.stdout is not None
    seen = []
    for line in running.stdout:
        seen.append(line)
        if text in line:
            return line
    raise AssertionError("".join(seen))
