"""Where a request body ends (RFC 9112, sections 6 and 7): two small state machines.

Both take bytes as they come and give the payload in pieces; what follows the body in the same
bytes comes back as the rest.  Neither keeps payload.
"""

from __future__ import annotations

import re
from typing import Protocol

import attrs

from s3daemon.wire.http1 import Field


class FramingError(Exception):
    """The bytes are no body of this kind; nothing after them on the connection can be trusted."""


@attrs.frozen
class ChunkLimits:
    """How much a chunked body may spend on things that are not payload; in bytes.

    :ivar line: one chunk-size line with its extensions, or one trailer field.
    :ivar extensions: all extensions of a body.
    :ivar trailers: the trailer section.
    :ivar trailer_fields: fields in the trailer section.
    """

    line: int = 1024
    extensions: int = 65536
    trailers: int = 8192
    trailer_fields: int = 32


class Framing(Protocol):
    """Finds the end of one body."""

    trailers: list[Field]

    @property
    def remaining(self) -> int | None:
        """Bytes of payload that have yet to come; None when that cannot be known."""

    def feed(self, data: bytes) -> tuple[list[bytes], bytes | None]:
        """Payload in ``data``, and the bytes after the body, or None while it goes on.

        Not to be called again once the rest was given.

        :raises FramingError:
        """


class LengthFraming:
    """A body of ``length`` bytes."""

    def __init__(self, length: int) -> None:
        self._remaining = length
        self.trailers: list[Field] = []

    @property
    def remaining(self) -> int:
        """Bytes that have yet to come."""
        return self._remaining

    def feed(self, data: bytes) -> tuple[list[bytes], bytes | None]:
        """See :class:`Framing`; this one never fails."""
        size, remaining = len(data), self._remaining
        if size < remaining:
            self._remaining = remaining - size
            return ([data] if data else []), None
        self._remaining = 0
        if size == remaining:
            return ([data] if data else []), b""
        return ([data[:remaining]] if remaining else []), data[remaining:]


# chunk-size [ chunk-ext ] (RFC 9112, sections 7.1 and 7.1.1).  Extensions are bounded and skipped.
# Sixteen digits are what 64 bits need.
_CHUNK_LINE = re.compile(rb"([0-9A-Fa-f]{1,16})([ \t]*;[\t\x20-\x7e\x80-\xff]*)?")
_TRAILER = re.compile(rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]+):[ \t]*([\t\x20-\x7e\x80-\xff]*)")


_DEFAULT_LIMITS = ChunkLimits()


class ChunkedFraming:
    """A body in chunks.

    :ivar trailers: the trailer fields, once the body is whole.
    """

    def __init__(self, limits: ChunkLimits = _DEFAULT_LIMITS) -> None:
        self.trailers: list[Field] = []
        self._limits = limits
        self._left = 0  # payload bytes of the chunk under way
        self._line = b""  # an incomplete line
        self._step = self._size_line
        self._extensions = 0
        self._trailer_bytes = 0

    @property
    def remaining(self) -> None:
        """Not known before the last chunk."""
        return None

    def feed(self, data: bytes) -> tuple[list[bytes], bytes | None]:
        """See :class:`Framing`."""
        pieces: list[bytes] = []
        position, size = 0, len(data)
        while position < size:
            if self._left:
                piece = data[position : position + self._left]
                pieces.append(piece)
                position += len(piece)
                self._left -= len(piece)
                continue
            end = data.find(b"\n", position) + 1
            line = self._line + data[position : end or size]
            if len(line) > self._limits.line:
                raise FramingError("A line between the chunks is too long.")
            if not end:
                if b"\r" in line[:-1]:
                    raise FramingError("A line between the chunks does not end with CR LF.")
                self._line = line
                break
            if not line.endswith(b"\r\n") or b"\r" in line[:-2]:
                raise FramingError("A line between the chunks does not end with CR LF.")
            self._line = b""
            position = end
            if self._step(line[:-2]):
                return pieces, data[position:]
        return pieces, None

    # Each step takes a line without its CR LF and says whether the body ends with it.

    def _size_line(self, line: bytes) -> bool:
        match = _CHUNK_LINE.fullmatch(line)
        if match is None:
            raise FramingError("A chunk does not begin with its size.")
        self._extensions += len(match[2] or b"")
        if self._extensions > self._limits.extensions:
            raise FramingError("The chunk extensions are too long.")
        self._left = int(match[1], 16)
        self._step = self._end_of_chunk if self._left else self._trailer_line
        return False

    def _end_of_chunk(self, line: bytes) -> bool:
        if line:
            raise FramingError("A chunk is longer than its size.")
        self._step = self._size_line
        return False

    def _trailer_line(self, line: bytes) -> bool:
        if not line:
            return True
        self._trailer_bytes += len(line)
        match = _TRAILER.fullmatch(line)
        if match is None:
            raise FramingError("A trailer is not of the form name: value.")
        if (
            self._trailer_bytes > self._limits.trailers
            or len(self.trailers) == self._limits.trailer_fields
        ):
            raise FramingError("The trailer section is too long.")
        self.trailers.append((match[1].lower(), match[2].strip(b" \t")))
        return False
