"""Tag sets."""

from __future__ import annotations

from urllib.parse import quote, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from s3daemon.wire import tagging
from s3daemon.wire.errors import InvalidArgument, InvalidTag, MalformedXML, S3Error


def document(*tags: tuple[str, str]) -> bytes:
    """The document a client sends; values must be XML text already."""
    body = "".join(f"<Tag><Key>{key}</Key><Value>{value}</Value></Tag>" for key, value in tags)
    return (
        '<Tagging xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
        f"<TagSet>{body}</TagSet></Tagging>"
    ).encode()


@pytest.mark.parametrize(
    ("value", "tags"),
    [
        ("", ()),
        ("&&", ()),
        ("foo=bar&baz", (("foo", "bar"), ("baz", ""))),
        ("foo=bar&baz=", (("foo", "bar"), ("baz", ""))),
        ("a%20b=c%2Bd", (("a b", "c+d"),)),
        ("a+b=c", (("a b", "c"),)),
        ("x=1=2", (("x", "1=2"),)),
        ("%C3%BC=%E4%B8%AD", (("\u00fc", "\u4e2d"),)),
        ("a=1&A=1", (("a", "1"), ("A", "1"))),
    ],
)
def test_header(value: str, tags: tagging.Tags) -> None:
    """URL-encoded, in the order given."""
    assert tagging.parse_header(value) == tags


@pytest.mark.parametrize(
    "value",
    ["k=v&k=w", "k=v&%6B=w", "k=%zz", "k=%", "k=%4", "%=v", "k=%C3", "k=%ED%A0%80", "k=\udcff"],
)
def test_bad_header(value: str) -> None:
    """Duplicates and broken encodings are refused in the words of S3."""
    with pytest.raises(InvalidArgument) as caught:
        tagging.parse_header(value)
    assert caught.value.detail == {"ArgumentName": "x-amz-tagging", "ArgumentValue": value}


def test_document() -> None:
    """Order, blanks and empty values are kept."""
    assert tagging.parse_document(document(("b", "1"), ("a", ""), (" ", " x "))) == (
        ("b", "1"),
        ("a", ""),
        (" ", " x "),
    )
    assert tagging.parse_document(document()) == ()


@pytest.mark.parametrize(
    "text",
    [
        b"<Tagging/>",
        b"<TagSet/>",
        b"<Tagging><TagSet/><TagSet/></Tagging>",
        b"<Tagging><TagSet><Tag><Key>a</Key></Tag></TagSet></Tagging>",
        b"<Tagging><TagSet><Tag><Value>a</Value></Tag></TagSet></Tagging>",
        b"<Tagging><TagSet><Tag><Key>a</Key><Key>b</Key><Value/></Tag></TagSet></Tagging>",
        b"<Tagging><TagSet>",
        b"garbage",
    ],
)
def test_bad_document(text: bytes) -> None:
    """What is not a tagging document."""
    with pytest.raises(MalformedXML):
        tagging.parse_document(text)


@pytest.mark.parametrize(
    "tags",
    [
        [("k", "v")] * 2,
        [(str(n), "") for n in range(11)],
        [("", "v")],
        [("k" * 129, "v")],
        [("\U0001d51e" * 65, "v")],
        [("k", "v" * 257)],
        [("aws:k", "v")],
        [("AWS:k", "v")],
        [("k!", "v")],
        [("k", "a,b")],
        [("k", "a\nb")],
        [("k", "*")],
    ],
)
def test_limits(tags: list[tuple[str, str]]) -> None:
    """Number, lengths in UTF-16 units, characters, reserved names, duplicates: in both forms."""
    with pytest.raises(InvalidTag) as caught:
        tagging.check(tags, tagging.OBJECT_TAGS)
    assert caught.value.status == 400
    with pytest.raises(InvalidTag):
        tagging.parse_document(document(*tags))
    with pytest.raises((InvalidTag, InvalidArgument)):
        tagging.parse_header(urlencode(tags))


@pytest.mark.parametrize(
    "tags",
    [
        tuple((str(n), "") for n in range(10)),
        (("k" * 128, "v" * 256),),
        (("\u00fc" * 128, "\u4e2d" * 256),),
        (("\U0001d51e" * 64, "\U0001d51e" * 128),),
        (("a:b/c=d+e-f_g.h@i j", "+-=._:/@"),),
        (("saws:k", "aws:v"),),
    ],
)
def test_within_limits(tags: tagging.Tags) -> None:
    """The largest and oddest that S3 takes."""
    assert tagging.check(tags, tagging.OBJECT_TAGS) == tags
    assert tagging.parse_header(urlencode(tags)) == tags
    assert tagging.parse_document(document(*tags)) == tags


def test_bucket_limit() -> None:
    """Buckets take 50."""
    tags = [(str(n), "v") for n in range(50)]
    assert len(tagging.parse_document(document(*tags), tagging.BUCKET_TAGS)) == 50
    with pytest.raises(InvalidTag):
        tagging.parse_document(document(*tags, ("x", "")), tagging.BUCKET_TAGS)


def test_render() -> None:
    """Sorted by key; what is rendered can be put again."""
    rendered = tagging.render((("foo", "bar"), ("bar", ""), ("a", "<&>")))
    assert rendered.index(b"<Key>a<") < rendered.index(b"<Key>bar<") < rendered.index(b"<Key>foo<")
    assert b"<&>" not in rendered
    again = tagging.render((("foo", "bar"), ("bar", "")))
    assert tagging.parse_document(again) == (("bar", ""), ("foo", "bar"))
    assert tagging.parse_document(tagging.render(())) == ()


#: Letters, numbers and blanks of several scripts, and the marks that need quoting.
KEYS = st.text(
    "aZ09 \u00fc\u00bd\u4e2d\u0663\u3000\U0001d51e+-=._:/@", min_size=1, max_size=20
).filter(lambda key: not key.lower().startswith("aws:"))


@given(st.dictionaries(KEYS, KEYS, max_size=10))
def test_every_way_is_the_same(tags: dict[str, str]) -> None:
    """Header, document and rendering agree."""
    given_tags = tuple(tags.items())
    header = "&".join(f"{quote(key, safe='')}={quote(value, safe='')}" for key, value in given_tags)
    assert tagging.parse_header(header) == given_tags
    assert dict(tagging.parse_document(tagging.render(given_tags))) == tags


@given(st.text(max_size=60))
def test_garbage_header(value: str) -> None:
    """Any text is a tag set within the limits, or an S3 error."""
    try:
        tags = tagging.parse_header(value)
    except S3Error:
        return
    assert tagging.check(tags, tagging.OBJECT_TAGS) == tags
