"""Syncs of a disk: counted when they fail, never tried again, and of directories shared.

What many threads have changed in one directory, one fsync(2) brings onto the device, if it *begins*
after the last of these changes.  Journals do much of that by themselves: who syncs while a
transaction is being written waits for the next one, together with all others.  So a few syncs of
one directory may run at once; who comes beyond joins a round that begins when one of these ends.
The first of a round syncs, the others wait and hear how it went.  Whoever is waited for is a thread
that runs, so nobody waits for a thread that has yet to be found.

A sync that fails fails everybody who waits for one of that directory: the kernel may have dropped
what they changed, and the next sync would say that all is well.  From then on nobody shares syncs
of that directory: each sees by a descriptor of its own what the kernel has to tell it (errors are
reported once for each open file, fsync(2)).
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from threading import Event, Lock

Sync = Callable[[int], None]
#: Device and inode.
Identity = tuple[int, int]

#: Syncs of one directory that run at the same time.  With fewer, eight writers were slower than
#: when each synced for itself (ext4); with more, less is shared.
_AT_ONCE = 4
#: Directories whose syncs have failed, that are remembered; beyond, nothing is shared any more.
_MOST_FAILED = 1024


class _Round:
    """One fsync of a directory that has not begun, and all who wait for it.

    :ivar turn: set for the thread that is to sync.
    :ivar has_turn: whether that was because it may, and not because it has failed.
    :ivar done: set for the others.
    """

    __slots__ = ("done", "error", "has_turn", "turn")

    def __init__(self, turn: Event, done: Event) -> None:
        self.turn = turn
        self.done = done
        self.has_turn = False
        self.error: OSError | None = None


class _Directory:
    """How many syncs of a directory are running, and the round after these."""

    __slots__ = ("running", "waiting")

    def __init__(self) -> None:
        self.running = 0
        self.waiting: _Round | None = None


class Syncs:
    """The fsyncs of one disk; for any thread.

    :param event: what waiters wait on.
    :ivar failed: how many have failed.
    """

    def __init__(self, event: Callable[[], Event] = Event) -> None:
        self._event = event
        self._lock = Lock()
        self._directories: dict[Identity, _Directory] = {}
        self._unshared: set[Identity] = set()
        self.failed = 0

    def alone(self, sync: Sync, fd: int) -> None:
        """Sync a descriptor.  :raises OSError: that failed."""
        try:
            sync(fd)
        except OSError:
            with self._lock:
                self.failed += 1
            raise

    def together(self, sync: Sync, fd: int) -> None:
        """Have a directory synced by a sync that begins after this call.

        :raises OSError: it failed, or one that was running before it did.
        """
        status = os.fstat(fd)
        identity = status.st_dev, status.st_ino
        own: _Round | None = None
        leads = True
        with self._lock:
            if identity in self._unshared or len(self._unshared) > _MOST_FAILED:
                at = None
            else:
                at = self._directories.setdefault(identity, _Directory())
                if at.running < _AT_ONCE:
                    at.running += 1
                else:
                    own, leads = at.waiting, at.waiting is None
                    if own is None:
                        own = at.waiting = _Round(self._event(), self._event())
        if at is None:
            self.alone(sync, fd)
        elif own is None:
            self._run(identity, at, None, sync, fd)
        elif not leads:
            own.done.wait()
            _check(own)
        else:
            own.turn.wait()
            self._begin(identity, at, own)
            self._run(identity, at, own, sync, fd)

    def _begin(self, identity: Identity, at: _Directory, own: _Round) -> None:
        """A round begins: nobody joins it any more.  :raises OSError: it has failed already."""
        with self._lock:
            if at.waiting is own:
                at.waiting = None
            if own.error is not None and own.has_turn:
                self._pass_on(identity, at)
        _check(own)

    def _run(
        self, identity: Identity, at: _Directory, own: _Round | None, sync: Sync, fd: int
    ) -> None:
        """Sync, tell those of our round, and let the next one begin."""
        error: OSError | None = OSError(errno.EIO, "the sync of a directory was broken off")
        try:
            sync(fd)
            error = None
        except OSError as exc:
            error = exc
            raise
        finally:
            with self._lock:
                if error is not None:
                    self.failed += 1
                    self._unshared.add(identity)
                    self._fail(at, error)
                if own is not None:
                    own.error = error
                    own.done.set()
                self._pass_on(identity, at)

    def _fail(self, at: _Directory, error: OSError) -> None:
        """The round that waits has failed before it began."""
        waiting, at.waiting = at.waiting, None
        if waiting is not None:
            waiting.error = error
            waiting.turn.set()
            waiting.done.set()

    def _pass_on(self, identity: Identity, at: _Directory) -> None:
        """A sync has ended: the round that waits may begin."""
        waiting = at.waiting
        if waiting is not None and not waiting.has_turn:
            waiting.has_turn = True
            waiting.turn.set()
            return
        at.running -= 1
        if not at.running:
            del self._directories[identity]


def _check(own: _Round) -> None:
    """:raises OSError: a round has failed."""
    if own.error is not None:
        raise OSError(own.error.errno, own.error.strerror) from own.error
