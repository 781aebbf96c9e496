"""Scopes: what they cover, by whatever name it is asked for."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from s3daemon.auth.scopes import place_of, reaches


@pytest.mark.parametrize(
    ("bucket", "key", "place"),
    [
        ("b", "k", ("b", "k")),
        ("b", "", ("b", "")),
        ("b:c", "", ("b", "c/")),
        ("b:c:d", "k/l", ("b", "c/d/k/l")),
        ("b:..", "k", ("b", "../k")),
    ],
)
def test_place(bucket: str, key: str, place: tuple[str, str]) -> None:
    assert place_of(bucket, key) == place


@pytest.mark.parametrize(
    ("scope", "bucket", "key", "reached"),
    [
        ("b", "b", "", True),
        ("b", "b", "k", True),
        ("b", "b:c", "k", True),
        ("b/", "b", "", True),
        ("b", "bb", "k", False),
        ("bb", "b", "k", False),
        ("b", "B", "k", False),
        ("b", "a:b", "k", False),
        ("", "b", "k", False),
        ("/", "b", "k", False),
        ("*", "b", "k", False),
        ("b/p/", "b", "p/k", True),
        ("b/p/", "b", "p/", True),
        ("b/p/", "b:p", "", True),
        ("b/p/", "b:p", "k", True),
        ("b/p/", "b:p:q", "k", True),
        ("b/p/", "b", "p", False),
        ("b/p/", "b", "", False),
        ("b/p/", "b", "P/k", False),
        ("b/p/", "b", "px/k", False),
        ("b/p/", "b", "/p/k", False),
        ("b/p/", "b", "q/../p/k", False),
        ("b/p/", "b:px", "k", False),
        ("b/p", "b", "px/k", True),
        ("b/p//", "b", "p//k", True),
        ("b/p//", "b:p", "/k", True),
        ("b/p//", "b", "p/k", False),
        ("b:p", "b", "p/k", True),
        ("b:p", "b:p", "k", True),
        ("b:p", "b", "px", False),
        ("b:p/q/", "b", "p/q/k", True),
        ("b:p/q/", "b:p:q", "k", True),
        ("b:p/q/", "b:p", "k", False),
    ],
)
def test_reaches(scope: str, bucket: str, key: str, reached: bool) -> None:
    assert reaches([scope], bucket, key) is reached
    assert reaches(["other", scope, "another/x"], bucket, key) is reached


@pytest.mark.parametrize(
    ("scope", "bucket", "reached"),
    [
        ("b/p/q/", "b", True),
        ("b/p/q/", "b:p", True),
        ("b/p/q/", "b:p:q", True),
        ("b/p/q/", "b:p:q:r", True),
        ("b/p/q/", "b:x", False),
        ("b/p/q/", "b:p:x", False),
        ("b/p/q/", "c", False),
    ],
)
def test_what_a_scope_lies_in(scope: str, bucket: str, reached: bool) -> None:
    assert reaches([scope], bucket, "", around=True) is reached


def test_no_scope_reaches_nothing() -> None:
    assert not reaches([], "b", "k")


segments = st.text(st.sampled_from("ab/."), max_size=6)


@given(st.sampled_from(["b", "b:a", "b:a:b"]), segments, segments)
def test_both_names_of_an_object_are_one(bucket: str, prefix: str, key: str) -> None:
    """Whoever is bound to a prefix gains nothing by the other way to say it."""
    top, path = place_of(bucket, key)
    assert reaches([f"b/{prefix}"], bucket, key) is reaches([f"b/{prefix}"], top, path)
    assert reaches([f"b/{prefix}"], top, path) is path.startswith(prefix)
