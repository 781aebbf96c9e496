"""Every text is a key: those a file system cannot hold, and directories as objects."""

from __future__ import annotations

import itertools

import pytest

from s3daemon.store.interfaces import Attributes, IStore, KeyTooLong, NoSuchKey
from tests.store.tools import (
    begin,
    can_hold,
    complete,
    content,
    copy,
    get,
    listed,
    md5,
    page,
    put,
    put_in_parts,
    put_part,
)

NASTY = [
    "a",
    "a/",
    "a/b",
    "a//",
    "a//b",
    "/",
    "//",
    "///",
    "/x",
    "//x",
    ".",
    "..",
    "./",
    "../",
    "../x",
    "../../../../../../../../tmp/x",
    "a/.",
    "a/..",
    "a/../b",
    "a/./b",
    "_s3_multipart_tmp",
    "_s3_multipart_tmp/",
    "_s3_multipart_tmp/x",
    "a/_s3_multipart_tmp/x",
    ".s3gate",
    ".s3gate/",
    ".s3gate/x",
    ".s3gate/staging/x",
    "a/.s3gate/x",
    ".s3gate%",
    ".s3gate%f+a",
    ".s3gate%d+a",
    ".s3gate%d+a/b",
    ".s3gate%F+" + "0" * 64,
    ".s3gate%f+.s3gate%f+a",
    ".s3gatex",
    "s" * 255,
    "s" * 256,
    "l" * 300,
    "l" * 300 + "/k",
    "l" * 900,
    "l" * 900 + "/" + "m" * 100,
    "k" * 1024,
    "é" * 512,
    "/".join("d" * 512),
    "a/" * 511 + "a/",
    "/" * 1024,
    "\u00e9",
    "e\u0301",
    "\U0001f600/\uffff",
    " ",
    " a",
    "a ",
    "a b/c d",
    "\n",
    "a\nb",
    "a\r\n",
    "\t",
    "\x01\x7f",
    "%",
    "%2F",
    "a%2Fb",
    "a+b",
    "?x=1#y",
    "\\",
    "a\\b",
    "*",
    "~",
    "-rf",
    "A",
    ".hidden",
    "lost+found",
    "con",
    "\ufeff",
]

ATTRIBUTES = Attributes({"content-type": "text/x"}, {"m": "1"}, (("t", "1"),))


def in_order(keys: list[str]) -> list[str]:
    return sorted(keys, key=str.encode)


def is_object(store: IStore, bucket: str, key: str) -> bool:
    try:
        return not store.objects.stat(bucket, key).folder
    except NoSuchKey:
        return False


@pytest.mark.parametrize("key", NASTY)
@pytest.mark.parametrize("data", [b"", b"data"])
def test_alone(store: IStore, bucket: str, key: str, data: bytes) -> None:
    if not can_hold(store, key):
        with pytest.raises(KeyTooLong):
            put(store, bucket, key, data)
        assert listed(store, bucket, folders=True) == []
        return
    info = put(store, bucket, key, data, ATTRIBUTES, "alice")
    assert (info.key, info.etag, info.attributes) == (key, md5(data), ATTRIBUTES)
    assert get(store, bucket, key) == (info, data)
    assert store.objects.stat(bucket, key) == info
    assert list(page(store, bucket).objects) == [info]
    assert list(page(store, bucket, prefix=key).objects) == [info]
    assert listed(store, bucket, after=key) == []
    assert store.objects.delete(bucket, key) is True
    with pytest.raises(NoSuchKey):
        store.objects.stat(bucket, key)
    assert listed(store, bucket, folders=True) == []


@pytest.mark.parametrize("key", NASTY)
def test_overwrite_copy_and_parts(store: IStore, bucket: str, key: str) -> None:
    if not can_hold(store, key):
        return
    put(store, bucket, key, b"old")
    put(store, bucket, key, b"")
    put(store, bucket, key, b"new")
    assert content(store, bucket, key) == b"new"
    info = copy(store, (bucket, key), (bucket, key), ATTRIBUTES)
    assert get(store, bucket, key) == (info, b"new")
    info = store.objects.set_tags(bucket, key, (("n", "2"),))
    assert get(store, bucket, key) == (info, b"new")
    info = put_in_parts(store, bucket, key, b"one", b"two", b"3", attributes=ATTRIBUTES)
    assert get(store, bucket, key) == (info, b"onetwo3")
    assert list(page(store, bucket).objects) == [info]
    info = put(store, bucket, key, b"")
    assert get(store, bucket, key) == (info, b"")


