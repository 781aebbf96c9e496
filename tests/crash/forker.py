"""A process that makes others, each of which plays a scene on a real store and dies at a change.

``python -m tests.crash.forker FD``: what is asked for comes on a socket, with the socket that the
child is to talk on.  A process of its own, as it has one thread only and so may fork.

The child says, one JSON text a line: ``{"told": ...}``, what it has been told before the request;
``{"at": N}``, it stands before change N and goes on with the next byte it is sent; ``{"waits":
true}``, it waits for a lock; ``{"done": OUTCOME, "told": ..., "changes": N}``, it has the answer of
the request; ``{"broken": TEXT}``.  Then it is gone, or without any of that when it is killed.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs
import pytest

from s3daemon.store.levels import Durability
from s3daemon.store.posix.probed import Probe
from tests.crash import races, scenes
from tests.crash.breaking import BREAKS
from tests.crash.scenes import Told, World, outcome
from tests.crash.stages import open_store

#: Its own copy of the socket, so high that it is the last descriptor to be closed.
_HIGH = 900


@attrs.frozen
class Job:
    """What a child is to do.

    :ivar scene: its name; :ivar told: of a scene that is prepared already, else None.
    :ivar pause: the change before which it waits, from 0; -1 for none.
    :ivar kill: the change before which it is killed, from 0; -1 for none.
    :ivar half: the last change before that is done by half, where it can be.
    :ivar broken: the name of one of :data:`tests.crash.breaking.BREAKS`, or "".
    """

    root: str
    probe: Probe
    scene: str
    told: Told | None = None
    pause: int = -1
    kill: int = -1
    half: bool = False
    broken: str = ""
    says_when_it_waits: bool = False
    durability: Durability = "strict"

    def dump(self) -> bytes:
        """As it is sent."""
        return json.dumps(attrs.asdict(self)).encode()

    @classmethod
    def load(cls, raw: bytes) -> Job:
        """What was sent."""
        fields = json.loads(raw)
        return cls(**{**fields, "probe": Probe(**fields["probe"])})


class Killer:
    """A hook that waits, and kills, as a job says."""

    def __init__(self, job: Job, talk: socket.socket) -> None:
        self._job = job
        self._talk = talk
        self.armed = False
        self.count = 0

    def __call__(self, name: str, call: Callable[..., Any], *args: Any) -> Any:
        if name == "fsync":  # it only takes time: what a killed process has written stays
            call = _nothing
        if not self.armed:
            return call(*args)
        number, self.count = self.count, self.count + 1
        if number == self._job.pause:
            say(self._talk, at=number)
            self._talk.recv(1)
        if number == self._job.kill:
            os.kill(os.getpid(), signal.SIGKILL)
        if self._job.half and number == self._job.kill - 1:
            return _half(name, call, *args)
        return call(*args)


class _Sleep:
    """Who sleeps looks for a lock again and again: there is no other reason to.  It says so."""

    def __init__(self, talk: socket.socket) -> None:
        self._talk = talk
        self._sleep = time.sleep

    def __call__(self, seconds: float) -> None:
        say(self._talk, waits=True)
        self._sleep(seconds)


def _nothing(fd: int) -> None:
    """Instead of a sync."""


def _half(name: str, call: Callable[..., Any], *args: Any) -> Any:
    """A change that is cut off: the kernel may do so with writes."""
    if name in ("write", "pwrite"):
        fd, data, *rest = args
        pieces = data if isinstance(data, list) else [data]
        whole = b"".join(bytes(piece) for piece in pieces)
        half = whole[: max(1, len(whole) // 2)]
        return call(fd, [half] if isinstance(data, list) else half, *rest)
    if name == "copy_range":
        source, target, size, *rest = args
        return call(source, target, max(1, size // 2), *rest)
    return call(*args)


def say(talk: socket.socket, **what: Any) -> None:
    """One line."""
    talk.sendall(json.dumps(what).encode() + b"\n")


def play(job: Job, talk: socket.socket) -> None:
    """What the child does."""
    killer = Killer(job, talk)
    if job.says_when_it_waits:
        time.sleep = _Sleep(talk)
    if job.broken:
        BREAKS[job.broken](pytest.MonkeyPatch())
    store = open_store(Path(job.root), job.probe, [killer], job.durability)
    scene = {**scenes.BY_NAME, **races.BY_NAME}[job.scene]
    if job.told is None:
        world, told = scene.prepare(store)
    else:
        world, told = World(store), dict(job.told)
    say(talk, told=told)
    killer.armed = True
    done = outcome(scene.act, world, told)
    if killer.count == job.kill:  # nothing is left but to answer
        os.kill(os.getpid(), signal.SIGKILL)
    say(talk, done=done, told=told, changes=killer.count)


def main() -> None:
    """Fork whenever it is asked for."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    asked = socket.socket(fileno=int(sys.argv[1]))
    while True:
        raw, descriptors, _, _ = socket.recv_fds(asked, 65536, 1)
        if not raw:
            return
        pid = os.fork()
        if pid:
            os.close(descriptors[0])
            asked.sendall(b"%d\n" % pid)
            continue
        os.dup2(descriptors[0], _HIGH)
        os.close(descriptors[0])
        talk = socket.socket(fileno=_HIGH)
        try:
            play(Job.load(raw), talk)
        except BaseException:
            say(talk, broken=traceback.format_exc())
        os._exit(0)


if __name__ == "__main__":
    main()
