"""What the names in an upload's directory say."""

from __future__ import annotations

import base64
import random

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from s3daemon.store.interfaces import Checksum, PartInfo
from s3daemon.store.posix.upload_names import (
    Part,
    again_name,
    claim_name,
    is_upload_id,
    path_of,
    read_names,
    write_checksum,
)

MD5 = "0123456789abcdef" * 2
HEX = b"f" * 32

parts = st.builds(
    Part,
    number=st.integers(1, 10_000),
    time_ns=st.integers(0, 10**19),
    size=st.integers(0, 10**14),
    etag=st.text("0123456789abcdef", min_size=32, max_size=32),
    where=st.integers(1, 10**14).map(lambda size: b"s%d" % size)
    | st.text("0123456789abcdef", min_size=32, max_size=32).map(lambda text: b"o" + text.encode()),
    checksum=st.just(b"")
    | st.builds(
        lambda name, digest: write_checksum(Checksum(name, base64.b64encode(digest).decode())),
        st.sampled_from(["CRC32", "CRC64NVME", "SHA256", "XXHASH128"]),
        st.binary(min_size=1, max_size=32),
    ),
)


@given(parts)
def test_a_record_is_read_as_it_was_written(part: Part) -> None:
    scan = read_names([part.name])
    assert scan.all == (part,)
    assert scan.parts == {part.number: part}
    assert len(part.name) <= 255


#: Two records of one part, of one moment, in one place.
TWINS = [Part(1, 5, size, MD5, b"s7") for size in (1, 2)]


@example(TWINS, random.Random(1))
@example(TWINS, random.Random(2))
@example(TWINS, random.Random(3))
@given(st.lists(parts), st.randoms())
def test_the_order_of_the_names_means_nothing(found: list[Part], chance: random.Random) -> None:
    names = [part.name for part in found]
    one = read_names(names)
    chance.shuffle(names)
    other = read_names(names)
    assert one.parts == other.parts
    for number, part in one.parts.items():
        assert part.time_ns == max(other.time_ns for other in found if other.number == number)


@given(st.lists(st.binary(max_size=80)))
def test_any_names_are_understood_or_left_alone(names: list[bytes]) -> None:
    read_names(names)


@pytest.mark.parametrize(
    ("where", "stride", "file", "offset"),
    [(b"s7", 7, b"data.7", 14), (b"o" + HEX, None, b"own." + HEX, 0)],
)
def test_where_a_part_is(where: bytes, stride: int | None, file: bytes, offset: int) -> None:
    part = Part(3, 5, 6, MD5, where)
    assert (part.stride, part.file, part.offset) == (stride, file, offset)
    assert part.name == b"part.00003.5.6." + MD5.encode() + b"." + where


@pytest.mark.parametrize(
    ("checksum", "written"),
    [
        (None, b""),
        (Checksum("CRC32", "y/Q5Jg=="), b"crc32-cbf43926"),
        (Checksum("CRC64NVME", "rosUhgp5mIg="), b"crc64nvme-ae8b14860a799888"),
        (Checksum("SHA512", base64.b64encode(b"\xff" * 64).decode()), b"sha512-" + b"ff" * 64),
    ],
)
def test_checksum(checksum: Checksum | None, written: bytes) -> None:
    part = Part(10_000, 10**18, 5 * 1024**3, MD5, b"o" + HEX, write_checksum(checksum))
    assert part.checksum == written
    assert len(part.name) <= 255
    assert read_names([part.name]).parts[10_000] == part
    assert part.info == PartInfo(10_000, 5 * 1024**3, MD5, 10**18, checksum)


@pytest.mark.parametrize(
    "name",
    [
        b"part.00003.5.6." + MD5.encode() + b".s7.crc32",
        b"part.00003.5.6." + MD5.encode() + b".s7.crc32-",
        b"part.00003.5.6." + MD5.encode() + b".s7.crc32-abc",
        b"part.00003.5.6." + MD5.encode() + b".s7.CRC32-abcd",
        b"part.00003.5.6." + MD5.encode() + b".s7.-abcd",
        b"part.3.5.6." + MD5.encode() + b".s7",
        b"part.00003.5.6." + MD5.encode() + b".x7",
        b"part.00003.5.6." + MD5.encode() + b".s7.",
        b"part.00003.5.6." + MD5.encode() + b".s7\n",
        b"part.00003.5.6." + MD5.upper().encode() + b".s7",
        b"part.00003.-5.6." + MD5.encode() + b".s7",
        b"part.00003.5.6." + MD5.encode() + b".o12",
        b"xpart.00003.5.6." + MD5.encode() + b".s7",
        b"claim.3",
        b"claim.00003x",
        b"data.",
        b"data.-1",
        b"data.7x",
    ],
)
def test_what_is_not_ours(name: bytes) -> None:
    scan = read_names([name])
    assert not scan.all
    assert not scan.claims
    assert not scan.strides
    assert not scan.published


def test_claims_strides_and_marks() -> None:
    scan = read_names(
        [claim_name(1), claim_name(10_000), again_name(2), b"data.7", b"data.100", b"upload.json"]
    )
    assert scan.claims == {1, 10_000}
    assert scan.strides == {7, 100}
    assert not scan.published


@pytest.mark.parametrize(
    ("names", "published"),
    [
        ([], False),
        ([b"sealed"], False),
        ([b"whole"], False),
        ([b"whole", b"publishing"], False),
        ([b"publishing"], True),
        ([Part(1, 5, 6, MD5, b"s7").name], True),
        ([Part(1, 5, 6, MD5, b"s7").name, b"data.8"], True),
        ([Part(1, 5, 6, MD5, b"s7").name, b"data.7"], False),
        ([Part(1, 5, 6, MD5, b"o" + HEX).name], False),
    ],
)
def test_what_is_missing_was_published(names: list[bytes], published: bool) -> None:
    assert read_names(names).published is published


def test_the_latest_record_counts() -> None:
    old, new = Part(1, 5, 6, MD5, b"s7"), Part(1, 6, 6, MD5, b"o" + HEX)
    other = Part(2, 1, 6, MD5, b"s7")
    for names in ([old, new, other], [new, other, old]):
        scan = read_names([part.name for part in names])
        assert scan.parts == {1: new, 2: other}
        assert set(scan.of(1)) == {old, new}


@pytest.mark.parametrize(
    ("text", "is_one"),
    [
        ("0123456789abcdef" * 2, True),
        ("0" * 31, False),
        ("0" * 33, False),
        ("0" * 32 + "\n", False),
        ("A" * 32, False),
        ("\u0660" * 32, False),
        ("../" + "0" * 29, False),
        (".gone-" + "0" * 26, False),
        ("", False),
    ],
)
def test_upload_ids(text: str, is_one: bool) -> None:
    assert is_upload_id(text) is is_one


def test_path() -> None:
    assert path_of("0" * 32) == b"_s3_multipart_tmp/" + b"0" * 32
