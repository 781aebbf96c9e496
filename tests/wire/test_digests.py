"""Content-MD5."""

from __future__ import annotations

import base64
import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from s3daemon.wire import digests
from s3daemon.wire.errors import BadDigest, InvalidDigest

BAR = hashlib.md5(b"bar").digest()
BAR_TEXT = "N7UdGUp1E+RbVvZSTy1R8g=="


def test_good() -> None:
    """Base64 of 16 bytes."""
    assert digests.content_md5({"content-md5": BAR_TEXT}) == BAR
    assert digests.content_md5({}) is None


@pytest.mark.parametrize(
    "value",
    [
        "",
        "YWJyYWNhZGFicmE=",
        BAR.hex(),
        BAR_TEXT[:-2],
        BAR_TEXT + "=",
        BAR_TEXT + BAR_TEXT,
        "N7UdGUp1E-RbVvZSTy1R8g==",
        "N7UdGUp1E RbVvZSTy1R8g==",
        "\u00e9" * 24,
        "\ud800" * 24,
    ],
)
def test_malformed(value: str) -> None:
    """Anything else is no digest, above all not an absent one."""
    with pytest.raises(InvalidDigest):
        digests.content_md5({"content-md5": value})


@given(st.text(max_size=30))
def test_garbage(value: str) -> None:
    """Any text is 16 bytes or the one error."""
    try:
        found = digests.content_md5({"content-md5": value})
    except InvalidDigest:
        return
    assert found is not None
    assert base64.b64encode(found).decode()[:21] == value[:21]


def test_check() -> None:
    """Compared when there is something to compare with."""
    digests.check(None, BAR)
    digests.check(BAR, BAR)
    with pytest.raises(BadDigest) as caught:
        digests.check(BAR, b"\0" * 16)
    assert caught.value.detail == {
        "ExpectedDigest": BAR_TEXT,
        "CalculatedDigest": "AAAAAAAAAAAAAAAAAAAAAA==",
    }


def test_check_document() -> None:
    """A whole document at once."""
    digests.check_document({}, b"anything")
    digests.check_document({"content-md5": BAR_TEXT}, b"bar")
    with pytest.raises(BadDigest):
        digests.check_document({"content-md5": BAR_TEXT}, b"baz")
    with pytest.raises(InvalidDigest):
        digests.check_document({"content-md5": "x"}, b"bar")
