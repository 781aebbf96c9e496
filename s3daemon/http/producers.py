"""Producers that write an answer at the client's pace, as ``twisted.web`` resources use them."""

from __future__ import annotations

from typing import Any

from twisted.internet.interfaces import IDelayedCall, IReactorTime


class Producers:
    """At most one producer (``IPushProducer`` or ``IPullProducer``) of one connection.

    A pull producer is asked once in every turn of the reactor, and not while the client is slower
    than we are.
    """

    def __init__(self, reactor: IReactorTime) -> None:
        self._reactor = reactor
        self._producer: Any = None
        self._streaming = False
        self._blocked = False
        self._pull: IDelayedCall | None = None

    def register(self, producer: Any, streaming: bool, blocked: bool) -> None:
        """Take a producer on.

        :raises RuntimeError: there is one.
        """
        if self._producer is not None:
            raise RuntimeError("another producer is registered")
        self._producer, self._streaming, self._blocked = producer, streaming, blocked
        if not streaming:
            self._schedule()
        elif blocked:
            producer.pauseProducing()

    def unregister(self) -> None:
        """Let it go."""
        self._producer = None
        if self._pull is not None:
            self._pull.cancel()
            self._pull = None

    def flow(self, blocked: bool) -> None:
        """The client is slower than we are, or not any more."""
        changed, self._blocked = blocked != self._blocked, blocked
        if self._producer is None or not changed:
            return
        if not self._streaming:
            self._schedule()
        elif blocked:
            self._producer.pauseProducing()
        else:
            self._producer.resumeProducing()

    def lost(self) -> None:
        """There is no client any more."""
        producer = self._producer
        self.unregister()
        if producer is not None:
            producer.stopProducing()

    def _schedule(self) -> None:
        if self._pull is None and not self._blocked:
            self._pull = self._reactor.callLater(0, self._ask)

    def _ask(self) -> None:
        self._pull = None
        if not self._blocked:
            self._producer.resumeProducing()
            if self._producer is not None:
                self._schedule()
