"""Joining CRCs: the CRC of a whole from those of its pieces, without its bytes.

A CRC is a polynomial over GF(2), reduced by the generator P.  Appending ``n`` bytes multiplies what
came before by x^(8n), so ``crc(A + B) = crc(A) * x^(8 * len(B)) + crc(B) mod P``; the ones that a
CRC begins and ends with cancel out.

Polynomials are integers in the *reflected* order of these CRCs: the highest bit is x^0.

Source: zlib, ``crc32_combine``; W. W. Peterson and D. T. Brown, "Cyclic Codes for Error Detection",
1961.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

import attrs

#: A length that is met so often gets tables of its own.
_OFTEN = 32

_Multiply = Callable[[int], int]


@attrs.frozen
class Crc:
    """A reflected CRC that begins with all ones and is inverted at its end.

    :ivar width: bits.
    :ivar polynomial: the generator without its highest term, reflected.
    """

    width: int
    polynomial: int

    def combine(self, parts: Sequence[tuple[int, int]]) -> int:
        """The CRC of what the parts make together, in their order.

        :param parts: (CRC, length in bytes) of each.  No parts are no bytes: 0.

        10,000 parts of one size take some 20 ms, those of 10,000 sizes some 100 ms.
        """
        times = Counter(length for _, length in parts)
        powers = _Powers(self)
        often: dict[int, _Multiply] = {}
        whole = 0
        for crc, length in parts:
            if times[length] < _OFTEN:
                whole = powers.shift(whole, length) ^ crc
                continue
            multiply = often.get(length)
            if multiply is None:
                multiply = often[length] = powers.by(length)
            whole = multiply(whole) ^ crc
        return whole

    def times_x(self, a: int) -> int:
        """A polynomial times x."""
        return a >> 1 ^ self.polynomial if a & 1 else a >> 1


class _Powers:
    """Multiplication by powers of x^8, a byte at a time by tables."""

    def __init__(self, crc: Crc) -> None:
        self._crc = crc
        self._size = crc.width // 8
        # What falls out at the low end when a polynomial is multiplied by x^8.
        self._carried = [self._shifted_out(byte) for byte in range(256)]
        # By x^8, x^16, x^32 ...
        self._squares = [self._multiplier(1 << (crc.width - 1 - 8))]

    def shift(self, a: int, length: int) -> int:
        """``a`` times x^(8 * length)."""
        bit = 0
        while length:
            if length & 1:
                a = self._square(bit)(a)
            length >>= 1
            bit += 1
        return a

    def by(self, length: int) -> _Multiply:
        """Multiplication by x^(8 * length)."""
        return self._multiplier(self.shift(1 << (self._crc.width - 1), length))

    def _square(self, bit: int) -> _Multiply:
        one = 1 << (self._crc.width - 1)
        while bit >= len(self._squares):
            last = self._squares[-1]
            self._squares.append(self._multiplier(last(last(one))))
        return self._squares[bit]

    def _multiplier(self, factor: int) -> _Multiply:
        carried, size = self._carried, self._size
        # The products of the 256 polynomials of degree 7 (bit 7 is x^0) with the factor.
        products = [0] * 256
        bit = 128
        while bit:
            products[bit] = factor
            factor = self._crc.times_x(factor)
            bit >>= 1
        for byte in range(1, 256):
            lowest = byte & -byte
            products[byte] = products[byte ^ lowest] ^ products[lowest]

        def multiply(a: int) -> int:
            product = 0
            for byte in a.to_bytes(size, "little"):
                product = product >> 8 ^ carried[product & 255] ^ products[byte]
            return product

        return multiply

    def _shifted_out(self, byte: int) -> int:
        for _ in range(8):
            byte = self._crc.times_x(byte)
        return byte


CRC32 = Crc(32, 0xEDB88320)
CRC32C = Crc(32, 0x82F63B78)
CRC64NVME = Crc(64, 0x9A6C9329AC4BC9B5)
