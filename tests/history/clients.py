"""Clients that do things at random to a few keys, and write down what they saw.

The value of a key is its ETag: every content is written once, so an ETag tells what was written.
Copying is a read of one key and a write of another, each at a moment of its own.  A listing is a
read of every key, each at a moment of its own.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

import attrs

from tests.history.checker import ABSENT, Contradiction, Operation, check
from tests.history.contents import Content, make


class Refused(Exception):
    """The condition did not hold."""


class Missing(Exception):
    """There is no such object."""


class NotDone(Exception):
    """Nothing was done, and nothing was learned."""


class Unknown(Exception):
    """No answer came, or one that does not say whether it was done."""


@attrs.frozen
class If:
    """What a write is held to: nothing, a free key, or an ETag."""

    free: bool = False
    etag: str | None = None


class Connection(Protocol):
    """A way to a store.

    Every method raises :class:`NotDone` or :class:`Unknown`; what reads also raises
    :class:`~tests.history.contents.Torn`.
    """

    def put(self, key: str, content: Content, condition: If) -> str:
        """The new ETag.  :raises Refused, Missing:"""

    def put_in_parts(self, key: str, content: Content, condition: If) -> str:
        """The new ETag.  :raises Refused, Missing:"""

    def get(self, key: str) -> str:
        """The ETag.  :raises Missing:"""

    def head(self, key: str) -> str:
        """The ETag.  :raises Missing:"""

    def copy(self, source: str, key: str) -> tuple[str | None, str]:
        """The ETag of the source, if it is known, and that of the copy.  :raises Missing:"""

    def delete(self, key: str, condition: If) -> None:
        """:raises Refused, Missing: only with a condition"""

    def list(self) -> Mapping[str, str]:
        """The ETags of all keys."""


class History:
    """What all clients of one run saw.

    :ivar now: the clock.
    :ivar operations: by key.
    :ivar last: the ETag that somebody has seen last, by key.
    :ivar twins: ETags of equal contents.
    """

    def __init__(self, keys: Sequence[str], now: Callable[[], int]) -> None:
        self.now = now
        self.operations: dict[str, list[Operation]] = {key: [] for key in keys}
        self.last: dict[str, str] = dict.fromkeys(keys, ABSENT)
        self.twins: dict[str, frozenset[str]] = {}

    @property
    def count(self) -> int:
        """How many operations there are."""
        return sum(map(len, self.operations.values()))

    def check(self) -> dict[str, Contradiction]:
        """What is wrong, by key."""
        found = {key: check(operations) for key, operations in self.operations.items()}
        return {key: one for key, one in found.items() if one is not None}


@attrs.frozen
class Mix:
    """How often each kind of operation is chosen."""

    put: int = 6
    create: int = 3
    swap: int = 4
    parts: int = 2
    get: int = 6
    head: int = 3
    copy: int = 2
    delete: int = 4
    delete_if: int = 2
    list: int = 2


class Client:
    """One of them.

    :param number: tells it from the others.
    :param sizes: of contents, to choose from.
    """

    def __init__(
        self,
        number: int,
        connection: Connection,
        history: History,
        chance: random.Random,
        mix: Mix = Mix(),
        sizes: Sequence[Sequence[int]] = ((20,), (60, 30)),
    ) -> None:
        self._number = number
        self._connection = connection
        self._history = history
        self._chance = chance
        weights = attrs.asdict(mix)
        self._kinds, self._weights = list(weights), list(weights.values())
        self._sizes = sizes
        self._written = 0

    def step(self) -> None:
        """One operation, whatever comes of it."""
        kind = self._chance.choices(self._kinds, self._weights)[0]
        key = self._chance.choice(list(self._history.operations))
        {
            "put": self._put,
            "create": self._put,
            "swap": self._put,
            "parts": self._put,
            "get": self._read,
            "head": self._read,
            "copy": self._copy,
            "delete": self._delete,
            "delete_if": self._delete,
            "list": self._list,
        }[kind](kind, key)

    def look(self, key: str) -> None:
        """Read a key, and list all of them."""
        self._read("get", key)
        self._read("head", key)
        self._list("list", key)

    def _add(self, key: str, operation: Operation, what: str) -> None:
        label = f"client {self._number}: {what}"
        self._history.operations[key].append(attrs.evolve(operation, label=label))

    # ------------------------------------------------------------ reads

    def _read(self, kind: str, key: str) -> None:
        history, connection = self._history, self._connection
        start = history.now()
        try:
            value = connection.get(key) if kind == "get" else connection.head(key)
        except Missing:
            value = ABSENT
        except (NotDone, Unknown):
            return
        self._saw(key, start, history.now(), value, kind)

    def _list(self, kind: str, _: str) -> None:
        history = self._history
        start = history.now()
        try:
            found = self._connection.list()
        except (NotDone, Unknown):
            return
        end = history.now()
        for key in history.operations:
            self._saw(key, start, end, found.get(key, ABSENT), kind)

    def _saw(self, key: str, start: int, end: int, value: str, kind: str) -> None:
        self._history.last[key] = value
        self._add(key, Operation(start, end, None, frozenset([value])), f"{kind} {value}")

    # ------------------------------------------------------------ writes

    def _put(self, kind: str, key: str) -> None:
        content = self._content()
        in_parts = kind == "parts" or (kind != "put" and self._chance.random() < 0.2)
        value = content.etag_of_parts if in_parts else content.etag
        condition = self._condition(kind, key)
        send = self._connection.put_in_parts if in_parts else self._connection.put
        what = f"{kind}{' in parts' * in_parts} {content.name} {value} {condition}"

        def call() -> str:
            got = send(key, content, condition)
            assert got == value, f"{what}: the answer says {got}"
            return got

        self._change(key, call, condition, value, what)

    def _delete(self, kind: str, key: str) -> None:
        condition = self._condition("swap", key) if kind == "delete_if" else If()
        if condition.free:
            condition = If()

        def call() -> str:
            self._connection.delete(key, condition)
            return ABSENT

        self._change(key, call, condition, ABSENT, f"{kind} {condition}")

    def _change(
        self, key: str, call: Callable[[], str], condition: If, value: str, what: str
    ) -> None:
        """Do it, and say what is known then; ``value`` is what the key would hold."""
        history = self._history
        demanded = ABSENT if condition.free else condition.etag
        needs = None if demanded is None else frozenset([demanded])
        start = history.now()
        try:
            call()
            done = Operation(start, history.now(), value, needs)
        except Refused:
            assert demanded is not None, f"{what}: refused without a condition"
            done = Operation(start, history.now(), excludes=frozenset([demanded]))
            what += ": refused"
        except Missing:
            done = Operation(start, history.now(), needs=frozenset([ABSENT]))
            what += ": not there"
        except Unknown:
            done = Operation(start, None, value, needs)
        except NotDone:
            return
        else:
            history.last[key] = value
        self._add(key, done, what)

    def _copy(self, kind: str, key: str) -> None:
        history = self._history
        source = self._chance.choice(list(history.operations))
        start = history.now()
        what = f"copy from {source}"
        try:
            old, new = self._connection.copy(source, key)
        except Missing:
            self._saw(source, start, history.now(), ABSENT, f"{what} to {key}")
            return
        except NotDone:
            return
        except Unknown:
            # Any of what was ever written may have been copied.
            for etag in list(history.twins):
                if "-" not in etag:
                    self._add(key, Operation(start, None, etag), what)
            return
        end = history.now()
        seen = history.twins[new] if old is None else frozenset([old])
        self._add(source, Operation(start, end, None, seen), f"{what} to {key}: read")
        self._add(key, Operation(start, end, new), f"{what}: {new}")
        history.last[key] = new

    def _condition(self, kind: str, key: str) -> If:
        if kind == "create":
            return If(free=True)
        if kind == "swap":
            last = self._history.last[key]
            return If(free=True) if last == ABSENT else If(etag=last)
        return If()

    def _content(self) -> Content:
        self._written += 1
        content = make(f"{self._number}-{self._written}", self._chance.choice(self._sizes))
        twins = frozenset([content.etag, content.etag_of_parts])
        self._history.twins.update(dict.fromkeys(twins, twins))
        return content
