"""Byte ranges."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from s3daemon.wire import ranges
from s3daemon.wire.errors import InvalidArgument, InvalidRange


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("bytes=2-4", (2, 3)),
        ("bytes=0-0", (0, 1)),
        ("bytes=9-9", (9, 1)),
        ("bytes=7-", (7, 3)),
        ("bytes=0-", (0, 10)),
        ("bytes=-3", (7, 3)),
        ("bytes=-10", (0, 10)),
        ("bytes=-100", (0, 10)),
        ("bytes=8-99", (8, 2)),
        ("bytes=0-99999999999999999999999999", (0, 10)),
        ("bytes=-99999999999999999999999999", (0, 10)),
        ("bytes=0000-0001", (0, 2)),
        ("Bytes=1-2", (1, 2)),
        ("bytes= 1-2 ", (1, 2)),
    ],
)
def test_satisfiable(value: str, expected: tuple[int, int]) -> None:
    """Every form, clipped to ten bytes."""
    assert ranges.resolve(value, 10) == expected


@pytest.mark.parametrize(
    "value",
    [
        "",
        "bytes",
        "bytes=",
        "bytes=-",
        "bytes=4-2",
        "bytes=a-b",
        "bytes=1-x",
        "bytes=x-1",
        "bytes=0-1,4-5",
        "bytes=0-1,",
        "bytes=--1",
        "bytes=+1-2",
        "bytes=1 - 2",
        "bytes=\u0661-\u0662",
        "bytes=1-2\n",
        "bytes:1-2",
        "items=0-1",
        "0-1",
        "bytes=" + "9" * 65 + "-",
    ],
)
def test_ignored(value: str) -> None:
    """What is malformed, of another unit, or more than one range gets the whole object."""
    assert ranges.resolve(value, 10) is None


@pytest.mark.parametrize(
    ("value", "size"),
    [
        ("bytes=10-", 10),
        ("bytes=10-12", 10),
        ("bytes=99-100", 10),
        ("bytes=99999999999999999999999999-", 10),
        ("bytes=-0", 10),
        ("bytes=0-", 0),
        ("bytes=0-0", 0),
        ("bytes=40-50", 0),
        ("bytes=-1", 0),
        ("bytes=-0", 0),
    ],
)
def test_unsatisfiable(value: str, size: int) -> None:
    """416, with the size in the header and in the document."""
    with pytest.raises(InvalidRange) as caught:
        ranges.resolve(value, size)
    assert caught.value.status == 416
    assert caught.value.headers == {"Content-Range": f"bytes */{size}"}
    assert caught.value.detail == {"ActualObjectSize": str(size), "RangeRequested": value}


@given(st.integers(0, 60), st.integers(0, 60), st.integers(1, 50))
def test_agrees_with_slicing(first: int, last: int, size: int) -> None:
    """A range is the slice that Python takes."""
    content = bytes(range(size))
    wanted = content[first : last + 1]
    if last < first:
        assert ranges.resolve(f"bytes={first}-{last}", size) is None
    elif wanted:
        offset, length = ranges.resolve(f"bytes={first}-{last}", size) or (0, 0)
        assert content[offset : offset + length] == wanted
        assert ranges.content_range(offset, length, size) == f"bytes {first}-{wanted[-1]}/{size}"
    else:
        with pytest.raises(InvalidRange):
            ranges.resolve(f"bytes={first}-{last}", size)


@given(st.text(max_size=30), st.integers(0, 100))
def test_garbage(value: str, size: int) -> None:
    """Any text is a range inside the object, None, or the one error."""
    try:
        found = ranges.resolve("bytes=" + value, size)
    except InvalidRange:
        return
    assert found is None or (found[1] >= 1 and 0 <= found[0] <= found[0] + found[1] <= size)


@pytest.mark.parametrize(
    "value",
    [
        "",
        "0-2",
        "bytes=0",
        "bytes=0-",
        "bytes=-2",
        "bytes=hello-world",
        "bytes=0-bar",
        "bytes=hello-",
        "bytes=0-2,3-5",
        "bytes=3-2",
        "Bytes=0-2",
        "bytes=0-2 ",
    ],
)
def test_copy_source_form(value: str) -> None:
    """A copy takes one form only."""
    with pytest.raises(InvalidArgument) as caught:
        ranges.parse_copy_source(value)
    assert caught.value.detail["ArgumentValue"] == value


def test_copy_source() -> None:
    """The range of a copy is never clipped."""
    assert ranges.parse_copy_source("bytes=0-21") == (0, 21)
    assert ranges.resolve_copy_source(0, 4, 5) == (0, 5)
    assert ranges.resolve_copy_source(4, 4, 5) == (4, 1)
    for first, last in ((0, 5), (0, 21), (5, 5), (9, 12)):
        with pytest.raises(InvalidRange):
            ranges.resolve_copy_source(first, last, 5)
