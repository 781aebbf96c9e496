"""Times on the wire: HTTP dates (RFC 9110 section 5.6.7), ISO 8601 as S3 documents have it.

A time is an integer of nanoseconds since the epoch; an HTTP date has whole seconds.  Nothing here
asks a clock or a locale.
"""

from __future__ import annotations

import datetime
import re
import time

_SECOND = 1_000_000_000
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_MONTH_NUMBER = {name: number for number, name in enumerate(_MONTHS, 1)}

_CLOCK = r"(?P<hour>[0-9]{2}):(?P<minute>[0-9]{2}):(?P<second>[0-9]{2})"
_FORMS = (
    # IMF-fixdate: Sun, 06 Nov 1994 08:49:37 GMT
    re.compile(
        rf"[A-Z][a-z]{{2}}, (?P<day>[0-9]{{2}}) (?P<month>[A-Z][a-z]{{2}}) (?P<year>[0-9]{{4}}) "
        rf"{_CLOCK} GMT"
    ),
    # rfc850-date: Sunday, 06-Nov-94 08:49:37 GMT
    re.compile(
        rf"[A-Z][a-z]{{5,8}}, (?P<day>[0-9]{{2}})-(?P<month>[A-Z][a-z]{{2}})-(?P<year>[0-9]{{2}}) "
        rf"{_CLOCK} GMT"
    ),
    # asctime-date: Sun Nov  6 08:49:37 1994
    re.compile(
        rf"[A-Z][a-z]{{2}} (?P<month>[A-Z][a-z]{{2}}) (?P<day>[0-9]{{2}}| [0-9]) {_CLOCK} "
        r"(?P<year>[0-9]{4})"
    ),
)

_ISO8601 = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,9})?Z")
_BASIC = re.compile(r"[0-9]{8}T[0-9]{6}Z")


def http_date(time_ns: int) -> str:
    """The IMF-fixdate of a time, rounded down to its second."""
    year, month, day, hour, minute, second, weekday, _, _ = time.gmtime(time_ns // _SECOND)
    return (
        f"{_DAYS[weekday]}, {day:02d} {_MONTHS[month - 1]} {year:04d} "
        f"{hour:02d}:{minute:02d}:{second:02d} GMT"
    )


def iso8601(time_ns: int) -> str:
    """``2026-11-24T04:12:42.627Z``: UTC, rounded down to its millisecond."""
    seconds, rest = divmod(time_ns, _SECOND)
    year, month, day, hour, minute, second, _, _, _ = time.gmtime(seconds)
    return (
        f"{year:04d}-{month:02d}-{day:02d}T{hour:02d}:{minute:02d}:{second:02d}"
        f".{rest // 1_000_000:03d}Z"
    )


def basic(seconds: int) -> str:
    """``20261124T041242Z``: ISO 8601 in its basic form, as signatures have it."""
    year, month, day, hour, minute, second, _, _, _ = time.gmtime(seconds)
    return f"{year:04d}{month:02d}{day:02d}T{hour:02d}{minute:02d}{second:02d}Z"


def iso8601_seconds(seconds: float) -> str:
    """``2026-11-24T04:12:42Z``: UTC, rounded down, as errors about time have it."""
    year, month, day, hour, minute, second, _, _, _ = time.gmtime(seconds)
    return f"{year:04d}-{month:02d}-{day:02d}T{hour:02d}:{minute:02d}:{second:02d}Z"


def parse_iso8601(text: str) -> int | None:
    """Seconds since the epoch of ``2026-11-24T04:12:42.627Z``, rounded down; None for anything
    else."""
    if _ISO8601.fullmatch(text) is None:
        return None
    try:
        return int(datetime.datetime.fromisoformat(text[:19] + "+00:00").timestamp())
    except ValueError:
        return None


def parse_basic(text: str) -> int | None:
    """Seconds since the epoch of ``20261124T041242Z``; None for anything else."""
    if _BASIC.fullmatch(text) is None:
        return None
    try:
        return int(datetime.datetime.fromisoformat(text).timestamp())
    except ValueError:
        return None


def parse_http_date(text: str) -> int | None:
    """Seconds since the epoch of an HTTP date in one of its three forms; None for anything else.

    The two-digit years of the obsolete second form are 1970 to 2069.  A leap second counts as the
    second before it.  The name of the day is not checked against the date.
    """
    for form in _FORMS:
        found = form.fullmatch(text)
        if found is not None:
            break
    else:
        return None
    year = int(found["year"])
    if len(found["year"]) == 2:
        year += 2000 if year < 70 else 1900
    try:
        moment = datetime.datetime(
            year,
            _MONTH_NUMBER[found["month"]],
            int(found["day"]),
            int(found["hour"]),
            int(found["minute"]),
            59 if found["second"] == "60" else int(found["second"]),
            tzinfo=datetime.UTC,
        )
    except (KeyError, ValueError):
        return None
    return int(moment.timestamp())
