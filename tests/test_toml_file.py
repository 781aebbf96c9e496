"""Errors name file and line."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from s3daemon.toml_file import SettingError, decode, nearest, parse

TEXT = """\
# a comment
top = 1

[server]
listen = ["a"]   # tcp
"quoted key" = 1
[server.endpoints]
"/api" = "aws"
[store]
root = "listen = 1"
deep.er = 2

[[user]]
name = "a"

[[user]]
id = 1
name = "b"
"""


@pytest.mark.parametrize(
    ("path", "occurrence", "line"),
    [
        (["top"], 0, 2),
        (["server"], 0, 4),
        (["server", "listen"], 0, 5),
        (["server", "quoted key"], 0, 6),
        (["server", "endpoints"], 0, 7),
        (["server", "endpoints", "/api"], 0, 8),
        (["store", "root"], 0, 10),
        (["store", "deep", "er"], 0, 11),
        (["store", "absent"], 0, 9),
        (["user", "name"], 0, 14),
        (["user", "name"], 1, 18),
        (["user", "id"], 1, 17),
        (["user", "keys"], 0, 13),
        (["user", "keys"], 1, 16),
        (["nowhere", "key"], 0, 1),
    ],
)
def test_where(path: list[str], occurrence: int, line: int) -> None:
    assert parse(TEXT, "f.toml").where(path, occurrence) == f"f.toml:{line}"


ITEMS = """\
[[user]]
name = "a"
keys = [{ k = "{" }, { k = '{' },  # {
    { k = 1 },

    { k = 2 },
]
[[user]]
name = "b"
[[user.keys]]
k = 1
[[user.keys]]
k = 2
[[user]]
[[user.keys]]
k = 3
[[user]]
keys = 1
"""


@pytest.mark.parametrize(
    ("occurrence", "item", "line"),
    [
        (0, 0, 3),
        (0, 1, 3),
        (0, 2, 4),
        (0, 3, 6),
        (0, 4, 3),
        (1, 0, 10),
        (1, 1, 12),
        (1, 2, 10),
        (2, 0, 15),
        (3, 0, 18),
    ],
)
def test_where_in_a_list(occurrence: int, item: int, line: int) -> None:
    found = parse(ITEMS, "f.toml").where_item(["user", "keys"], occurrence, item)
    assert found == f"f.toml:{line}"


@pytest.mark.parametrize(
    ("data", "line", "says"),
    [
        (b"a = 1\nb = = 2\n", 2, "no TOML"),
        (b"a = 1\nb =", 1, "no TOML"),
        (b"a = 1\na = 2\n", 2, "no TOML"),
        (b"a = 1\n\nb = '\xff'\n", 3, "not UTF-8"),
        (b"a = " + b"[" * 5000, 1, "too deeply"),
        (b"a = " + b"1" * 5000, 1, "too long"),
    ],
)
def test_what_is_no_toml(data: bytes, line: int, says: str) -> None:
    with pytest.raises(SettingError, match=says) as caught:
        decode(data, "f.toml")
    assert caught.value.where == f"f.toml:{line}"


def test_an_error_says_where_what_and_why() -> None:
    assert str(SettingError("f:1", "a.b", "is wrong")) == "f:1: a.b: is wrong"
    assert str(SettingError("f", "", "cannot be read")) == "f: cannot be read"


def test_nearest() -> None:
    assert nearest("lisen", ["listen", "root"]) == "did you mean 'listen'?"
    assert nearest("zzz", ["root", "listen"]) == "known here: listen, root"


@given(st.text())
def test_any_text_is_parsed_or_refused(text: str) -> None:
    try:
        parse(text, "f").where(["a", "b"])
    except SettingError:
        pass
