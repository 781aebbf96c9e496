"""The digests of one body, all of them over the same bytes in one pass.

MD5 is the slowest of what bodies are usually hashed with, and every body is, for its ETag.  So the
MD5 of a large batch is made aside, on another core, while the other digests are made and the bytes
are written.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence

from s3daemon.wire import checksums
from s3daemon.wire.checksums import Algorithm, Hasher

#: Runs a call on another thread; what is returned waits for its end, and raises what it raised.
#: Such a call never waits for anything, so neither does anybody for long.
Aside = Callable[[Callable[[], None]], Callable[[], None]]

#: Bytes whose MD5 is worth a hop to another thread (160 us of MD5, 40 us for the hop).
_WORTH_A_HOP = 128 * 1024


class Digests:
    """MD5, and what else is wanted.

    :param algorithms: any, twice too.
    :param aside: None to do everything here.
    :raises errors.NotImplemented: the library for an algorithm is not installed here.
    """

    def __init__(self, algorithms: Iterable[Algorithm] = (), aside: Aside | None = None) -> None:
        self._aside = aside
        # It names the content; it vouches for nothing.
        self._md5 = hashlib.md5(usedforsecurity=False)
        self._others: dict[str, Hasher] = {
            algorithm.name: checksums.hasher_of(algorithm)
            for algorithm in algorithms
            if algorithm.name != "MD5"
        }

    def take(self, pieces: Sequence[bytes]) -> Callable[[], None]:
        """Take the next pieces.

        :return: call it before the next :meth:`take` and before a digest is asked for.
        """
        wait = _nothing
        if self._aside is not None and sum(map(len, pieces)) >= _WORTH_A_HOP:
            wait = self._aside(lambda: _feed(self._md5, pieces))
        else:
            _feed(self._md5, pieces)
        for hasher in self._others.values():
            _feed(hasher, pieces)
        return wait

    def digest(self, name: str) -> bytes:
        """The digest of all bytes, by the name of its algorithm: ``MD5`` or one that was wanted."""
        return self._md5.digest() if name == "MD5" else self._others[name].digest()


def _feed(hasher: Hasher, pieces: Sequence[bytes]) -> None:
    for piece in pieces:
        hasher.update(piece)


def _nothing() -> None:
    """Nothing is under way."""
