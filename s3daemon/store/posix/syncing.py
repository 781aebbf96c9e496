"""Syncs of a disk: counted when they fail, never tried again, and of directories shared.

What many threads have changed in one directory, one fsync(2) brings onto the device, if it *begins*
after the last of these changes.  So who needs a directory synced while that is under way joins the
round after it: the first to do so leads it and syncs once; the others wait and hear how it went.
A leader is a thread that runs, so nobody waits for a thread that has yet to be found.

A sync that fails fails everybody who has changed the directory before it ended: the kernel may have
dropped what they changed, and the next sync would say that all is well.  From then on nobody shares
syncs of that directory: each sees by a descriptor of its own what the kernel has to tell it (errors
are reported once for each open file, fsync(2)).
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from threading import Event, Lock

Sync = Callable[[int], None]
#: Device and inode.
Identity = tuple[int, int]

#: Directories whose syncs have failed, that are remembered; beyond, nothing is shared any more.
_MOST_FAILED = 1024


class _Round:
    """One fsync of a directory, and all who wait for it."""

    __slots__ = ("begun", "done", "error", "following")

    def __init__(self, done: Event) -> None:
        self.begun = False
        self.done = done
        self.error: OSError | None = None
        self.following: _Round | None = None


class Syncs:
    """The fsyncs of one disk; for any thread.

    :param event: what waiters wait on.
    :ivar failed: how many have failed.
    """

    def __init__(self, event: Callable[[], Event] = Event) -> None:
        self._event = event
        self._lock = Lock()
        self._rounds: dict[Identity, _Round] = {}
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

        :raises OSError: it failed, or one that was under way did.
        """
        status = os.fstat(fd)
        identity = status.st_dev, status.st_ino
        with self._lock:
            shared = identity not in self._unshared and len(self._unshared) <= _MOST_FAILED
            if shared:
                own, before, leads = self._join(identity)
        if not shared:
            self.alone(sync, fd)
            return
        if not leads:
            own.done.wait()
        elif before is None or self._has_turn(own, before):
            self._lead(identity, own, sync, fd)
        if own.error is not None:
            raise OSError(own.error.errno, own.error.strerror) from own.error

    def _join(self, identity: Identity) -> tuple[_Round, _Round | None, bool]:
        """A round that has not begun, the one before it, and whether it is ours to lead."""
        now = self._rounds.get(identity)
        if now is None:
            own = self._rounds[identity] = _Round(self._event())
            own.begun = True
            return own, None, True
        if not now.begun:
            return now, None, False
        if now.following is not None:
            return now.following, None, False
        now.following = _Round(self._event())
        return now.following, now, True

    def _has_turn(self, own: _Round, before: _Round) -> bool:
        """Wait for the round before; False if that has failed, and ours with it."""
        before.done.wait()
        with self._lock:
            own.begun = True
            return own.error is None

    def _lead(self, identity: Identity, own: _Round, sync: Sync, fd: int) -> None:
        """Sync, and tell the others; an error of ours is left in the round."""
        error: OSError | None = OSError(errno.EIO, "the sync of a directory was broken off")
        try:
            sync(fd)
            error = None
        except OSError as exc:
            error = exc
        finally:
            self._end(identity, own, error)

    def _end(self, identity: Identity, own: _Round, error: OSError | None) -> None:
        with self._lock:
            following = own.following
            own.error = error
            if error is not None:
                self.failed += 1
                self._unshared.add(identity)
                if following is not None:
                    following.error = error
                    following.done.set()
            if following is not None and error is None:
                self._rounds[identity] = following
            else:
                del self._rounds[identity]
            own.done.set()
