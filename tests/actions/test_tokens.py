"""Continuation tokens."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from s3daemon.actions import tokens
from s3daemon.wire import errors


@given(st.text())
def test_a_token_gives_its_name_back(name: str) -> None:
    token = tokens.encode(name)
    assert tokens.decode(token) == name
    assert token.isascii()
    assert token.replace("-", "").replace("_", "").isalnum()


@pytest.mark.parametrize(
    "token",
    [
        "garbage",
        "a",
        "\u00fc",
        "=",
        "====",
        base64.urlsafe_b64encode(b"some key").decode(),
        base64.urlsafe_b64encode(b"\0" * 6 + b"some key").decode(),
        tokens.encode("some key") + "AAAA",
        tokens.encode("some key") + "\n",
        tokens.encode("some key").swapcase(),
        tokens.encode("some key")[:-4],
        "616121-0a22a4015a09278fbf1b6d958b225f4398ef0d68395a96f08a03ddf0f1522e11",
    ],
)
def test_other_text_is_no_token(token: str) -> None:
    with pytest.raises(errors.InvalidArgument, match="The continuation token provided is incorr"):
        tokens.decode(token)


@given(st.text(max_size=40))
def test_any_text_is_a_token_or_refused(token: str) -> None:
    try:
        name = tokens.decode(token)
    except errors.InvalidArgument:
        return
    assert tokens.encode(name).rstrip("=") == token.rstrip("=")
