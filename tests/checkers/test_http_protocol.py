"""What a key service may say, and that everything else is no answer."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from s3daemon.auth.identity import Identity
from s3daemon.auth.signing_keys import SigningKey
from s3daemon.checkers.http_protocol import BadAnswer, Found, Scope, answer, question

KEY = bytes(range(32))
FULL = {
    "id": "i",
    "name": "n",
    "display_name": "d",
    "email": "e@example.com",
    "uid": 1,
    "gid": 2,
    "groups": [3],
    "read_only": True,
    "scopes": ["b/c"],
}


def body(identity: Any = None, **further: Any) -> bytes:
    content = {"signing_key": KEY.hex(), "identity": {"id": "i"} if identity is None else identity}
    return json.dumps({**content, **further}).encode()


def test_a_question() -> None:
    assert json.loads(question(Scope("AK", "20260131", "us-east-1", "s3"))) == {
        "access_key": "AK",
        "date": "20260131",
        "region": "us-east-1",
        "service": "s3",
    }


def test_a_key() -> None:
    assert answer(200, body()) == Found(SigningKey(Identity("i", "i", "i"), KEY))
    assert answer(200, body(expires_in=1.5, comment="is passed over")) == Found(
        SigningKey(Identity("i", "i", "i"), KEY), 1.5
    )
    named = answer(200, body({"id": "i", "name": "n"}))
    assert named is not None
    assert named.key.identity == Identity("i", "n", "n")


def test_everything_that_can_be_said() -> None:
    found = answer(200, body(FULL))
    assert found is not None
    assert found.key.identity == Identity(
        "i", "n", "d", "e@example.com", 1, 2, (3,), True, ("b/c",)
    )


def test_no_key() -> None:
    assert answer(404, b"<html>") is None


@pytest.mark.parametrize("status", [201, 204, 301, 400, 401, 403, 429, 500, 503])
def test_a_status_that_says_nothing(status: int) -> None:
    with pytest.raises(BadAnswer, match=str(status)):
        answer(status, body())


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"[]",
        b"\xff",
        b"null",
        b"{}",
        b"[" * 5000,
        body("i"),
        body([]),
        body({}),
        body(signing_key=KEY.hex()[:-2]),
        body(signing_key=KEY.hex() + "00"),
        body(signing_key="x" * 64),
        body(signing_key=None),
        body(signing_key=1),
        body(expires_in="60"),
        body(expires_in=-1),
        body(expires_in=True),
        body(expires_in=float("nan")),
        body({**FULL, "id": ""}),
        body({**FULL, "id": "a\nb"}),
        body({**FULL, "id": None}),
        body({**FULL, "name": 1}),
        body({**FULL, "display_name": ""}),
        body({**FULL, "email": "x"}),
        body({**FULL, "uid": -1}),
        body({**FULL, "uid": True}),
        body({**FULL, "gid": "2"}),
        body({**FULL, "groups": 3}),
        body({**FULL, "groups": [-3]}),
        body({**FULL, "scopes": "b"}),
        body({**FULL, "scopes": ["/b"]}),
        body({**FULL, "read_only": "no"}),
        body({**FULL, "deny": ["b"]}),
    ],
)
def test_what_is_not_understood(data: bytes) -> None:
    with pytest.raises(BadAnswer) as caught:
        answer(200, data)
    assert KEY.hex()[:60] not in str(caught.value)


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(),
        lambda children: (
            st.lists(children)
            | st.dictionaries(
                st.sampled_from(["signing_key", "identity", "expires_in", *FULL]) | st.text(),
                children,
            )
        ),
    )
)
def test_nothing_but_a_bad_answer_is_raised(content: Any) -> None:
    try:
        found = answer(200, json.dumps(content).encode())
    except BadAnswer:
        return
    assert found is not None


def test_a_key_is_in_no_text() -> None:
    found = answer(200, body())
    assert KEY.hex() not in repr(found)
    assert repr(KEY) not in repr(found)
