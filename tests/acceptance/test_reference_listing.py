"""Acceptance items 11-20, 54: listing."""

from __future__ import annotations

import itertools

import pytest

from tests.acceptance.conftest import texts

FILES = ["file0", "file1", "folder0/file0", "folder0/file1"]


@pytest.fixture
def full(api):
    api.bucket("b")
    for key in FILES:
        api.put("b", key, b"some content")
    api.put("b", "folder1/")
    return api


def test_11_plain_listing_is_recursive_sorted_with_folders(full):
    got = full.ok("GET", "b").body
    assert texts(got, "Contents/Key") == [
        "file0",
        "file1",
        "folder0/",
        "folder0/file0",
        "folder0/file1",
        "folder1/",
    ]
    assert texts(got, "CommonPrefixes/Prefix") == []
    assert texts(got, "Contents/Size") == ["12", "12", "0", "12", "12", "0"]


def test_12_delimiter_gives_one_level(full):
    assert full.keys("b", "delimiter=/") == ["file0", "file1"]
    assert full.prefixes("b", "delimiter=/") == ["folder0/", "folder1/"]


def test_13_prefix_without_delimiter(full):
    assert full.keys("b", "prefix=folder0") == ["folder0/", "folder0/file0", "folder0/file1"]


def test_14_start_after_is_exclusive(full):
    assert full.keys("b", "list-type=2&start-after=file1") == [
        "folder0/",
        "folder0/file0",
        "folder0/file1",
        "folder1/",
    ]


def test_15_truncation_at_a_common_prefix(api):
    api.bucket("b")
    for key in ("a0", "a1", "f0/x", "f1/x", "z"):
        api.put("b", key, b"x")
    got = api.ok("GET", "b", query="delimiter=/&max-keys=3").body
    assert texts(got, "Contents/Key") == ["a0", "a1"]
    assert texts(got, "CommonPrefixes/Prefix") == ["f0/"]
    assert texts(got, "IsTruncated") == ["true"]
    assert texts(got, "NextMarker") == ["f0/"]
    got = api.ok("GET", "b", query="delimiter=/&max-keys=3&marker=f0/").body
    assert texts(got, "CommonPrefixes/Prefix") == ["f1/"]
    assert texts(got, "Contents/Key") == ["z"]
    assert texts(got, "IsTruncated") == ["false"]


def test_16_paging_v1_one_by_one(full):
    seen, marker = [], ""
    for _ in range(10):
        got = full.ok("GET", "b", query=f"max-keys=1&marker={marker}").body
        assert texts(got, "Marker") == [marker]
        assert texts(got, "KeyCount") == []
        seen += texts(got, "Contents/Key")
        if texts(got, "IsTruncated") == ["false"]:
            assert texts(got, "NextMarker") == []
            break
        assert texts(got, "NextMarker") == [seen[-1]]
        marker = seen[-1]
    assert seen == ["file0", "file1", "folder0/", "folder0/file0", "folder0/file1", "folder1/"]


def test_17_paging_v2_one_by_one(full):
    seen, token = [], ""
    for _ in range(10):
        query = "list-type=2&max-keys=1" + (f"&continuation-token={token}" if token else "")
        got = full.ok("GET", "b", query=query).body
        assert texts(got, "Marker") == []
        assert texts(got, "KeyCount") == ["1"]
        assert texts(got, "ContinuationToken") == ([token] if token else [])
        seen += texts(got, "Contents/Key")
        if texts(got, "IsTruncated") == ["false"]:
            assert texts(got, "NextContinuationToken") == []
            break
        token = texts(got, "NextContinuationToken")[0]
    assert seen == ["file0", "file1", "folder0/", "folder0/file0", "folder0/file1", "folder1/"]


