"""Bodies: where they end, in whatever pieces they come."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from s3daemon.wire.framing import (
    ChunkedFraming,
    ChunkLimits,
    Framing,
    FramingError,
    LengthFraming,
)


def run(framing: Framing, data: bytes, cuts: list[int]) -> tuple[bytes, bytes | None]:
    """Feed the data cut at these places; the payload, and all that follows the body."""
    payload: list[bytes] = []
    edges = sorted({0, len(data), *(cut for cut in cuts if cut < len(data))})
    for begin, end in itertools.pairwise(edges):
        pieces, rest = framing.feed(data[begin:end])
        assert all(pieces)
        payload += pieces
        if rest is not None:
            return b"".join(payload), rest + data[end:]
    return b"".join(payload), None


CHUNKED = b'5\r\nhello\r\n00A ; a="x y";b\r\n0123456789\r\n0\r\nX-Sum: \t1 \r\nY:\r\n\r\nNEXT'


@pytest.mark.parametrize("step", [1, 2, 3, 7, 1000])
def test_chunks(step: int) -> None:
    framing = ChunkedFraming()
    assert framing.remaining is None
    cuts = list(range(0, len(CHUNKED), step))
    assert run(framing, CHUNKED, cuts) == (b"hello0123456789", b"NEXT")
    assert framing.trailers == [(b"x-sum", b"1"), (b"y", b"")]


def test_length() -> None:
    framing = LengthFraming(5)
    assert framing.feed(b"abc") == ([b"abc"], None)
    assert framing.remaining == 2
    assert framing.feed(b"") == ([], None)
    assert framing.feed(b"deGET") == ([b"de"], b"GET")
    assert (framing.remaining, framing.trailers) == (0, [])


def test_length_of_nothing() -> None:
    assert LengthFraming(0).feed(b"GET") == ([], b"GET")
    assert LengthFraming(0).feed(b"") == ([], b"")


@given(
    chunked=st.booleans(),
    chunks=st.lists(st.binary(min_size=1, max_size=20), max_size=6),
    after=st.binary(max_size=8),
    cuts=st.lists(st.integers(0, 300)),
)
def test_any_cut_gives_the_same(
    chunked: bool, chunks: list[bytes], after: bytes, cuts: list[int]
) -> None:
    payload = b"".join(chunks)
    framing: Framing = ChunkedFraming() if chunked else LengthFraming(len(payload))
    data = payload + after
    if chunked:
        data = b"".join(b"%X\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks)
        data += b"0\r\n\r\n" + after
    if data:
        assert run(framing, data, cuts) == (payload, after)


BAD = [
    b"\r\n",
    b"\n",
    b"5\nhello\r\n0\r\n\r\n",
    b"5\r\nhello\n0\r\n\r\n",
    b"5\r\nhelloo\r\n0\r\n\r\n",
    b"5\r\nhello0\r\n\r\n",
    b"5\rhello\r\n",
    b"5;a\rb\r\nhello\r\n",
    b"5;\x00\r\nhello\r\n",
    b"5;a\nb\r\nhello\r\n",
    b" 5\r\nhello\r\n",
    b"5 \r\nhello\r\n",
    b"0x5\r\nhello\r\n",
    b"+5\r\nhello\r\n",
    b"-5\r\nhello\r\n",
    b"5_0\r\nhello\r\n",
    b"\r\n5\r\nhello\r\n",
    b"g\r\n",
    b"00000000000000005\r\nhello\r\n",
    b"5" + b";" * 2000,
    b"0\r\nno colon\r\n\r\n",
    b"0\r\nX : y\r\n\r\n",
    b"0\r\n folded: y\r\n\r\n",
    b"0\r\nX: \x00\r\n\r\n",
    b"0\r\nX: y\n\r\n",
    b"0\r\n\n",
    b"0\r\n" + b"X: y\r\n" * 33 + b"\r\n",
    b"0\r\n" + (b"X: " + b"y" * 1000 + b"\r\n") * 9 + b"\r\n",
]


@pytest.mark.parametrize("data", BAD)
@pytest.mark.parametrize("step", [1, 2, 100000])
def test_what_is_no_chunk_is_refused(data: bytes, step: int) -> None:
    with pytest.raises(FramingError):
        run(ChunkedFraming(), data, list(range(0, len(data), step)))


def test_extensions_are_bounded_over_the_whole_body() -> None:
    chunk = b"1;" + b"x" * 9 + b"\r\na\r\n"
    framing = ChunkedFraming(ChunkLimits(extensions=25))
    framing.feed(chunk * 2)
    with pytest.raises(FramingError):
        framing.feed(chunk)


@given(st.binary(max_size=100), st.lists(st.integers(0, 100)))
def test_garbage_is_read_or_refused_alike(data: bytes, cuts: list[int]) -> None:
    def outcome(cuts: list[int]) -> object:
        try:
            return run(ChunkedFraming(), data, cuts) if data else None
        except FramingError:
            return "refused"

    whole = outcome([])
    pieces = outcome(cuts)
    # In pieces a bad line may not have ended yet, never the other way round.
    assert pieces == whole
