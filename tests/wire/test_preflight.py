"""Preflights of browsers: refused without a signature being asked for."""

from __future__ import annotations

import pytest

from s3daemon.wire.message import S3Request
from s3daemon.wire.preflight import refusal


@pytest.mark.parametrize(
    ("headers", "status", "code"),
    [
        ({}, 400, "BadRequest"),
        ({"origin": ""}, 400, "BadRequest"),
        ({"origin": "https://a.test"}, 400, "BadRequest"),
        ({"access-control-request-method": "PUT"}, 400, "BadRequest"),
        (
            {"origin": "https://a.test", "access-control-request-method": "PUT"},
            403,
            "AccessForbidden",
        ),
    ],
)
def test_what_a_browser_is_told(headers, status, code):
    error = refusal(S3Request("OPTIONS", "b", "k", headers=headers))
    assert (error.status, error.code) == (status, code)
