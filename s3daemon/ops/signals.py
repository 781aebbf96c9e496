"""Signals of the process, for the reactor to act on."""

from __future__ import annotations

import signal
from collections.abc import Callable, Mapping
from typing import Any

import attrs
from twisted.internet.interfaces import IReactorFromThreads


@attrs.define(eq=False)
class Signals:
    """Takes signals, and gives them back.  Call both from the main thread."""

    _reactor: IReactorFromThreads
    _install: Callable[[int, Any], Any] = signal.signal
    _before: dict[int, Any] = attrs.field(factory=dict)

    def take(self, calls: Mapping[int, Callable[[], object]]) -> None:
        """From now on the reactor makes these calls."""
        for number, call in calls.items():
            self._before[number] = self._install(number, self._handler(call))

    def give_back(self) -> None:
        """Handle them as before."""
        while self._before:
            self._install(*self._before.popitem())

    def _handler(self, call: Callable[[], object]) -> Callable[[int, object], None]:
        def handle(number: int, frame: object) -> None:
            # A handler may run between any two instructions: the work is for the reactor.
            self._reactor.callFromThread(call)

        return handle
