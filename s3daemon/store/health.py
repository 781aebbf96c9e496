"""Whether a store can serve, and what it is like: what a balancer and an operator ask for."""

from __future__ import annotations

from collections.abc import Mapping

import attrs

#: A number, a word, or whether something is so.
Fact = bool | int | float | str | None


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
