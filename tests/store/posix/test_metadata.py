"""Records: what is written is read, and what is not ours does no harm."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from s3daemon.store.interfaces import Attributes, Checksum
from s3daemon.store.posix import metadata, packing
from s3daemon.store.posix.metadata import BucketRecord, Record
from s3daemon.wire.grants import Grant

numbers = st.integers(min_value=0, max_value=2**64)
texts = st.text(max_size=8)
names = st.dictionaries(texts, texts, max_size=3)
tags = st.lists(st.tuples(texts, texts), max_size=3).map(tuple)
maybe_text = st.none() | texts

acls = st.none() | st.lists(st.builds(Grant, texts, texts, texts), max_size=3).map(tuple)

records = st.builds(
    Record,
    etag=maybe_text,
    stamp=st.none() | st.tuples(numbers, numbers, numbers),
    parts=st.lists(st.tuples(numbers, st.integers(1, 9)), max_size=3).map(tuple),
    upload_id=maybe_text,
    checksums=st.dictionaries(texts, texts, max_size=2),
    system=names,
    metadata=names,
    tags=tags,
    owner=maybe_text,
    name=maybe_text,
    implicit=st.booleans(),
    put_ns=st.none() | numbers,
    bucket=st.none()
    | st.builds(BucketRecord, maybe_text, numbers, st.none() | tags, acls, maybe_text),
    spill=maybe_text,
    extra=st.dictionaries(st.just("later"), numbers | texts, max_size=1),
    part_checksums=maybe_text,
    acl=acls,
)


@given(records)
def test_what_is_dumped_is_parsed(record: Record) -> None:
    assert packing.parse(packing.dump(record)) == record


def test_on_disk_it_is_short() -> None:
    record = Record(etag="e", stamp=(1, 2, 3), system={"content-type": "text/ä"}, owner="o")
    assert packing.dump(record) == (
        '{"v":1,"etag":"e","stamp":[1,2,3],"sys":{"content-type":"text/ä"},"owner":"o"}'.encode()
    )
    assert packing.dump(metadata.EMPTY) == b'{"v":1}'


@given(st.binary(max_size=40))
def test_bytes_that_are_no_record(raw: bytes) -> None:
    assert packing.parse(raw) == Record(damaged=True)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)
FIELDS = [field for field in sorted(packing._KNOWN) if field != "v"]


@given(st.dictionaries(st.sampled_from(FIELDS), json_values, max_size=4))
def test_fields_of_other_types(fields: dict[str, Any]) -> None:
    """Whatever a record holds, the object is served with it or without it."""
    record = packing.parse(json.dumps({"v": 1, **fields}).encode())
    st_ = os.stat(__file__)
    info = metadata.object_info("k", st_, record)
    assert info.size == st_.st_size
    assert all(type(value) is str for value in info.attributes.system.values())
    assert all(type(value) is str for value in info.attributes.metadata.values())
    metadata.folder_info("k/", st_, record)


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{",
        b"[]",
        b"1",
        b"{}",
        b'{"v":2}',
        b'{"v":1}x',
        b"\xff",
        b"[" * 100_000,
        b'{"v":1,"sys":{"a":1}}',
        b'{"v":1,"meta":[]}',
        b'{"v":1,"tags":[["a",1]]}',
        b'{"v":1,"tags":[["a"]]}',
        b'{"v":1,"stamp":[1]}',
        b'{"v":1,"etag":1}',
        b'{"v":1,"parts":[[5,99999999999]]}',
        b'{"v":1,"parts":[[1,-99999999999],[1,99999999999]]}',
        b'{"v":1,"parts":[[-1,2]]}',
        b'{"v":1,"parts":[[1e999,2]]}',
        b'{"v":1,"object":[1e999]}',
        b'{"v":1,"object":true}',
        b'{"v":1,"bucket":{}}',
        b'{"v":1,"checksums":{"CRC32":1}}',
        b'{"v":1,"partsums":["a"]}',
    ],
)
def test_damaged(raw: bytes) -> None:
    assert packing.parse(raw).damaged


def test_fields_of_a_later_version_are_kept() -> None:
    raw = b'{"v":1,"etag":"e","later":{"x":[1]}}'
    record = packing.parse(raw)
    again = json.loads(packing.dump(attrs.evolve(record, tags=(("a", "b"),))))
    assert again == {"v": 1, "etag": "e", "later": {"x": [1]}, "tags": [["a", "b"]]}


@pytest.mark.parametrize(
    ("sizes", "runs"),
    [
        ((), ()),
        ((5,), ((5, 1),)),
        ((5, 5, 5, 2), ((5, 3), (2, 1))),
        ((1, 2, 1), ((1, 1), (2, 1), (1, 1))),
        ((8,) * 10_000, ((8, 10_000),)),
    ],
)
def test_run_lengths(sizes: tuple[int, ...], runs: tuple[tuple[int, int], ...]) -> None:
    assert metadata.run_lengths(sizes) == runs
    assert metadata.part_sizes(runs) == sizes


def test_checksums_on_disk() -> None:
    st_ = os.stat(__file__)
    sums = ("AAAAAA==", "y/Q5Jg==")
    checksum = Checksum("CRC32", "7kxlUA==-2", "COMPOSITE")
    record = metadata.object_record(
        st_, "e", Attributes(), None, (4, 4), checksum=checksum, part_checksums=sums
    )
    written = json.loads(packing.dump(record))
    assert written["checksums"] == {"CRC32": "7kxlUA==-2"}
    assert written["partsums"] == "AAAAAA==y/Q5Jg=="
    info = metadata.object_info("k", st_, packing.parse(packing.dump(record)))
    assert (info.checksum, info.part_checksums) == (checksum, sums)


@pytest.mark.parametrize(
    ("checksums", "parts", "partsums", "kept"),
    [
        ({"CRC32": "7kxlUA=="}, [[4, 2]], "AAAAAA==y/Q5Jg==", ("AAAAAA==", "y/Q5Jg==")),
        ({"CRC32": "7kxlUA=="}, [[4, 3]], "AAAAAA==y/Q5Jg==", ()),
        ({"CRC32": "7kxlUA=="}, [], "AAAAAA==", ()),
        ({}, [[4, 2]], "AAAAAA==y/Q5Jg==", ()),
        ({"LATER": "7kxlUA=="}, [[4, 2]], "AAAAAA==y/Q5Jg==", ()),
        ({"CRC32": "7kxlUA=="}, [[4, 2]], "AAAAAA==y/Q5J\n==", ()),
    ],
)
def test_part_checksums_that_cannot_be(
    checksums: dict[str, str], parts: list[list[int]], partsums: str, kept: tuple[str, ...]
) -> None:
    st_ = os.stat(__file__)
    fields = {
        "v": 1,
        "etag": "e",
        "stamp": metadata.stamp(st_),
        "checksums": checksums,
        "parts": parts,
        "partsums": partsums,
    }
    info = metadata.object_info("k", st_, packing.parse(json.dumps(fields).encode()))
    assert info.part_checksums == kept


@pytest.mark.parametrize(
    ("checksums", "found"),
    [
        ({}, None),
        ({"CRC32": "y/Q5Jg=="}, Checksum("CRC32", "y/Q5Jg==")),
        ({"LATER": "x", "CRC32": "y/Q5Jg=="}, Checksum("CRC32", "y/Q5Jg==")),
        ({"LATER": "y/Q5Jg=="}, None),
        ({"CRC32": "y/Q5Jg==\r\nX: y"}, None),
        ({"CRC32": "y/Q5Jg==\n"}, None),
        ({"CRC32": ""}, None),
        ({"CRC32": "y/Q5Jg==-x"}, None),
        ({"CRC32": "y/Q5Jg==-10000"}, Checksum("CRC32", "y/Q5Jg==-10000", "COMPOSITE")),
    ],
)
def test_checksums_that_others_wrote(checksums: dict[str, str], found: Checksum | None) -> None:
    st_ = os.stat(__file__)
    fields = {"v": 1, "etag": "e", "stamp": metadata.stamp(st_), "checksums": checksums}
    info = metadata.object_info("k", st_, packing.parse(json.dumps(fields).encode()))
    assert info.checksum == found


def test_the_truth_wins(tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_bytes(b"data")
    st_ = os.stat(path)
    attributes = Attributes({"content-type": "x"}, {"m": "1"}, (("t", "1"),))
    record = metadata.object_record(
        st_,
        "e" * 32,
        attributes,
        "alice",
        (2, 2),
        "upload",
        checksum=Checksum("CRC32", "y/Q5Jg=="),
        part_checksums=("AAAAAA==", "7kxlUA=="),
    )
    info = metadata.object_info("k", st_, record)
    assert info.checksum == Checksum("CRC32", "y/Q5Jg==")
    assert info.part_checksums == ("AAAAAA==", "7kxlUA==")
    assert (info.etag, info.part_sizes, info.upload_id) == ("e" * 32, (2, 2), "upload")

    seen = {info.etag}
    for change in (
        lambda: path.write_bytes(b"other"),
        lambda: os.utime(path, ns=(5, 5)),
        lambda: os.utime(path, ns=(5, 6)),
        lambda: os.rename(_copy(path), path),
    ):
        change()
        info = metadata.object_info("k", os.stat(path), record)
        assert "-" in info.etag
        assert info.etag not in seen
        seen.add(info.etag)
        assert (info.part_sizes, info.upload_id) == ((), None)
        assert (info.checksum, info.part_checksums) == (None, ())
        assert (info.attributes, info.owner) == (attributes, "alice")
        assert (info.size, info.modified_ns) == (path.stat().st_size, path.stat().st_mtime_ns)


def _copy(path: Path) -> Path:
    """The same content and time in another inode."""
    other = path.with_name("other")
    other.write_bytes(path.read_bytes())
    os.utime(other, ns=(5, 6))
    return other
