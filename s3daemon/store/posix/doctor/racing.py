"""Two creators of one name, again and again at the same moment."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Sequence

import attrs

from s3daemon.store.posix.durable import Disk

#: Races, as long as all of them take no more seconds: CephFS needs more than one for each.
_ROUNDS, _BUDGET = 50, 10.0


def creators(
    disk: Disk,
    directories: Sequence[int],
    by_rename: bool,
    now: Callable[[], float] = time.monotonic,
) -> tuple[int, int]:
    """Let a thread for each of some descriptors of a directory give a file of its own one name.

    :param by_rename: by RENAME_NOREPLACE; else by link(2).
    :param now: a clock, in seconds.
    :return: how many races there were, and in how many of them there was not one winner, whose file
        is then found under the name by all.
    """
    wrong = rounds = 0
    end = now() + _BUDGET
    while rounds < _ROUNDS and now() < end:
        race = _Race(disk, b"won-%d" % rounds, by_rename, threading.Barrier(len(directories)))
        threads = [
            threading.Thread(target=race.run, args=(which, directory))
            for which, directory in enumerate(directories, 1)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        rounds += 1
        wrong += not race.is_won(directories)
    return rounds, wrong


@attrs.frozen
class _Race:
    disk: Disk
    name: bytes
    by_rename: bool
    begin: threading.Barrier
    winners: list[int] = attrs.field(factory=list)

    def run(self, which: int, directory: int) -> None:
        """Take part; who it was is how long the file is."""
        own = b"of-%d" % which
        fd = self.disk.create(own, directory)
        try:
            self.disk.write(fd, [b"x" * which])
        finally:
            os.close(fd)
        self.begin.wait()
        try:
            if self.by_rename:
                self.disk.rename_new(own, directory, self.name, directory)
            else:
                self.disk.link(own, directory, self.name, directory)
            self.winners.append(which)
        except OSError:
            pass  # the other one was quicker
        if not self.by_rename or which not in self.winners:
            self.disk.unlink(own, directory)

    def is_won(self, directories: Sequence[int]) -> bool:
        """Whether one has won, and all see that."""
        try:
            sizes = [os.stat(self.name, dir_fd=directory).st_size for directory in directories]
            self.disk.unlink(self.name, directories[0])
        except OSError:
            return False
        return len(self.winners) == 1 and set(sizes) == set(self.winners)
