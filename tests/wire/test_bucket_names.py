"""Bucket names: S3's rules, the lax rule, and what this gateway keeps for itself."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from s3daemon.wire import bucket_names, errors


@pytest.mark.parametrize(
    "name",
    [
        "abc",
        "a-b",
        "a--b",
        "a.b.c",
        "0foo",
        "aaa.111",
        "a" * 63,
        "1.2.3",
        "1.2.3.4.5",
        "192.168.5.a",
        "apis",
        "my-api",
    ],
)
def test_good_for_s3(name: str) -> None:
    bucket_names.check(name, strict=True)
    bucket_names.check(name, strict=False)


@pytest.mark.parametrize(
    "name",
    [
        "a",
        "aa",
        "a" * 64,
        "Abc",
        "foo_bar",
        "foo-",
        "-foo",
        "foo.",
        "foo..bar",
        "foo.-bar",
        "foo-.bar",
        "192.168.5.123",
        "xn--foo",
        "sthree-foo",
        "amzn-s3-demo-foo",
        "foo-s3alias",
        "foo--ol-s3",
        "foo.mrap",
        "foo--x-s3",
        "foo--table-s3",
        "f\u00fc\u00fc",
        "foo bar",
        "\u0663\u0663\u0663",
    ],
)
def test_bad_for_s3_only(name: str) -> None:
    with pytest.raises(errors.InvalidBucketName) as caught:
        bucket_names.check(name, strict=True)
    assert caught.value.detail == {"BucketName": name}
    bucket_names.check(name, strict=False)


@pytest.mark.parametrize("strict", [True, False])
@pytest.mark.parametrize(
    "name",
    [
        "",
        ".",
        "..",
        ".s3gate",
        ".hidden",
        "_s3_multipart_tmp",
        "api",
        "healthz",
        "readyz",
        "a/b",
        "a\nb",
        "a\x00b",
        "a\x7fb",
        ":",
        "a:",
        ":a",
        "a::b",
        "a:..",
        "a:.s3gate",
        "abc:_s3_multipart_tmp",
        "api:b",
        "\u00fc" * 128,
    ],
)
def test_never_a_bucket(name: str, strict: bool) -> None:
    with pytest.raises(errors.InvalidBucketName):
        bucket_names.check(name, strict=strict)


@pytest.mark.parametrize("strict", [True, False])
@pytest.mark.parametrize("name", ["a:b", "abc:Some Directory", "abc:def:ghi", "abc:api"])
def test_nested_buckets_are_directories(name: str, strict: bool) -> None:
    bucket_names.check(name, strict=strict)


def test_the_message_names_the_rule() -> None:
    with pytest.raises(errors.InvalidBucketName, match="api is reserved"):
        bucket_names.check("api", strict=True)


_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?")


@given(st.text(alphabet="ab1.-", max_size=8))
def test_strict_names_are_dns_labels(name: str) -> None:
    """The one regular expression agrees with the rule read label by label."""
    allowed = 3 <= len(name) <= 63 and all(_LABEL.fullmatch(part) for part in name.split("."))
    try:
        bucket_names.check(name, strict=True)
    except errors.InvalidBucketName:
        assert not allowed or re.fullmatch(r"\d+(\.\d+){3}", name)
    else:
        assert allowed
