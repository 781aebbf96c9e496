"""Names on disk: reversible, of one kind each, and never shared by two keys."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from s3daemon.store.interfaces import BadKey, KeyTooLong
from s3daemon.store.posix import names
from s3daemon.store.posix.names import Decoded

NASTY = (
    b"",
    b".",
    b"..",
    b".s3gate",
    b"_s3_multipart_tmp",
    b".s3gate%f+a",
    b".s3gate%",
    b"x" * 256,
)
PLAIN = (
    b"a",
    b"...",
    b".s3gatex",
    b".s3gate-",
    b" ",
    b"\n",
    b"%",
    "ä".encode(),
    b"x" * 255,
)

segment_bytes = st.one_of(
    st.sampled_from(NASTY + PLAIN),
    st.text(max_size=30).map(lambda text: text.replace("/", "").replace("\0", "").encode()),
    st.integers(240, 300).map(lambda size: b"s" * size),
)


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("a", (b"a",)),
        ("a/b", (b"a", b"b")),
        ("a//b", (b"a", b"", b"b")),
        ("/x", (b"", b"x")),
        ("/", (b"", b"")),
        ("dir/", (b"dir", b"")),
        ("../ä", (b"..", "ä".encode())),
        ("k" * 1024, (b"k" * 1024,)),
        ("ä" * 512, ("ä".encode() * 512,)),
    ],
)
def test_segments(key: str, expected: tuple[bytes, ...]) -> None:
    assert names.segments(key) == expected


@pytest.mark.parametrize("key", ["", "a\0b", "\0", "a/\ud800"])
def test_no_key(key: str) -> None:
    with pytest.raises(BadKey):
        names.segments(key)


@pytest.mark.parametrize("key", ["k" * 1025, "ä" * 513, "a/" * 513])
def test_too_long(key: str) -> None:
    with pytest.raises(KeyTooLong):
        names.segments(key)


@pytest.mark.parametrize("segment", PLAIN)
def test_natural(segment: bytes) -> None:
    assert names.is_natural(segment)
    assert names.decode(segment) == Decoded(segment, "natural")


@pytest.mark.parametrize("segment", NASTY)
def test_not_natural(segment: bytes) -> None:
    assert not names.is_natural(segment)


def test_the_format() -> None:
    """These are on disks of users: a change here is a new version of the format."""
    digest = hashlib.sha256(b"x" * 246).hexdigest().encode()
    assert names.file_name(b"a") == b".s3gate%f+a"
    assert names.dir_name(b"") == b".s3gate%d+"
    assert names.file_name(b"x" * 245) == b".s3gate%f+" + b"x" * 245
    assert names.file_name(b"x" * 246) == b".s3gate%F+" + digest
    assert names.dir_name(b"x" * 246) == b".s3gate%D+" + digest
    assert frozenset((b"_s3_multipart_tmp", b".s3gate")) == names.RESERVED


@pytest.mark.parametrize(
    "name",
    [
        b".s3gate",
        b"_s3_multipart_tmp",
        b".s3gate%",
        b".s3gate%x+a",
        b".s3gate%f-a",
        b".s3gate%F+a",
        b".s3gate%F+" + b"0" * 63,
        b".s3gate%D+" + b"A" * 64,
        b".s3gate%F+" + b"0" * 64 + b"\n",
        b"\xff",
        b".s3gate%f+\xff",
        "\ud800".encode("utf-8", "surrogatepass"),
    ],
)
def test_names_that_are_no_segment(name: bytes) -> None:
    assert names.decode(name) is None


@given(segment_bytes)
def test_escapes_can_be_read_back(segment: bytes) -> None:
    for name, kind in ((names.file_name(segment), "file"), (names.dir_name(segment), "dir")):
        assert len(name) <= 255
        assert b"/" not in name
        assert not names.is_natural(name)
        decoded = names.decode(name)
        assert decoded is not None
        assert decoded.kind == kind
        assert decoded.segment == (None if names.needs_record(segment) else segment)
        assert names.is_name_of(name, segment)


@given(segment_bytes, segment_bytes)
def test_two_segments_never_share_a_name(first: bytes, second: bytes) -> None:
    def forms(segment: bytes) -> set[bytes]:
        found = {names.file_name(segment), names.dir_name(segment)}
        return found | {segment} if names.is_natural(segment) else found

    assert len(forms(first)) == 2 + names.is_natural(first)
    if first != second:
        assert not forms(first) & forms(second)
        assert not any(names.is_name_of(name, second) for name in forms(first))
