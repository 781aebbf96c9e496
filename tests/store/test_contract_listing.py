"""What IObjects.list promises, on every store."""

from __future__ import annotations

import pytest

from s3daemon.store.interfaces import Attributes, IStore, ListPage
from tests.store.tools import get, listed, md5, page, put, put_in_parts

KEYS = [
    "/",
    "/x",
    "a",
    "a-",
    "a-/b",
    "a/",
    "a/b",
    "a/b/c",
    "a//b",
    "a0",
    "ab",
    "b//",
    "b/c/d/e",
    "b/c/d/f",
    "b/c0",
    "é",
    "é/x",
    "z\uffff",
    "z\U0001f600",
    "z\U0001f600/x",
    "l" * 300 + "/x",
    "l" * 300,
    ".s3gate%f+a",
    "_s3_multipart_tmp/x",
    "../x",
]

PREFIXES = [
    "",
    "a",
    "a/",
    "a/b",
    "b/c",
    "b/c/",
    "/",
    "é",
    "z",
    "l" * 299,
    "l" * 300 + "/",
    "no",
    "..",
]
DELIMITERS = ["", "/", "//", "b", "c/", "x", "\U0001f600", "é", "nowhere"]


def folders_of(keys: list[str]) -> set[str]:
    """All directories that keys need: what ends in ``/`` at the beginning of one."""
    return {key[: at + 1] for key in keys for at, char in enumerate(key) if char == "/"}


def expected(
    keys: list[str], prefix: str, delimiter: str, after: str = "", folders: bool = False
) -> list[str]:
    """The same as :func:`listed`, said as plainly as can be."""
    found: dict[bytes, str] = {}
    for key in set(keys) | (folders_of(keys) if folders else set()):
        if not key.startswith(prefix):
            continue
        at = key.find(delimiter, len(prefix)) if delimiter else -1
        item = key if at < 0 else key[: at + len(delimiter)]
        if item.encode() > after.encode():
            found[item.encode()] = item if at < 0 else item + "*"
    return [found[item] for item in sorted(found)]


@pytest.fixture
def filled(store: IStore, bucket: str) -> IStore:
    for key in KEYS:
        put(store, bucket, key, b"1")
    return store


@pytest.mark.parametrize("folders", [False, True])
@pytest.mark.parametrize("delimiter", DELIMITERS)
def test_prefix_and_delimiter(filled: IStore, bucket: str, delimiter: str, folders: bool) -> None:
    for prefix in PREFIXES:
        wanted = expected(KEYS, prefix, delimiter, folders=folders)
        for step in (1000, 1, 2, 3):
            found = listed(filled, bucket, prefix, delimiter, folders=folders, step=step)
            assert found == wanted, (prefix, step)


@pytest.mark.parametrize("folders", [False, True])
@pytest.mark.parametrize("delimiter", ["", "/", "b"])
def test_after(filled: IStore, bucket: str, delimiter: str, folders: bool) -> None:
    """A marker may be a key, a common prefix, a text inside a group or no key at all."""
    markers = [*KEYS, *(key + "x" for key in KEYS), *(key[:-1] for key in KEYS), "b/", "\x00", "~"]
    for after in markers:
        for prefix in ("", "a", "b/c"):
            wanted = expected(KEYS, prefix, delimiter, after, folders)
            assert listed(filled, bucket, prefix, delimiter, after, folders) == wanted, after


def test_facts_are_those_of_the_object(store: IStore, bucket: str) -> None:
    attributes = Attributes({"content-type": "x"}, {"a": "1"}, (("t", "1"),))
    put(store, bucket, "a", b"1", attributes, "alice")
    put(store, bucket, "d/", b"", attributes, "alice")
    put(store, bucket, "d/x", b"22", owner=None)
    put(store, bucket, "e/", b"333")
    put_in_parts(store, bucket, "m", b"1", b"22")
    found = page(store, bucket, folders=True)
    assert found.prefixes == ()
    assert found.next_after is None
    for info in found.objects:
        assert info == get(store, bucket, info.key)[0]
    assert [info.key for info in found.objects] == ["a", "d/", "d/x", "e/", "m"]
    assert found.objects == page(store, bucket).objects


def test_folders(store: IStore, bucket: str) -> None:
    put(store, bucket, "a/b/x", b"1")
    put(store, bucket, "c/", b"")
    put(store, bucket, "c/d/", b"data")
    found = page(store, bucket, folders=True).objects
    assert [(info.key, info.size, info.folder) for info in found] == [
        ("a/", 0, True),
        ("a/b/", 0, True),
        ("a/b/x", 1, False),
        ("c/", 0, False),
        ("c/d/", 4, False),
    ]
    for info in found:
        assert info == store.objects.stat(bucket, info.key)


