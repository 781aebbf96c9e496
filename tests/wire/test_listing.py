"""The repeated elements of list answers: names, order, escaping."""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote, unquote_plus

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from s3daemon.store.values import Checksum
from s3daemon.wire import listing
from s3daemon.wire.dates import iso8601


@attrs.frozen
class Entry:
    key: str = "k"
    size: int = 5
    modified_ns: int = 1_795_493_562_627_000_000
    etag: str = "0cc175b9c0f1b6a831c399e269772661"
    owner: str | None = None
    number: int = 7
    upload_id: str = "u-1"
    initiated_ns: int = 1_795_493_562_627_000_000
    checksum: Checksum | None = None
    checksum_algorithm: str | None = None
    checksum_type: str | None = None


def owner(canonical_id: str | None) -> str:
    return listing.owner_element(canonical_id or "nobody", "N & Co")


def test_an_object() -> None:
    assert listing.contents([Entry()], listing.text_for(""), None) == (
        "<Contents><Key>k</Key><LastModified>2026-11-24T04:12:42.627Z</LastModified>"
        "<ETag>&quot;0cc175b9c0f1b6a831c399e269772661&quot;</ETag><Size>5</Size>"
        "<StorageClass>STANDARD</StorageClass></Contents>"
    )


def test_an_object_with_its_owner() -> None:
    assert (
        "<Size>5</Size><Owner><ID>me</ID><DisplayName>N &amp; Co</DisplayName></Owner>"
        "<StorageClass>"
    ) in listing.contents([Entry(owner="me")], listing.text_for(""), owner)


def test_a_directory_has_no_etag() -> None:
    entry = Entry(key="dir/", size=0, etag="")
    assert listing.contents([entry], listing.text_for(""), None) == (
        "<Contents><Key>dir/</Key><LastModified>2026-11-24T04:12:42.627Z</LastModified>"
        "<Size>0</Size><StorageClass>STANDARD</StorageClass></Contents>"
    )


def test_an_etag_that_something_else_wrote_cannot_break_out() -> None:
    assert "<ETag>&quot;&lt;x&gt;&quot;</ETag>" in listing.contents(
        [Entry(etag="<x>")], listing.text_for(""), None
    )


@pytest.mark.parametrize("render", [listing.contents, listing.versions])
def test_which_checksum_an_object_has(render: Any) -> None:
    entries = [
        Entry("a", checksum=Checksum("CRC32", "AAAAAA==")),
        Entry("b"),
        Entry("c", checksum=Checksum("CRC32", "AAAAAA==-2", "COMPOSITE")),
        Entry("d", checksum=Checksum("CRC32", "BBBBBB==")),
        Entry("e", checksum=Checksum("<", "AAAAAA==")),
    ]
    found = render(entries, listing.text_for(""), owner)
    full = "<ChecksumAlgorithm>CRC32</ChecksumAlgorithm><ChecksumType>FULL_OBJECT</ChecksumType>"
    each = [
        entry.partition("</ETag>")[2].partition("<Size>")[0] for entry in found.split("<Key>")[1:]
    ]
    assert each == [
        full,
        "",
        full.replace("FULL_OBJECT", "COMPOSITE"),
        full,
        full.replace("CRC32", "&lt;"),
    ]


def test_a_version() -> None:
    assert listing.versions([Entry(key="a&b")], listing.text_for(""), owner) == (
        "<Version><Key>a&amp;b</Key><VersionId>null</VersionId><IsLatest>true</IsLatest>"
        "<LastModified>2026-11-24T04:12:42.627Z</LastModified>"
        "<ETag>&quot;0cc175b9c0f1b6a831c399e269772661&quot;</ETag><Size>5</Size>"
        "<Owner><ID>nobody</ID><DisplayName>N &amp; Co</DisplayName></Owner>"
        "<StorageClass>STANDARD</StorageClass></Version>"
    )


def test_a_part() -> None:
    assert listing.parts([Entry()], None) == (
        "<Part><PartNumber>7</PartNumber><LastModified>2026-11-24T04:12:42.627Z</LastModified>"
        "<ETag>&quot;0cc175b9c0f1b6a831c399e269772661&quot;</ETag><Size>5</Size></Part>"
    )


