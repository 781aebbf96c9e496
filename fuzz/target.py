"""What a target is, and what its inputs are made of."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import attrs

CORPUS = Path(__file__).parent / "corpus"


@attrs.frozen
class Target:
    """One parser under fire.

    :ivar run: takes any bytes, and returns a word for what came of them, or raises where a promise
        was broken.
    :ivar words: what inputs of this kind are made of.
    :ivar longest: bytes of an input; what bounds it on the wire.
    """

    name: str
    run: Callable[[bytes], str]
    words: tuple[bytes, ...] = ()
    longest: int = 4096

    def corpus(self) -> Iterator[tuple[str, bytes]]:
        """(name, input) of every seed, in order."""
        for path in sorted((CORPUS / self.name).iterdir()):
            yield path.name, path.read_bytes()


class Broken(AssertionError):
    """A promise was broken."""


def promise(holds: object, what: str) -> None:
    """Something that has to hold whatever the input."""
    if not holds:
        raise Broken(what)
