"""The line that every request leaves."""

from __future__ import annotations

import pytest
from twisted.logger import Logger

from s3daemon.http.accesslog import Entry, printable


@pytest.mark.parametrize(
    ("target", "shown"),
    [
        (b"/b/key", "/b/key"),
        (b"/b/a%20b?tagging", "/b/a%20b?tagging"),
        (b"/b/k\xff\n x", "/b/k\\xff\\x0a\\x20x"),
        (
            b"/b/k?X-Amz-Signature=abc&X-Amz-Expires=5&x-amz-security-token=t0ken",
            "/b/k?X-Amz-Signature=...&X-Amz-Expires=5&x-amz-security-token=...",
        ),
        (b"/b/k?AWSAccessKeyId=me&Signature=s%2Bx%3D", "/b/k?AWSAccessKeyId=...&Signature=..."),
    ],
)
def test_targets_show_no_secrets_and_fake_no_lines(target, shown):
    assert printable(target) == shown


def test_long_targets_are_cut():
    assert printable(b"/" + b"x" * 5000) == "/" + "x" * 2047 + "..."


def test_one_event_with_everything_in_it():
    events: list = []
    entry = Entry("ID1", "127.0.0.1:5", "GET", b"/b/k", begin=10.0, operation="GetObject")
    entry.user = "me and\nyou"
    entry.write(Logger("test", observer=events.append), 200, 0, 4096, 10.25)
    (event,) = events
    assert event["log_format"].format(**event) == (
        "request_id=ID1 peer=127.0.0.1:5 user=me\\x20and\\x0ayou operation=GetObject method=GET"
        " target=/b/k status=200 error=- received=0 sent=4096 ms=250.0"
    )