@pytest.mark.parametrize(
    ("delimiter", "count"), [("", 6), ("&delimiter=/", 4)], ids=["flat", "prefixes"]
)
def test_18_exactly_max_keys_is_not_truncated(full, delimiter, count):
    got = full.ok("GET", "b", query=f"max-keys={count}{delimiter}").body
    assert texts(got, "IsTruncated") == ["false"]
    assert texts(got, "NextMarker") == []
    got = full.ok("GET", "b", query=f"list-type=2&max-keys={count}{delimiter}").body
    assert texts(got, "IsTruncated") == ["false"]
    assert texts(got, "NextContinuationToken") == []
    assert texts(got, "KeyCount") == [str(count)]


def test_19_max_keys_zero(full):
    for version in ("", "list-type=2&"):
        got = full.ok("GET", "b", query=version + "max-keys=0").body
        assert texts(got, "Contents/Key") == []
        assert texts(got, "IsTruncated") == ["false"]
        assert texts(got, "MaxKeys") == ["0"]
        assert texts(got, "KeyCount") == (["0"] if version else [])


def test_20_empty_results_and_prefixes_below_files(api):
    api.bucket("b")
    assert api.keys("b") == []
    api.put("b", "file0", b"x")
    api.put("b", "file_store/a", b"x")
    assert api.keys("b", "prefix=") == ["file0", "file_store/", "file_store/a"]
    assert api.keys("b", "prefix=none") == []
    assert api.keys("b", "prefix=file&delimiter=/") == ["file0"]
    assert api.prefixes("b", "prefix=file&delimiter=/") == ["file_store/"]
    assert api.keys("b", "prefix=file0/") == []
    assert api.keys("b", "prefix=file0/x/y&delimiter=/") == []


def reference(keys, prefix, delimiter, after):
    """What S3 documents, over a list of keys."""
    contents, prefixes = [], []
    for key in sorted(keys, key=str.encode):
        if not key.startswith(prefix):
            continue
        at = key.find(delimiter, len(prefix)) if delimiter else -1
        if at >= 0:
            group = key[: at + len(delimiter)]
            if group.encode() > after.encode() and group not in prefixes:
                prefixes.append(group)
        elif key.encode() > after.encode():
            contents.append(key)
    return contents, prefixes


MATRIX = list(
    itertools.product(
        ["", "aa", "file", "file1/", "folder0", "folder0/", "folder0/sub/"],
        ["", "/"],
        ["", "file1", "folder0", "folder0/", "folder0/file0", "folder0-b", "zzz"],
    )
)


@pytest.mark.parametrize("personality", ["alluxio", "aws"])
def test_54_matrix_of_versions_prefixes_delimiters_and_markers(api, personality):
    api.base = "/api/v1/s3" if personality == "alluxio" else ""
    made = [
        "Z",
        "aa!",
        "aa/1",
        "file0",
        "file1",
        "folder-x",
        "folder0-b",
        "folder0/file0",
        "folder0/file1",
        "folder0/sub/deep",
        "folder1/",
    ]
    api.bucket("lst")
    for key in made:
        api.put("lst", key, b"" if key.endswith("/") else b"x")
    keys = list(made)
    if personality == "alluxio":
        keys += ["aa/", "folder0/", "folder0/sub/"]
    for prefix, delimiter, after in MATRIX:
        want = reference(keys, prefix, delimiter, after)
        for start in (f"marker={after}", f"list-type=2&start-after={after}"):
            query = f"{start}&prefix={prefix}&delimiter={delimiter}"
            got = api.ok("GET", "lst", query=query).body
            assert (texts(got, "Contents/Key"), texts(got, "CommonPrefixes/Prefix")) == want, query
            for size in (1, 2, len(want[0]) + len(want[1]) + 3):
                got = api.ok("GET", "lst", query=f"{query}&max-keys={size}").body
                shown = sorted(
                    texts(got, "Contents/Key") + texts(got, "CommonPrefixes/Prefix"),
                    key=str.encode,
                )
                assert shown == sorted(want[0] + want[1], key=str.encode)[:size]
                more = len(want[0]) + len(want[1]) > size
                assert texts(got, "IsTruncated") == [str(more).lower()]
