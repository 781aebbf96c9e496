"""Paging: pages put together are the whole, whatever the prefix, delimiter and page size."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from itertools import groupby

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from s3daemon.store.interfaces import ListPage, ListQuery, ObjectInfo, UploadInfo, UploadsQuery
from s3daemon.store.paging import list_objects, list_uploads, past


class Keys:
    """A source of plain keys that counts what is read of it."""

    def __init__(self, *keys: str) -> None:
        self.keys = sorted({key.encode() for key in keys})
        self.read = 0
        self.loaded: list[str] = []
        self.gone: set[str] = set()

    def seek(self, at: bytes) -> Iterator[tuple[bytes, None]]:
        for key in self.keys[bisect_left(self.keys, at) :]:
            self.read += 1
            yield key, None

    def load(self, key: bytes, entry: None) -> ObjectInfo | None:
        self.loaded.append(key.decode())
        if key.decode() in self.gone:
            return None
        return ObjectInfo(key.decode(), 0, 0, "e")

    def page(self, **query: str | int) -> ListPage:
        return list_objects(self, ListQuery(**query), self.load)  # type: ignore[arg-type]


def items(page: ListPage) -> list[str]:
    return sorted(names(page) + list(page.prefixes), key=str.encode)


def names(page: ListPage) -> list[str]:
    return [info.key for info in page.objects]


TREE = ("Z", "aa!", "aa/1", "aa/2", "b", "b-c", "b/", "b/x", "b/y/z", "ä/ö", "\U0001f600", "\uffff")


@pytest.mark.parametrize(
    ("query", "objects", "prefixes"),
    [
        ({}, [*list(TREE[:-2]), "\uffff", "😀"], []),
        ({"delimiter": "/"}, ["Z", "aa!", "b", "b-c", "\uffff", "\U0001f600"], ["aa/", "b/", "ä/"]),
        ({"prefix": "b"}, ["b", "b-c", "b/", "b/x", "b/y/z"], []),
        ({"prefix": "b/", "delimiter": "/"}, ["b/", "b/x"], ["b/y/"]),
        ({"prefix": "b", "delimiter": "/"}, ["b", "b-c"], ["b/"]),
        ({"prefix": "aa/1", "delimiter": "1"}, ["aa/1"], []),
        ({"prefix": "a", "delimiter": "a"}, [], ["aa"]),
        ({"prefix": "b", "delimiter": "/y/"}, ["b", "b-c", "b/", "b/x"], ["b/y/"]),
        ({"prefix": "nothing"}, [], []),
        ({"prefix": "/"}, [], []),
        ({"after": "b"}, ["b-c", "b/", "b/x", "b/y/z", "ä/ö", "\uffff", "\U0001f600"], []),
        ({"after": "aa/1", "delimiter": "/"}, ["b", "b-c", "\uffff", "\U0001f600"], ["b/", "ä/"]),
        ({"after": "aa/", "delimiter": "/", "prefix": "a"}, [], []),
        ({"after": "aa", "delimiter": "/", "prefix": "a"}, ["aa!"], ["aa/"]),
        ({"after": "b/x", "delimiter": "/", "prefix": "b/"}, [], ["b/y/"]),
        ({"after": "zzz", "prefix": "b"}, [], []),
        ({"after": "A", "prefix": "b-"}, ["b-c"], []),
        ({"prefix": "\ud800"}, [], []),
        ({"after": "\ud800"}, ["\uffff", "\U0001f600"], []),
        ({"max_keys": 0}, [], []),
    ],
)
def test_a_page(query: dict[str, str | int], objects: list[str], prefixes: list[str]) -> None:
    page = Keys(*TREE).page(**query)
    assert names(page) == objects
    assert list(page.prefixes) == prefixes
    assert page.next_after is None


def test_truncation_is_exact() -> None:
    source = Keys("a", "b/1", "b/2", "c")
    assert source.page(max_keys=3, delimiter="/").next_after is None
    page = source.page(max_keys=2, delimiter="/")
    assert (items(page), page.next_after) == (["a", "b/"], "b/")
    page = source.page(max_keys=1)
    assert (items(page), page.next_after) == (["a"], "a")


def test_a_vanished_object_is_left_out_and_another_takes_its_place() -> None:
    source = Keys("a", "b", "c", "d")
    source.gone = {"a", "c"}
    page = source.page(max_keys=1)
    assert (names(page), page.next_after) == (["b"], "b")
    page = source.page(max_keys=2)
    assert (names(page), page.next_after) == (["b", "d"], None)
    source.gone = {"c", "d"}
    assert source.page(max_keys=2).next_after is None


def test_what_a_page_costs() -> None:
    """No more is read or loaded than is shown, and a group is passed in one step."""
    source = Keys(*(f"{group:02}/{number:03}" for group in range(20) for number in range(100)))
    source.page(max_keys=10)
    assert len(source.loaded) == source.read == 11
    source.read = 0
    source.page(delimiter="/", max_keys=10)
    assert source.read == 11
    assert len(source.loaded) == 11


def test_past() -> None:
    assert past(b"a/") == b"a0"
    assert past("\U0010ffff".encode()) > b"\xf4\x8f\xbf\xbf/"


KEYS = st.lists(st.text("ab/-ä", min_size=1, max_size=6), max_size=20)
SHORT = st.text("ab/-ä", max_size=3)


def plain(keys: list[str], prefix: str, delimiter: str) -> list[str]:
    """The whole listing, by definition."""

    def group(key: str) -> str:
        cut = key.find(delimiter, len(prefix)) if delimiter else -1
        return key if cut < 0 else key[: cut + len(delimiter)]

    found = sorted({key for key in keys if key.startswith(prefix)}, key=str.encode)
    return [name for name, _ in groupby(found, group)]


@given(KEYS, SHORT, SHORT, SHORT)
def test_one_page_is_as_defined(keys: list[str], prefix: str, delimiter: str, after: str) -> None:
    page = Keys(*keys).page(prefix=prefix, delimiter=delimiter, after=after)
    wanted = [name for name in plain(keys, prefix, delimiter) if name.encode() > after.encode()]
    assert items(page) == wanted
    assert page.next_after is None


@given(KEYS, SHORT, SHORT, st.integers(1, 4))
def test_pages_together_are_the_whole(
    keys: list[str], prefix: str, delimiter: str, size: int
) -> None:
    source = Keys(*keys)
    found: list[str] = []
    after: str | None = ""
    while after is not None:
        page = source.page(prefix=prefix, delimiter=delimiter, after=after, max_keys=size)
        if page.next_after is not None:
            assert len(items(page)) == size
            assert page.next_after == items(page)[-1]
        found += items(page)
        after = page.next_after
    assert found == plain(keys, prefix, delimiter)


# ---------------------------------------------------------------- uploads


def upload(key: str, upload_id: str, when: int = 0, owner: str | None = None) -> UploadInfo:
    return UploadInfo(key, upload_id, owner, when)


UPLOADS = (
    upload("b", "u3", 3, "me"),
    upload("a", "u9", 1),
    upload("a", "u1", 2, "me"),
    upload("a", "u2", 2),
    upload("dir/x", "u5", 1),
    upload("dir/y", "u4", 1),
    upload("ä", "u6", 1),
)


@pytest.mark.parametrize(
    ("query", "ids", "prefixes"),
    [
        (UploadsQuery(), ["u9", "u1", "u2", "u3", "u5", "u4", "u6"], ()),
        (UploadsQuery(prefix="dir"), ["u5", "u4"], ()),
        (UploadsQuery(delimiter="/"), ["u9", "u1", "u2", "u3", "u6"], ("dir/",)),
        (UploadsQuery(owner="me"), ["u1", "u3"], ()),
        (UploadsQuery(after_key="a"), ["u3", "u5", "u4", "u6"], ()),
        (
            UploadsQuery(after_key="a", after_upload_id="u9"),
            ["u1", "u2", "u3", "u5", "u4", "u6"],
            (),
        ),
        (UploadsQuery(after_key="a", after_upload_id="u2"), ["u3", "u5", "u4", "u6"], ()),
        (UploadsQuery(after_key="a", after_upload_id="gone", prefix="a"), ["u9", "u1", "u2"], ()),
        (UploadsQuery(after_key="c", after_upload_id="u1", prefix="d"), ["u5", "u4"], ()),
        (UploadsQuery(after_key="dir/x", after_upload_id="u5", delimiter="/"), ["u6"], ()),
        (UploadsQuery(after_key="dir/", delimiter="/"), ["u6"], ()),
        (UploadsQuery(after_key="", after_upload_id="u1", prefix="b"), ["u3"], ()),
        (UploadsQuery(max_uploads=0), [], ()),
    ],
)
def test_a_page_of_uploads(query: UploadsQuery, ids: list[str], prefixes: tuple[str, ...]) -> None:
    page = list_uploads(iter(UPLOADS), query)
    assert [found.upload_id for found in page.uploads] == ids
    assert page.prefixes == prefixes
    assert (page.next_key, page.next_upload_id) == (None, None)


@pytest.mark.parametrize("size", [1, 2, 3, 6, 7])
@pytest.mark.parametrize("delimiter", ["", "/", "i"])
def test_pages_of_uploads_together_are_the_whole(size: int, delimiter: str) -> None:
    query = UploadsQuery(delimiter=delimiter, max_uploads=size)
    whole = list_uploads(UPLOADS, attrs.evolve(query, max_uploads=100))
    uploads: list[UploadInfo] = []
    prefixes: list[str] = []
    while True:
        page = list_uploads(UPLOADS, query)
        uploads += page.uploads
        prefixes += page.prefixes
        if page.next_key is None or page.next_upload_id is None:
            break
        assert len(page.uploads) + len(page.prefixes) == size
        query = attrs.evolve(query, after_key=page.next_key, after_upload_id=page.next_upload_id)
    assert tuple(uploads) == whole.uploads
    assert tuple(prefixes) == whole.prefixes


def test_the_marker_of_a_page_of_uploads() -> None:
    page = list_uploads(UPLOADS, UploadsQuery(max_uploads=2))
    assert (page.next_key, page.next_upload_id) == ("a", "u1")
    page = list_uploads(UPLOADS, UploadsQuery(max_uploads=5, delimiter="/"))
    assert (page.next_key, page.next_upload_id) == ("dir/", "")
