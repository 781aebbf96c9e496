"""Threads that take turns as a seed says: of all, only the one that holds the baton runs.

It is handed on, or not, before every system call that :meth:`Baton.installed` knows about: changes
of the disk, and looks at it.  So two threads meet where they never would by chance, and they do so
again with the same seed.

A thread that waits for a lock of the process, which another one holds that has not got the baton,
would wait for ever; when nothing moves any more, the baton goes to somebody else.
"""

from __future__ import annotations

import fcntl
import os
import random
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pytest

#: What looks at the disk, or waits for somebody.
_LOOKS: Sequence[tuple[Any, str]] = (
    (os, "open"),
    (os, "stat"),
    (os, "getxattr"),
    (os, "pread"),
    (os, "scandir"),
    (os, "listdir"),
    (fcntl, "flock"),
)
#: Seconds without a step until a thread is taken to wait for another one.
_STUCK = 0.5


class Baton:
    """One run of some threads.

    :param chance: says who is next.
    :param restless: how likely the baton is handed on at a step, from 0 to 1.
    """

    def __init__(self, chance: random.Random, restless: float) -> None:
        self._chance = chance
        self._restless = restless
        self._turns: list[threading.Semaphore] = []
        self._running: list[int] = []
        self._mine = threading.local()
        self._holder = -1
        self._finished = threading.Event()
        self._errors: list[BaseException] = []
        self._guard = threading.Lock()
        self.steps = 0

    def run(self, works: Sequence[Callable[[], None]]) -> None:
        """Run all of them to their end; the first error is raised."""
        self._turns = [threading.Semaphore(0) for _ in works]
        self._running = list(range(len(works)))
        threads = [
            threading.Thread(target=self._work, args=(number, work), daemon=True)
            for number, work in enumerate(works)
        ]
        for thread in threads:
            thread.start()
        self._hand_on(self._chance.choice(self._running))
        before = -1
        while not self._finished.wait(_STUCK):
            with self._guard:
                if self.steps == before and len(self._running) > 1:
                    others = [number for number in self._running if number != self._holder]
                    self._hand_on(self._chance.choice(others))
                before = self.steps
        for thread in threads:
            thread.join()
        if self._errors:
            raise self._errors[0]

    def _work(self, number: int, work: Callable[[], None]) -> None:
        self._mine.number = number
        self._turns[number].acquire()
        try:
            work()
        except BaseException as exc:
            self._errors.append(exc)
        finally:
            self._mine.number = None
            with self._guard:
                self._running.remove(number)
                if not self._running:
                    self._finished.set()
                elif self._holder == number:
                    self._hand_on(self._chance.choice(self._running))

    def _hand_on(self, number: int) -> None:
        self._holder = number
        self._turns[number].release()

    def pause(self, always: bool = False) -> None:
        """A step: perhaps somebody else is next.  Nothing, in a thread that is none of ours.

        :param always: the thread waits for another one.
        """
        number = getattr(self._mine, "number", None)
        if number is None:
            return
        with self._guard:
            self.steps += 1
            if self._holder == number:
                others = [one for one in self._running if one != number]
                if not others or not (always or self._chance.random() < self._restless):
                    return
                self._hand_on(self._chance.choice(others))
        self._turns[number].acquire()

    def hook(self, _: str, call: Callable[..., Any], *args: Any) -> Any:
        """For :class:`s3daemon.store.posix.durable.Disk`."""
        self.pause()
        return call(*args)

    @contextmanager
    def installed(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
        """As long as this lasts, looks at the disk are steps, and sleeping is waiting."""
        with monkeypatch.context() as patch:
            for module, name in _LOOKS:
                patch.setattr(module, name, self._step_before(getattr(module, name)))
            asleep = time.sleep

            def sleep(seconds: float) -> None:
                if getattr(self._mine, "number", None) is None:
                    asleep(seconds)
                else:
                    self.pause(always=True)

            patch.setattr(time, "sleep", sleep)
            yield

    def _step_before(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def stepping(*args: Any, **kwargs: Any) -> Any:
            self.pause()
            return call(*args, **kwargs)

        return stepping
