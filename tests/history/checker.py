"""Is there an order in which all of it could have happened, one after the other?

A history is what clients saw: operations on one key, each with the moment it was asked for and the
moment it was answered.  It is linearizable if every operation can be given one moment between these
two, so that a plain register, written and read in that order, gives the same answers.

The search is that of Wing and Gong (Testing and verifying concurrent objects, 1993), with the
memory of Lowe (Testing for linearizability, 2017): a set of operations done and the value that they
leave behind is gone into once.

An operation whose answer never came may have happened at any moment since, or never.
"""

from __future__ import annotations

from collections.abc import Sequence

import attrs

#: What a key holds that holds no object.
ABSENT = ""


@attrs.frozen
class Operation:
    """What a client did to one key, and what it learned.

    :ivar start: when it was asked for; any unit.
    :ivar end: when it was answered; None: never.
    :ivar makes: what the key holds afterwards; None: what it held before.
    :ivar needs: the key held one of these; None: anything.
    :ivar excludes: the key held none of these.
    :ivar label: for people.
    """

    start: int
    end: int | None
    makes: str | None = None
    needs: frozenset[str] | None = None
    excludes: frozenset[str] = frozenset()
    label: str = ""

    def suits(self, value: str) -> bool:
        """Whether it can have happened when the key held this."""
        return (self.needs is None or value in self.needs) and value not in self.excludes

    def __str__(self) -> str:
        end = "never" if self.end is None else self.end
        return f"[{self.start} .. {end}] {self.label}"


def write(start: int, end: int | None, value: str, label: str = "") -> Operation:
    """The key was given a value (:data:`ABSENT`: it was deleted), whatever it held."""
    return Operation(start, end, value, label=label or f"write {value or 'nothing'}")


def read(start: int, end: int | None, *values: str, label: str = "") -> Operation:
    """The key was seen to hold one of these values."""
    return Operation(start, end, None, frozenset(values), label=label or f"read {values}")


def swap(start: int, end: int | None, old: Sequence[str], new: str, label: str = "") -> Operation:
    """The key held one of these, and was given a value in the same moment."""
    return Operation(start, end, new, frozenset(old), label=label or f"swap {old} for {new}")


def refused(start: int, end: int | None, *values: str, label: str = "") -> Operation:
    """The key was seen to hold none of these."""
    return Operation(start, end, None, None, frozenset(values), label or f"not {values}")


@attrs.frozen
class Contradiction:
    """No order is possible.

    :ivar done: how many operations could be put in order at most.
    :ivar value: what the key held then.
    :ivar stuck: the operations of which one had to be next.
    """

    done: int
    value: str
    stuck: tuple[Operation, ...]

    def __str__(self) -> str:
        lines = "\n  ".join(map(str, self.stuck))
        held = self.value or "nothing"
        return f"after {self.done} operations the key held {held}; none can be next of\n  {lines}"


class _Search:
    """The operations in order of their start; a node is (first not done, others done, maybes
    done, value), where the middle two are sets of bits."""

    def __init__(self, operations: Sequence[Operation]) -> None:
        in_order = sorted(operations, key=lambda one: one.start)
        self.sure = [one for one in in_order if one.end is not None]
        # A read that was never answered says nothing.
        self.maybe = [one for one in in_order if one.end is None and one.makes is not None]
        needed = frozenset().union(*(one.needs or () for one in operations))
        # Those that leave what nobody has seen, and need nothing, are all alike: the first will do.
        self.alike = [
            one.needs is None and not one.excludes and one.makes not in needed for one in self.maybe
        ]

    def candidates(self, low: int, done: int) -> tuple[list[int], float]:
        """The operations that may be next, and the moment before which one of them has to be."""
        found: list[int] = []
        deadline = float("inf")
        for at in range(low, len(self.sure)):
            one = self.sure[at]
            if one.start > deadline:
                break
            if not done >> (at - low) & 1:
                found.append(at)
                deadline = min(deadline, one.end or 0)
        return [at for at in found if self.sure[at].start <= deadline], deadline

    def run(self, value: str) -> Contradiction | None:
        """None if there is an order."""
        nodes = [(0, 0, 0, value)]
        seen = set(nodes)
        furthest = Contradiction(-1, value, ())
        while nodes:
            low, done, used, value = nodes.pop()
            if low == len(self.sure):
                return None
            candidates, deadline = self.candidates(low, done)
            count = low + done.bit_count() + used.bit_count()
            if count > furthest.done:
                stuck = tuple(self.sure[at] for at in candidates)
                furthest = Contradiction(count, value, stuck)
            for following in self._following(low, done, used, value, candidates, deadline):
                if following not in seen:
                    seen.add(following)
                    nodes.append(following)
        return furthest

    def _following(
        self, low: int, done: int, used: int, value: str, candidates: list[int], deadline: float
    ) -> list[tuple[int, int, int, str]]:
        found: list[tuple[int, int, int, str]] = []
        tried = False
        for number, one in enumerate(self.maybe):
            if one.start > deadline:
                break
            if self.alike[number]:
                if tried or used >> number & 1:
                    continue
                tried = True
            if not used >> number & 1 and one.suits(value) and one.makes is not None:
                found.append((low, done, used | 1 << number, one.makes))
        for at in candidates:
            one = self.sure[at]
            if not one.suits(value):
                continue
            bits = done | 1 << (at - low)
            skip = (~bits & (bits + 1)).bit_length() - 1
            node = (low + skip, bits >> skip, used, value if one.makes is None else one.makes)
            if one.makes is None:
                # Changes nothing and can be now: whatever order there is, it may as well be first.
                return [node]
            found.append(node)
        return found


def check(operations: Sequence[Operation], initial: str = ABSENT) -> Contradiction | None:
    """Whether the operations on one key, which held ``initial``, can be put in an order: then None.

    Moments are compared exactly: of two operations, one is before the other only if its end is less
    than the other's start.
    """
    return _Search(operations).run(initial)
