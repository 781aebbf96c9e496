"""The source of a copy."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from s3daemon.actions import copy_source
from s3daemon.actions.copy_source import CopySource
from s3daemon.store.memory_objects import MemoryReader
from s3daemon.wire.errors import InvalidArgument, PreconditionFailed, S3Error
from s3daemon.wire.message import Personality, S3Request


def head(source: str, **fields: str) -> S3Request:
    """A copy request; ``_`` stands for ``-``."""
    headers = {k.replace("_", "-"): v for k, v in fields.items()}
    return S3Request("PUT", "b", "k", headers={"x-amz-copy-source": source, **headers})


@pytest.mark.parametrize(
    ("value", "bucket", "key"),
    [
        ("b/k", "b", "k"),
        ("/b/k", "b", "k"),
        ("b/a/k/", "b", "a/k/"),
        ("b//k", "b", "/k"),
        ("/b//k", "b", "/k"),
        ("b/../x", "b", "../x"),
        ("b%2Fa%2Fk", "b", "a/k"),
        ("%2Fb%2Fk", "b", "k"),
        ("b/%25", "b", "%"),
        ("b/a%2525", "b", "a%25"),
        ("b/a+b", "b", "a+b"),
        ("b/a%2Bb%20c", "b", "a+b c"),
        ("b/ ", "b", " "),
        ("b/%3FversionId", "b", "?versionId"),
        ("b/%3FversionId%3Dx", "b", "?versionId=x"),
        ("b/a?b", "b", "a?b"),
        ("b/k?versionId=null", "b", "k"),
        ("b/%C3%BC", "b", "\u00fc"),
        ("b/\u00fc", "b", "\u00fc"),
        ("x:y/k", "x:y", "k"),
    ],
)
def test_parse(value: str, bucket: str, key: str) -> None:
    """Every spelling that clients use."""
    assert copy_source.parse(head(value)) == CopySource(bucket, key)


@pytest.mark.parametrize(
    "value",
    ["", "/", "b", "/b", "b/", "//k", "b/%", "b/%4", "b/%zz", "b/%FF", "b/%ED%A0%80", "b/\udcff"],
)
def test_malformed(value: str) -> None:
    """No bucket, no key, or broken escapes."""
    with pytest.raises(InvalidArgument) as caught:
        copy_source.parse(head(value))
    assert caught.value.detail == {"ArgumentName": "x-amz-copy-source", "ArgumentValue": value}


def test_other_versions() -> None:
    """There are none."""
    with pytest.raises(S3Error) as caught:
        copy_source.parse(head("b/k?versionId=abc"))
    assert caught.value.code == "NotImplemented"


@given(st.text(min_size=1, max_size=20).filter(lambda key: key.isprintable()))
def test_quoted_keys_come_back(key: str) -> None:
    """What the SDKs quote is read back."""
    assert copy_source.parse(head("b/" + quote(key, safe="/~"))).key == key


def test_everything_is_read() -> None:
    """Conditions, owner, personality."""
    request = attrs.evolve(
        head("b/k", x_amz_copy_source_if_match="x", x_amz_source_expected_bucket_owner="me"),
        personality=Personality.ALLUXIO,
    )
    source = copy_source.parse(request)
    assert source.conditions is not None
    assert source.conditions.if_match == "x"
    assert source.expected_owner == "me"
    assert source.folders


def test_open(world: Any) -> None:
    """The source, with the permission to read it."""
    world.put("k", b"abc")
    reader = copy_source.open_source(world.context("CopyObject"), CopySource("b", "k"))
    assert reader.read(0, 10) == b"abc"
    assert world.asked == [("alice", "GetObject", "b", "k")]


@pytest.mark.parametrize(
    ("source", "code", "detail"),
    [
        (CopySource("none", "k"), "NoSuchBucket", {"BucketName": "none"}),
        (CopySource("b", "none"), "NoSuchKey", {"Key": "none"}),
        (CopySource("b", "secret"), "AccessDenied", {}),
        (CopySource("b", "k", expected_owner="bob-id"), "AccessDenied", {}),
        (CopySource("b", "dir/"), "NoSuchKey", {"Key": "dir/"}),
        (CopySource("b", "k" * 1025), "KeyTooLongError", {}),
    ],
)
def test_errors_name_the_source(
    world: Any, source: CopySource, code: str, detail: dict[str, str]
) -> None:
    """They must not look as if the target were missing."""
    world.put("k")
    world.put("dir/below")
    with pytest.raises(S3Error) as caught:
        copy_source.open_source(world.context("CopyObject"), source)
    assert (caught.value.code, caught.value.detail) == (code, detail)
    if code.startswith("NoSuch"):
        assert caught.value.resource == source.resource


def test_folder_source(world: Any) -> None:
    """With the alluxio personality a directory is an empty object."""
    world.put("dir/below")
    context = world.context("CopyObject")
    reader = copy_source.open_source(context, CopySource("b", "dir/", folders=True))
    assert reader.info.size == 0


def test_expected_owner(world: Any) -> None:
    """The right one passes."""
    world.put("k")
    source = CopySource("b", "k", expected_owner="alice-id")
    copy_source.open_source(world.context("CopyObject"), source).close()


def test_condition_closes_the_reader(world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """No descriptor is left behind."""
    world.put("k")
    closed = []
    monkeypatch.setattr(MemoryReader, "close", lambda reader: closed.append(reader.info.key))
    source = copy_source.parse(head("b/k", x_amz_copy_source_if_match='"other"'))
    with pytest.raises(PreconditionFailed):
        copy_source.open_source(world.context("CopyObject"), source)
    assert closed == ["k"]
