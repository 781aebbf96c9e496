"""Whether a store can serve, and what it is like: what a balancer and an operator ask for."""

from __future__ import annotations

from collections.abc import Mapping

import attrs

#: A number, a word, or whether something is so.
Fact = bool | int | float | str | None


class Troubles:
    """Counts the requests that found the store failing; for one thread.

    :ivar met: how many there were.
    """

    def __init__(self) -> None:
        self.met = 0

    def meet(self) -> None:
        """One more."""
        self.met += 1


@attrs.frozen
class Health:
    """The answer.

    :ivar reason: why the store cannot serve; "" when it can.
    :ivar facts: section -> name -> fact; for whoever wants to know more, never a path or a secret.
    """

    reason: str = ""
    facts: Mapping[str, Mapping[str, Fact]] = attrs.field(factory=dict)

    @property
    def ready(self) -> bool:
        """Whether it can serve."""
        return not self.reason