def test_empty_directories_are_no_objects(store: IStore, bucket: str) -> None:
    put(store, bucket, "a/b/c/x", b"1")
    put(store, bucket, "d/e/", b"")
    store.objects.delete(bucket, "a/b/c/x", prune=False)
    assert listed(store, bucket) == ["d/e/"]
    assert listed(store, bucket, delimiter="/") == ["d/*"]
    assert listed(store, bucket, prefix="a/", delimiter="/") == []
    assert listed(store, bucket, folders=True) == ["a/", "a/b/", "a/b/c/", "d/", "d/e/"]
    assert listed(store, bucket, delimiter="/", folders=True) == ["a/*", "d/*"]
    assert listed(store, bucket, prefix="a/", delimiter="/", folders=True) == ["a/", "a/b/*"]


def test_an_empty_directory_beside_a_key(store: IStore, bucket: str) -> None:
    put(store, bucket, "a/x", b"1")
    put(store, bucket, "a", b"1")
    store.objects.delete(bucket, "a/x", prune=False)
    assert listed(store, bucket, delimiter="/") == ["a"]
    assert listed(store, bucket, delimiter="/", folders=True) == ["a", "a/*"]


def test_empty_bucket(store: IStore, bucket: str) -> None:
    for folders in (False, True):
        for delimiter in ("", "/"):
            assert page(store, bucket, "", delimiter, folders=folders) == ListPage()


@pytest.mark.parametrize("max_keys", [0, 1, 2, 3, 4, 5, 1000])
@pytest.mark.parametrize("delimiter", ["", "/"])
def test_max_keys(store: IStore, bucket: str, max_keys: int, delimiter: str) -> None:
    for key in ("a", "b/c", "d", "e/f"):
        put(store, bucket, key, b"1")
    found = page(store, bucket, delimiter=delimiter, max_keys=max_keys)
    assert len(found.objects) + len(found.prefixes) == min(max_keys, 4)
    last = ["", "a", "b/" if delimiter else "b/c", "d"]
    assert found.next_after == (last[max_keys] if 0 < max_keys < 4 else None)


def test_a_group_counts_once(store: IStore, bucket: str) -> None:
    for number in range(30):
        put(store, bucket, f"a/{number}", b"1")
    put(store, bucket, "b", b"1")
    found = page(store, bucket, delimiter="/", max_keys=1)
    assert (found.objects, found.prefixes, found.next_after) == ((), ("a/",), "a/")
    found = page(store, bucket, delimiter="/", max_keys=2)
    assert ([info.key for info in found.objects], found.prefixes) == (["b"], ("a/",))
    assert found.next_after is None
    found = page(store, bucket, delimiter="/", after="a/7")
    assert ([info.key for info in found.objects], found.prefixes) == (["b"], ())


def test_the_next_page_sees_what_changed(store: IStore, bucket: str) -> None:
    for key in "abcde":
        put(store, bucket, key, b"1")
    first = page(store, bucket, max_keys=2)
    assert first.next_after == "b"
    store.objects.delete(bucket, "b")
    store.objects.delete(bucket, "c")
    put(store, bucket, "bb", b"new")
    put(store, bucket, "a0", b"before the marker")
    second = page(store, bucket, max_keys=10, after="b")
    assert [(info.key, info.etag) for info in second.objects] == [
        ("bb", md5(b"new")),
        ("d", md5(b"1")),
        ("e", md5(b"1")),
    ]


def test_listing_follows_every_change(store: IStore, bucket: str) -> None:
    """Changes a moment apart, in one directory, are never missed."""
    present: list[str] = []
    for number in range(60):
        key = f"d/{number % 7}/{number}"
        info = put(store, bucket, key, b"%d" % number)
        present.append(key)
        if number % 3 == 2:
            store.objects.delete(bucket, present.pop(0))
        assert listed(store, bucket) == sorted(present)
        newest = page(store, bucket, prefix=key, max_keys=1).objects[0]
        assert newest == info
        info = put(store, bucket, key, b"changed")
        newest = page(store, bucket, prefix=key, max_keys=1).objects[0]
        assert newest == info


def test_uploads_under_way_are_not_listed(store: IStore, bucket: str) -> None:
    upload = store.uploads.create(bucket, "a/k", Attributes(), None)
    writer = store.uploads.write_part(bucket, "a/k", upload.upload_id, 1, 3)
    writer.write([b"abc"])
    assert listed(store, bucket, folders=True) == []
    writer.commit(md5(b"abc"))
    assert listed(store, bucket, folders=True) == []
    store.uploads.abort(bucket, "a/k", upload.upload_id)
    assert listed(store, bucket, folders=True) == []
