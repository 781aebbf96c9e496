"""Which locks hold between processes on a file system: found out by two of them.

What a mount table or a manual page says of locks is not worth much: they may be missing, refused,
or kept by each process or node for itself.  So a second process is started, and both try to get in
each other's way.  That locks hold between *nodes* cannot be seen from one of them.
"""

from __future__ import annotations

import errno
import os
import select
import subprocess
import sys
from pathlib import Path

from s3daemon.store.posix import lock_kinds

#: Seconds after which a process that waits for a lock server counts as one without an answer.
_TIMEOUT = 20
#: Seconds that the other process may take to start.  A busy machine says nothing about locks; and
#: who believes that there are none refuses conditions, and overtakes those that others decide.
_START = 120


def proved(path: Path) -> str:
    """The kind of lock that holds between processes on this file; "" where none does.

    :param path: of a file that is nobody else's business, open to reading and writing.
    """
    for kind in lock_kinds.KINDS:
        if holds(path, kind):
            return kind
    return ""


def holds(path: Path, kind: str) -> bool:
    """Whether locks of a kind exclude as they should, and vanish with their holder."""
    try:
        other = _Other(path, kind)
    except OSError:
        return False
    mine: list[int] = []
    try:

        def take(exclusive: bool) -> bool:
            fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
            mine.append(fd)
            return lock_kinds.take(kind, fd, exclusive)

        def let_go() -> None:
            while mine:
                os.close(mine.pop())

        if not take(exclusive=True) or other.ask("exclusive") != "held":
            return False
        if other.ask("shared") != "held" or take(exclusive=False):
            return False  # threads of one process have to be kept apart as well
        let_go()
        if not take(exclusive=False) or other.ask("shared") != "taken":
            return False
        if other.ask("exclusive") != "held":
            return False
        let_go()
        if other.ask("exclusive") != "taken" or take(exclusive=False):
            return False
        other.kill()
        return take(exclusive=True)
    except (OSError, subprocess.TimeoutExpired):
        return False
    finally:
        for fd in mine:
            os.close(fd)
        other.kill()


class _Other:
    """Another process, which takes locks when asked."""

    def __init__(self, path: Path, kind: str) -> None:
        # Isolated: neither the environment nor what is installed has a say, and it starts faster.
        command = [sys.executable, "-I", "-S", lock_kinds.__file__, os.fspath(path), kind]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        if self._answer(_START) != "ready":
            self.kill()
            raise OSError(errno.ETIMEDOUT, "the other process does not start")

    def ask(self, what: str) -> str:
        """``exclusive`` or ``shared``; the answer, "" where there is none."""
        process = self._process
        assert process.stdin is not None
        process.stdin.write(what.encode() + b"\n")
        process.stdin.flush()
        return self._answer(_TIMEOUT)

    def _answer(self, seconds: int) -> str:
        stdout = self._process.stdout
        assert stdout is not None
        # Not select(2), which knows no descriptor above 1023.
        ready = select.poll()
        ready.register(stdout, select.POLLIN)
        if not ready.poll(seconds * 1000):
            return ""
        return stdout.readline().decode().strip()

    def kill(self) -> None:
        """End it, as a crash would.  May be called twice."""
        process = self._process
        process.kill()
        process.wait(_TIMEOUT)
        for stream in (process.stdin, process.stdout):
            assert stream is not None
            try:
                stream.close()
            except OSError:
                continue  # what it did not read any more