def test_all_together(store: IStore, bucket: str) -> None:
    keys = [key for key in NASTY if can_hold(store, key)]
    for key in keys:
        put(store, bucket, key, key.encode())
    assert listed(store, bucket) == in_order(keys)
    assert listed(store, bucket, step=1) == in_order(keys)
    for key in keys:
        assert content(store, bucket, key) == key.encode()
    left = list(keys)
    for key in keys:
        assert store.objects.delete(bucket, key) is True
        left.remove(key)
        assert not is_object(store, bucket, key)
        assert listed(store, bucket) == in_order(left)
    assert listed(store, bucket, folders=True) == []
    store.buckets.delete(bucket)


FAMILY = ["a", "a/", "a/b", "a/b/", "a/b/c", "a//", "a//b"]


@pytest.mark.parametrize("keys", list(itertools.permutations(FAMILY, 3)))
def test_neighbours_in_every_order(store: IStore, bucket: str, keys: tuple[str, ...]) -> None:
    for data in (b"1", b"", b"22"):
        for key in keys:
            put(store, bucket, key, key.encode() * len(data))
        for key in keys:
            info, found = get(store, bucket, key)
            assert (found, info.folder) == (key.encode() * len(data), False)
        assert listed(store, bucket) == in_order(list(keys))
    for index, key in enumerate(keys):
        assert store.objects.delete(bucket, key) is True
        assert listed(store, bucket) == in_order(list(keys[index + 1 :]))
        for other in keys[index + 1 :]:
            assert content(store, bucket, other) == other.encode() * 2
    assert listed(store, bucket, folders=True) == []


@pytest.mark.parametrize("key", ["a", "a/b", "l" * 300, "l" * 300 + "/x", ".s3gate/x", "a//b"])
def test_neighbours_that_come_and_go(store: IStore, bucket: str, key: str) -> None:
    """A key keeps its content whatever its neighbours of the other kind do."""
    put(store, bucket, key, b"mine")
    put(store, bucket, key + "/x", b"below")
    store.objects.delete(bucket, key + "/x")
    assert content(store, bucket, key) == b"mine"
    put(store, bucket, key + "/x", b"below")
    store.objects.delete(bucket, key)
    assert content(store, bucket, key + "/x") == b"below"
    put(store, bucket, key, b"again")
    assert content(store, bucket, key) == b"again"
    assert listed(store, bucket) == [key, key + "/x"]
    put(store, bucket, key + "/x", b"deeper")
    put(store, bucket, key, b"third")
    assert content(store, bucket, key) == b"third"
    assert content(store, bucket, key + "/x") == b"deeper"
    store.objects.delete(bucket, key)
    store.objects.delete(bucket, key + "/x")
    assert listed(store, bucket, folders=True) == []


# ---------------------------------------------------------------- directories as objects


def test_implicit_folder(store: IStore, bucket: str) -> None:
    put(store, bucket, "dir/x", b"1")
    info, data = get(store, bucket, "dir/")
    assert (info.key, info.size, info.folder, data) == ("dir/", 0, True, b"")
    assert "-" in info.etag
    assert (info.part_sizes, info.upload_id) == ((), None)
    assert store.objects.stat(bucket, "dir/").folder
    with pytest.raises(NoSuchKey):
        store.objects.stat(bucket, "dir")


def test_put_folder(store: IStore, bucket: str) -> None:
    info = put(store, bucket, "dir/", b"", ATTRIBUTES, "alice")
    assert (info.key, info.size, info.folder, info.etag) == ("dir/", 0, False, md5(b""))
    with pytest.raises(NoSuchKey):
        store.objects.stat(bucket, "dir")


@pytest.mark.parametrize("data", [b"", b"data"])
def test_a_put_folder_does_not_change_with_its_content(
    store: IStore, bucket: str, data: bytes
) -> None:
    info = put(store, bucket, "dir/", data, ATTRIBUTES, "alice")
    put(store, bucket, "dir/x", b"1")
    put(store, bucket, "dir/y/z", b"1")
    assert get(store, bucket, "dir/") == (info, data)
    store.objects.delete(bucket, "dir/x")
    store.objects.delete(bucket, "dir/y/z")
    assert get(store, bucket, "dir/") == (info, data)


def test_folder_put_over_an_implicit_one(store: IStore, bucket: str) -> None:
    put(store, bucket, "dir/x", b"1")
    info = put(store, bucket, "dir/", b"", ATTRIBUTES)
    assert get(store, bucket, "dir/") == (info, b"")
    assert listed(store, bucket) == ["dir/", "dir/x"]
    assert store.objects.delete(bucket, "dir/") is True
    assert listed(store, bucket) == ["dir/x"]
    assert store.objects.stat(bucket, "dir/").folder
    store.objects.delete(bucket, "dir/x")
    assert listed(store, bucket, folders=True) == []


