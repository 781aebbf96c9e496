"""Conditional requests."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from s3daemon.wire import conditional
from s3daemon.wire.errors import NotModified, PreconditionFailed
from s3daemon.wire.message import S3Request

ETAG = "37b51d194a7513e45b56f6524f2d51f2"
QUOTED = f'"{ETAG}"'
MODIFIED_NS = 784111777 * 10**9 + 999_999_999
EXACT = "Sun, 06 Nov 1994 08:49:37 GMT"
BEFORE = "Sun, 06 Nov 1994 08:49:36 GMT"
AFTER = "Sun, 06 Nov 1994 08:49:38 GMT"
BAD = "not a date"

M, N, S, U = "if-match", "if-none-match", "if-modified-since", "if-unmodified-since"

TABLE = [
    # one condition
    ({M: QUOTED}, 200),
    ({M: ETAG}, 200),
    ({M: "*"}, 200),
    ({M: f'"x", {QUOTED} , "y"'}, 200),
    ({M: f'"x",{ETAG}'}, 200),
    ({M: f"W/{QUOTED}"}, 412),
    ({M: '"ABCORZ"'}, 412),
    ({M: ""}, 412),
    ({M: ETAG.upper()}, 412),
    ({N: QUOTED}, 304),
    ({N: ETAG}, 304),
    ({N: "*"}, 304),
    ({N: f'"x", W/{QUOTED}'}, 304),
    ({N: "ABCORZ"}, 200),
    ({N: ""}, 200),
    ({S: BEFORE}, 200),
    ({S: EXACT}, 304),
    ({S: AFTER}, 304),
    ({S: BAD}, 200),
    ({U: BEFORE}, 412),
    ({U: EXACT}, 200),
    ({U: AFTER}, 200),
    ({U: BAD}, 200),
    # the two precedences of S3
    ({M: QUOTED, U: BEFORE}, 200),
    ({M: '"x"', U: AFTER}, 412),
    ({N: QUOTED, S: BEFORE}, 304),
    ({N: '"x"', S: AFTER}, 200),
    # one of each pair
    ({M: QUOTED, N: QUOTED}, 304),
    ({M: '"x"', N: QUOTED}, 412),
    ({M: QUOTED, S: AFTER}, 304),
    ({U: AFTER, S: AFTER}, 304),
    ({U: BEFORE, N: QUOTED}, 412),
    ({U: BEFORE, S: AFTER}, 412),
]


@pytest.mark.parametrize(("headers", "status"), TABLE)
def test_of_an_object(headers: dict[str, str], status: int) -> None:
    """Status by RFC 9110 section 13.2.2."""
    conditions = conditional.parse(S3Request("GET", headers=headers))
    assert conditions is not None
    if status == 200:
        conditions.check(ETAG, MODIFIED_NS)
    else:
        with pytest.raises((PreconditionFailed, NotModified)) as caught:
            conditions.check(ETAG, MODIFIED_NS)
        assert caught.value.status == status


@pytest.mark.parametrize(("headers", "status"), TABLE)
def test_of_a_copy_source(headers: dict[str, str], status: int) -> None:
    """The same decision, but every refusal is a 412; the plain fields do not count."""
    prefix = "x-amz-copy-source-"
    conditions = conditional.parse(
        S3Request("PUT", headers={prefix + name: value for name, value in headers.items()}), prefix
    )
    assert conditions is not None
    if status == 200:
        conditions.check_source(ETAG, MODIFIED_NS)
    else:
        with pytest.raises(PreconditionFailed) as caught:
            conditions.check_source(ETAG, MODIFIED_NS)
        assert caught.value.detail["Condition"].startswith("x-amz-copy-source-If-")
    assert conditional.parse(S3Request("PUT", headers=headers), prefix) is None


@pytest.mark.parametrize(
    ("headers", "condition"),
    [
        ({M: '"x"'}, "If-Match"),
        ({U: BEFORE}, "If-Unmodified-Since"),
    ],
)
def test_failure_names_its_condition(headers: dict[str, str], condition: str) -> None:
    """S3 says which one."""
    conditions = conditional.parse(S3Request("GET", headers=headers))
    assert conditions is not None
    with pytest.raises(PreconditionFailed) as caught:
        conditions.check(ETAG, MODIFIED_NS)
    assert caught.value.detail == {"Condition": condition}


@pytest.mark.parametrize(
    ("headers", "condition"),
    [
        ({N: QUOTED}, "x-amz-copy-source-If-None-Match"),
        ({S: AFTER}, "x-amz-copy-source-If-Modified-Since"),
    ],
)
def test_source_failure_names_its_condition(headers: dict[str, str], condition: str) -> None:
    """Also the two that would be a 304 of a GET."""
    prefix = "x-amz-copy-source-"
    conditions = conditional.parse(
        S3Request("PUT", headers={prefix + name: value for name, value in headers.items()}), prefix
    )
    assert conditions is not None
    with pytest.raises(PreconditionFailed) as caught:
        conditions.check_source(ETAG, MODIFIED_NS)
    assert caught.value.detail == {"Condition": condition}


def test_none_given() -> None:
    """The usual request has none, and costs nothing."""
    assert conditional.parse(S3Request("GET", headers={"host": "x", "range": "bytes=0-1"})) is None


def test_not_modified_carries_its_fields() -> None:
    """RFC 9110 section 15.4.5."""
    conditions = conditional.Conditions(if_none_match="*")
    with pytest.raises(NotModified) as caught:
        conditions.check(ETAG, MODIFIED_NS, {"cache-control": "no-cache", "content-type": "a/b"})
    assert caught.value.headers == {
        "ETag": QUOTED,
        "Last-Modified": EXACT,
        "Cache-Control": "no-cache",
    }


@pytest.mark.parametrize(
    ("value", "holds"),
    [
        (QUOTED, True),
        (ETAG, True),
        (f"W/{QUOTED}", False),
        ('"x"', False),
        ("*", False),
        (EXACT, True),
        (BEFORE, False),
        (AFTER, False),
        (BAD, False),
        ("", False),
    ],
)
def test_if_range(value: str, holds: bool) -> None:
    """A validator holds only if it is strong and exact."""
    assert conditional.if_range_holds(value, ETAG, MODIFIED_NS) is holds


@given(st.text(alphabet='W/", *abc\t', max_size=30))
def test_garbage_lists(value: str) -> None:
    """Whatever stands there, an ETag that does not occur in it is not matched, and none crashes."""
    if value != "*":
        assert not conditional.matches(value, ETAG, weak=True)