@pytest.mark.parametrize(
    ("algorithm", "shown"),
    [
        ("CRC32", "<Size>5</Size><ChecksumCRC32>y/Q5Jg==</ChecksumCRC32></Part>"),
        ("SHA1", "<Size>5</Size></Part>"),
        (None, "<Size>5</Size></Part>"),
    ],
)
def test_the_checksum_of_a_part(algorithm: str | None, shown: str) -> None:
    entry = Entry(checksum=Checksum("CRC32", "y/Q5Jg=="))
    assert listing.parts([entry], algorithm).endswith(shown)


@pytest.mark.parametrize(
    ("algorithm", "sums", "shown"),
    [
        (
            "CRC32",
            ("y/Q5Jg==", "AAAAAA=="),
            "<Part><ChecksumCRC32>y/Q5Jg==</ChecksumCRC32><PartNumber>5</PartNumber>"
            "<Size>10</Size></Part><Part><ChecksumCRC32>AAAAAA==</ChecksumCRC32>"
            "<PartNumber>6</PartNumber><Size>3</Size></Part>",
        ),
        (
            "",
            (),
            "<Part><PartNumber>5</PartNumber><Size>10</Size></Part>"
            "<Part><PartNumber>6</PartNumber><Size>3</Size></Part>",
        ),
    ],
)
def test_parts_of_an_object(algorithm: str, sums: tuple[str, ...], shown: str) -> None:
    assert listing.object_parts(4, (10, 3), algorithm, sums) == shown


def test_the_checksum_of_an_upload() -> None:
    entry = Entry(checksum_algorithm="SHA256", checksum_type="COMPOSITE")
    found = listing.uploads([entry], listing.text_for(""), lambda _: "", lambda _: "")
    assert found.endswith(
        "</Initiated><ChecksumAlgorithm>SHA256</ChecksumAlgorithm>"
        "<ChecksumType>COMPOSITE</ChecksumType></Upload>"
    )


def test_an_upload() -> None:
    found = listing.uploads([Entry(key="a&b")], listing.text_for(""), lambda _: "<I/>", owner)
    assert found == (
        "<Upload><Key>a&amp;b</Key><UploadId>u-1</UploadId><I/><Owner><ID>nobody</ID>"
        "<DisplayName>N &amp; Co</DisplayName></Owner><StorageClass>STANDARD</StorageClass>"
        "<Initiated>2026-11-24T04:12:42.627Z</Initiated></Upload>"
    )


def test_prefixes() -> None:
    assert listing.common_prefixes(["a/", "<"], listing.text_for("")) == (
        "<CommonPrefixes><Prefix>a/</Prefix></CommonPrefixes>"
        "<CommonPrefixes><Prefix>&lt;</Prefix></CommonPrefixes>"
    )


def test_an_initiator() -> None:
    assert listing.owner_element("a", "b", "Initiator") == (
        "<Initiator><ID>a</ID><DisplayName>b</DisplayName></Initiator>"
    )


@pytest.mark.parametrize(
    ("key", "encoded"),
    [
        ("foo/bar", "foo/bar"),
        ("asdf+b", "asdf%2Bb"),
        ("quux ab/thud", "quux%20ab/thud"),
        ("test_file(3).png", "test_file%283%29.png"),
        ("\u00fc/\u00fc", "%C3%BC/%C3%BC"),
        ("\x01\n<&", "%01%0A%3C%26"),
        ("a%b", "a%25b"),
    ],
)
def test_url_encoding(key: str, encoded: str) -> None:
    assert listing.url_encoded(key) == encoded


@given(st.text())
def test_every_decoder_gets_the_key_back(key: str) -> None:
    """Those of paths, and those of queries, which take ``+`` for a blank."""
    encoded = listing.text_for("url")(key)
    assert unquote(encoded) == unquote_plus(encoded) == key
    assert etree.fromstring(f"<k>{encoded}</k>").text == (encoded or None)


@given(st.lists(st.integers(-(10**18), 5 * 10**18), max_size=5))
def test_times_are_those_of_dates(times_ns: list[int]) -> None:
    time = listing.times()
    assert [time(time_ns) for time_ns in times_ns] == [iso8601(time_ns) for time_ns in times_ns]


_LEGAL = st.characters(min_codepoint=32, max_codepoint=0xD7FF)


@given(st.text(alphabet=_LEGAL))
def test_text_comes_back(key: str) -> None:
    found = etree.fromstring(listing.contents([Entry(key=key)], listing.text_for(""), None))
    assert found.findtext("Key") == key