@pytest.mark.parametrize("sequence", list(itertools.product([b"", b"1", b"22"], repeat=3)))
def test_folder_with_and_without_data(
    store: IStore, bucket: str, sequence: tuple[bytes, ...]
) -> None:
    for data in sequence:
        info = put(store, bucket, "dir/", data, ATTRIBUTES)
        assert (info.size, info.etag) == (len(data), md5(data))
        assert get(store, bucket, "dir/") == (info, data)
        assert list(page(store, bucket, folders=True).objects) == [info]
    assert store.objects.delete(bucket, "dir/") is True
    with pytest.raises(NoSuchKey):
        store.objects.stat(bucket, "dir/")
    assert listed(store, bucket, folders=True) == []


@pytest.mark.parametrize("data", [b"", b"data"])
def test_delete_of_a_folder_that_is_not_empty(store: IStore, bucket: str, data: bytes) -> None:
    put(store, bucket, "a/dir/", data, ATTRIBUTES)
    put(store, bucket, "a/dir/x", b"1")
    assert store.objects.delete(bucket, "a/dir/") is True
    info = store.objects.stat(bucket, "a/dir/")
    assert (info.folder, info.attributes) == (True, Attributes())
    assert listed(store, bucket) == ["a/dir/x"]
    assert store.objects.delete(bucket, "a/dir/") is False
    assert content(store, bucket, "a/dir/x") == b"1"


def test_delete_of_an_implicit_folder(store: IStore, bucket: str) -> None:
    put(store, bucket, "a/dir/x", b"1")
    assert store.objects.delete(bucket, "a/dir/") is False
    assert content(store, bucket, "a/dir/x") == b"1"
    store.objects.delete(bucket, "a/dir/x", prune=False)
    assert store.objects.delete(bucket, "a/dir/", prune=False) is False
    assert listed(store, bucket, folders=True) == ["a/"]
    assert store.objects.delete(bucket, "a/") is False
    assert listed(store, bucket, folders=True) == []


@pytest.mark.parametrize("data", [b"", b"data"])
def test_delete_of_a_folder_prunes_above(store: IStore, bucket: str, data: bytes) -> None:
    put(store, bucket, "a/b/dir/", data)
    store.objects.delete(bucket, "a/b/dir/")
    assert listed(store, bucket, folders=True) == []
    put(store, bucket, "a/b/dir/", data)
    store.objects.delete(bucket, "a/b/dir/", prune=False)
    assert listed(store, bucket, folders=True) == ["a/", "a/b/"]


def test_delete_of_a_name_spares_the_folder(store: IStore, bucket: str) -> None:
    put(store, bucket, "dir/", b"")
    put(store, bucket, "e/x", b"")
    assert store.objects.delete(bucket, "dir") is False
    assert store.objects.delete(bucket, "e") is False
    assert listed(store, bucket) == ["dir/", "e/x"]


def test_delete_of_a_folder_spares_the_name(store: IStore, bucket: str) -> None:
    put(store, bucket, "dir", b"1")
    assert store.objects.delete(bucket, "dir/") is False
    put(store, bucket, "dir/", b"")
    assert store.objects.delete(bucket, "dir/") is True
    assert listed(store, bucket) == ["dir"]


def test_tags_of_an_implicit_folder(store: IStore, bucket: str) -> None:
    put(store, bucket, "dir/x", b"1")
    info = store.objects.set_tags(bucket, "dir/", (("a", "1"),))
    assert (info.folder, info.attributes.tags) == (True, (("a", "1"),))
    assert store.objects.stat(bucket, "dir/").attributes.tags == (("a", "1"),)
    assert listed(store, bucket) == ["dir/x"]
    store.objects.delete(bucket, "dir/x")
    assert listed(store, bucket, folders=True) == []


def test_parts_as_a_folder(store: IStore, bucket: str) -> None:
    upload = begin(store, bucket, "dir/", ATTRIBUTES)
    part = put_part(store, bucket, upload, 1, b"")
    info = complete(store, bucket, upload, [(1, part.etag)])
    assert (info.size, info.part_sizes, info.folder) == (0, (0,), False)
    assert get(store, bucket, "dir/") == (info, b"")
    put(store, bucket, "dir/x", b"1")
    assert get(store, bucket, "dir/") == (info, b"")
