"""HTTP dates and ISO 8601."""

from __future__ import annotations

import email.utils

import pytest
from hypothesis import given
from hypothesis import strategies as st

from s3daemon.wire.dates import http_date, iso8601, parse_http_date

EXAMPLE = 784111777  # RFC 9110 section 5.6.7


@pytest.mark.parametrize(
    "text",
    [
        "Sun, 06 Nov 1994 08:49:37 GMT",
        "Sunday, 06-Nov-94 08:49:37 GMT",
        "Sun Nov  6 08:49:37 1994",
    ],
)
def test_three_forms(text: str) -> None:
    """RFC 9110's own example, in each of its forms."""
    assert parse_http_date(text) == EXAMPLE


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("Thu, 01 Jan 1970 00:00:00 GMT", 0),
        ("Tue, 29 Feb 2000 23:59:60 GMT", 951868799),
        ("Thursday, 01-Jan-70 00:00:00 GMT", 0),
        ("Tuesday, 31-Dec-69 23:59:59 GMT", 3155759999),
        ("Fri, 29 Oct 2100 19:43:31 GMT", 4128522211),
        ("Sat Oct 29 19:43:31 1994", 783459811),
    ],
)
def test_odd_dates(text: str, seconds: int) -> None:
    """The edges: epoch, leap second, two-digit years, two-digit days."""
    assert parse_http_date(text) == seconds


@pytest.mark.parametrize(
    "text",
    [
        "",
        "0",
        "yesterday",
        "Sun, 06 Nov 1994 08:49:37",
        "Sun, 06 Nov 1994 08:49:37 CET",
        "Sun, 6 Nov 1994 08:49:37 GMT",
        "Sun, 31 Feb 1994 08:49:37 GMT",
        "Sun, 06 Foo 1994 08:49:37 GMT",
        "Sun, 06 Nov 1994 24:49:37 GMT",
        "Sun, 06 Nov 0000 08:49:37 GMT",
        "Sun, 0\u0666 Nov 1994 08:49:37 GMT",
        " Sun, 06 Nov 1994 08:49:37 GMT",
        "1994-11-06T08:49:37Z",
    ],
)
def test_anything_else_is_no_date(text: str) -> None:
    """A date that is none never becomes a condition."""
    assert parse_http_date(text) is None


@given(st.integers(0, 4_102_444_800 * 10**9))
def test_round_trip(time_ns: int) -> None:
    """What is written is read back, and the standard library agrees."""
    text = http_date(time_ns)
    assert parse_http_date(text) == time_ns // 10**9
    assert text == email.utils.formatdate(time_ns // 10**9, usegmt=True)


@pytest.mark.parametrize(
    ("time_ns", "text"),
    [
        (1_795_493_562_627_999_999, "2026-11-24T04:12:42.627Z"),
        (0, "1970-01-01T00:00:00.000Z"),
        (-1, "1969-12-31T23:59:59.999Z"),
    ],
)
def test_iso8601(time_ns: int, text: str) -> None:
    """Milliseconds, rounded down."""
    assert iso8601(time_ns) == text


@given(st.text(max_size=40))
def test_garbage(text: str) -> None:
    """Any text is a date or None, and nothing is raised."""
    assert parse_http_date(text) is None or isinstance(parse_http_date(text), int)
