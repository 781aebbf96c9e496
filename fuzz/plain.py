"""Inputs by chance: corpus entries, changed a little, and kept when something new came of them."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator

from fuzz.target import Broken, Target

#: Seconds that one input may take.
SLOW = 2.0

#: Bytes that are special to some parser or other.
_SPECIAL = (
    *(b"\0", b"\r", b"\n", b"\r\n", b"\r\n\r\n", b" ", b"\t", b"%", b"%2F", b"%00", b"%0d%0a"),
    *(b"/", b"//", b"..", b"../", b"?", b"&", b"=", b"+", b":", b";", b",", b'"', b"'", b"\\"),
    *(b"\xff", b"\xc3\xa9", b"\xc0\xaf", b"\xed\xb2\x80", b"\xf0\x9f\x98\x80", b"\x85", b"\x1b["),
    *(b"0", b"-1", b"1e999", b"9" * 20, b"9" * 5000, b"2147483648", b"18446744073709551616"),
)


def inputs(target: Target, pool: list[bytes], chance: random.Random) -> Iterator[bytes]:
    """Changed inputs without end; whoever takes them may add to the pool."""
    while True:
        data = bytearray(chance.choice(pool))
        for _ in range(chance.choice((1, 1, 2, 3, 5, 8))):
            _change(data, target, pool, chance)
        yield bytes(data[: target.longest])


def _change(data: bytearray, target: Target, pool: list[bytes], chance: random.Random) -> None:
    at = chance.randint(0, len(data))
    end = min(len(data), at + chance.choice((1, 1, 2, 4, 16, 64)))
    what = chance.randrange(9)
    if what == 0 and data:
        data[min(at, len(data) - 1)] ^= 1 << chance.randrange(8)
    elif what == 1:
        data[at:end] = b""
    elif what == 2:
        data[at:at] = chance.choice(_SPECIAL)
    elif what == 3 and target.words:
        data[at:at] = chance.choice(target.words)
    elif what == 4 and target.words:
        data[at:end] = chance.choice(target.words)
    elif what == 5:
        data[at:at] = data[at:end] * chance.choice((1, 2, 10, 100, 1000))
    elif what == 6:
        other = chance.choice(pool)
        begin = chance.randint(0, len(other))
        data[at:end] = other[begin : begin + chance.choice((4, 16, 64, 1024))]
    elif what == 7:
        data[at:] = b""
    else:
        data[at:end] = chance.choice(_SPECIAL)


def run(
    target: Target, seconds: float, seed: int, say: Callable[[str], None] = lambda text: None
) -> tuple[int, tuple[bytes, BaseException] | None]:
    """Try inputs for some time.  (How many; the first that broke a promise, and how.)"""
    chance = random.Random(seed)
    pool = [data for _, data in target.corpus()] or [b""]
    seen = {target.run(data) for data in pool}
    count = 0
    end = time.monotonic() + seconds
    for data in inputs(target, pool, chance):
        began = time.monotonic()
        if began >= end:
            break
        count += 1
        try:
            outcome = target.run(data)
            if time.monotonic() - began > SLOW:
                raise Broken(f"it took {time.monotonic() - began:.1f} seconds")
        except Exception as error:  # noqa: BLE001 - whatever it is, it is what we look for
            return count, (data, error)
        if outcome not in seen:
            seen.add(outcome)
            pool.append(data)
            say(f"{target.name}: {outcome}")
    return count, None
