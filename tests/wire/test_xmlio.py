"""XML: what the reader refuses, and that what is written can be read."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from s3daemon.wire import xmlio
from s3daemon.wire.errors import MalformedXML, MissingRequestBodyError

NS = 'xmlns="http://s3.amazonaws.com/doc/2006-03-01/"'
BOMB = (
    b'<!DOCTYPE D [<!ENTITY a "aaaaaaaaaa">'
    b'<!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">]><Delete>&b;</Delete>'
)

_NO_CHAR = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
#: Text that XML 1.0 section 2.2 can hold.
legal_text = st.text().map(lambda text: _NO_CHAR.sub("", text))


@pytest.mark.parametrize("body", [b"", b" ", b"\r\n\t "])
def test_no_document(body):
    with pytest.raises(MissingRequestBodyError):
        xmlio.parse(body, "Delete")


@pytest.mark.parametrize(
    "body",
    [
        b"<Delete>",
        b"<Delete/>x",
        b"<Delete/><Delete/>",
        b"Delete",
        b"\0",
        b"<Delete>\xff</Delete>",
        b"<Delete>&nbsp;</Delete>",
        b"<Delete a='1' a='2'/>",
        b"<Delete>\x01</Delete>",
        b"<Delete>&#0;</Delete>",
        b"<a:Delete/>",
        b"<Tagging/>",
        b"<delete/>",
        b'<Delete xmlns="urn:other"/>',
        b"<Delete>" + b"<a>" * 300 + b"</a>" * 300 + b"</Delete>",
        BOMB,
        b'<!DOCTYPE Delete SYSTEM "file:///etc/passwd"><Delete/>',
        b'<!DOCTYPE Delete [<!ENTITY x SYSTEM "file:///etc/passwd">]><Delete>&x;</Delete>',
        b'<!DOCTYPE Delete [<!ATTLIST Delete a CDATA "v">]><Delete/>',
        b"<?xml version='1.0'?><!-- c -->\n<!DOCTYPE\tDelete><Delete/>",
        b"<!DOCTYPE\n\nDelete [] ><Delete/>",
        '<?xml version="1.0"?><Delete/>'.encode("utf-16"),
        '<?xml version="1.0" encoding="utf-16"?><Delete/>'.encode("utf-16-le"),
        '<?xml version="1.0"?><Delete/>'.encode("utf-32"),
        b'<?xml version="1.0" encoding="utf-7"?>+ADwAIQ-DOCTYPE D+AD4-+ADw-Delete/+AD4-',
        b'<?xml version="1.0" encoding="ISO-8859-1"?><Delete>\xe9</Delete>',
        b"\xef\xbb\xbf<?xml version='1.0' encoding='cp037'?><Delete/>",
    ],
)
def test_refused(body):
    with pytest.raises(MalformedXML):
        xmlio.parse(body, "Delete")


ATTRIBUTES = b" ".join(b'a%d="v"' % number for number in range(xmlio.MAX_ATTRIBUTES))


@pytest.mark.parametrize(
    "document",
    [
        b"<D " + ATTRIBUTES + b" x=''/>",
        b"<D " + ATTRIBUTES.replace(b'="', b' =\n "') + b" x\t=\r\n''/>",
        b"<D>" + b"".join(b"<a x='>' y=\"'\" z='\"'/>" for _ in range(200)) + b"</D>",
        b"<D><!-- <D ' --><![CDATA[ <a ]]><?p <b ?>" + b"<a b='c'/>" * 501 + b"</D>",
        b"<D>" + b"<a/>" * xmlio.MAX_TAGS + b"</D>",
        b"<D " + b" ".join(b'xmlns:a%d="v"' % number for number in range(501)) + b"/>",
    ],
)
def test_more_markup_than_s3_has_use_for(document):
    with pytest.raises(MalformedXML, match="more than S3 has use for"):
        xmlio.parse(document, "D")


@pytest.mark.parametrize(
    "document",
    [
        b"<D " + ATTRIBUTES + b"/>",
        b"<D><K>" + b"a=\"b\" c='d' " * 5000 + b"</K></D>",
        b"<D><![CDATA[<a b='c'/>" + b"<a b='c'/>" * 5000 + b"]]></D>",
        b"<D><!--<a b='c'/>" + b"<a b='c'/>" * 5000 + b"--></D>",
        b"<D>" + b"<Key>dt=&quot;x&quot;</Key><V>=''</V>" * 5000 + b"</D>",
        b"<D>" + b"<Part><N>1</N><E>&quot;x&quot;</E><A/><B/></Part>" * 10_000 + b"</D>",
    ],
)
def test_as_much_as_s3_has_use_for(document):
    assert xmlio.local(xmlio.parse(document, "D")) == "D"


@pytest.mark.parametrize(
    "opening", [b"<!--", b"<![CDATA[", b"<?", b"<a b='", b"<a b='' c=\"", b"<a "]
)
def test_counting_takes_time_by_the_length_only(opening):
    """What never ends must not be searched for its end again and again."""
    document = b"<D " + ATTRIBUTES[:-6] + b">" + b"=''" * 600 + opening * 100_000
    with pytest.raises(MalformedXML):
        xmlio.parse(document, "D")


def test_names_and_nesting_are_bounded():
    for document in (b"<D><" + b"a" * 60_000 + b"/></D>", b"<D " + b"a" * 60_000 + b"=''/>"):
        with pytest.raises(MalformedXML):
            xmlio.parse(document, "D")
    deep = b"<a>" * 200 + b"</a>" * 200
    assert len(xmlio.parse(b"<D>" + deep + b"</D>", "D")) == 1


@pytest.mark.parametrize("coding", ["utf-16", "utf-16-be", "utf-32", "iso-8859-1", "cp037"])
def test_a_refusal_of_another_coding_says_so(coding):
    body = f'<?xml version="1.0" encoding="{coding}"?><Delete/>'
    for written_in in ("utf-8", "utf-16", "utf-32"):
        with pytest.raises(MalformedXML, match="UTF-8"):
            xmlio.parse(body.encode(written_in), "Delete")


@pytest.mark.parametrize(
    "body",
    [
        "<Delete><Key>a</Key></Delete>",
        f"<Delete {NS}><Key>a</Key></Delete>",
        f"<Delete><Key {NS}>a</Key></Delete>",
        f"<s3:Delete {NS.replace('xmlns', 'xmlns:s3')}><s3:Key>a</s3:Key></s3:Delete>",
        f'<?xml version="1.0" encoding="UTF-8"?>\n<Delete {NS}>\n  <Key>a</Key>\n</Delete>\n',
        '<?xml version="1.0" encoding="utf-8" standalone="yes"?><Delete><Key>a</Key></Delete>',
        "\ufeff<Delete><Key>a</Key></Delete>",
        "<Delete><!-- b --><?pi x?><Key><![CDATA[a]]></Key></Delete>",
        "<Delete><Key>&#97;</Key><Other/></Delete>",
    ],
)
def test_accepted(body):
    root = xmlio.parse(body.encode(), "Delete")
    assert xmlio.local(root) == "Delete"
    assert xmlio.child_text(root, "Key") == "a"


def test_a_comment_or_cdata_does_not_cut_text():
    root = xmlio.parse(b"<D><Key>a<!-- x -->b<?p q?>c<![CDATA[<d>]]>e</Key></D>", "D")
    assert xmlio.child_text(root, "Key") == "abc<d>e"


def test_children_are_in_order_and_of_our_namespace_only():
    root = xmlio.parse(
        f'<D {NS}><K>1</K><x:K xmlns:x="urn:x">2</x:K><L/><K xmlns="">3</K><K/></D>'.encode(), "D"
    )
    assert [child.text for child in xmlio.children(root, "K")] == ["1", "3", None]


def test_child_text():
    root = xmlio.parse(b"<D><E/><K> a </K><T>1</T><T>2</T><M>a<b/>c</M></D>", "D")
    assert xmlio.child_text(root, "K") == " a "
    assert xmlio.child_text(root, "E") == ""
    assert xmlio.child_text(root, "Absent", "d") == "d"
    for name in ("Absent", "T", "M"):
        with pytest.raises(MalformedXML):
            xmlio.child_text(root, name)


@pytest.mark.parametrize(
    ("text", "value"), [("5", 5), (" 5\n", 5), ("+5", 5), ("-5", -5), ("007", 7)]
)
def test_integer(text, value):
    assert xmlio.integer(xmlio.parse(f"<D><N>{text}</N></D>".encode(), "D"), "N") == value


@pytest.mark.parametrize(
    "text", ["", "x", "1.0", "1e3", "0x1", "1 2", "--1", "1_000", "\u0661", "1" * 19]
)
def test_no_integer(text):
    with pytest.raises(MalformedXML):
        xmlio.integer(xmlio.parse(f"<D><N>{text}</N></D>".encode(), "D"), "N")


def test_integer_that_is_absent():
    root = xmlio.parse(b"<D/>", "D")
    assert xmlio.integer(root, "N", 3) == 3
    with pytest.raises(MalformedXML):
        xmlio.integer(root, "N")


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        ("plain/key é \u2028\x85", "plain/key é \u2028\x85"),
        ("a&b<c>d", "a&amp;b&lt;c&gt;d"),
        ('"x"', "&quot;x&quot;"),
        ("'\t\n", "'\t\n"),
        ("\r", "&#13;"),
        ("\x00\x01\x0b\x1f", "&#x0;&#x1;&#xb;&#x1f;"),
        ("\ufffe\uffff\udc80", "&#xfffe;&#xffff;&#xdc80;"),
    ],
)
def test_escape(text, escaped):
    assert xmlio.escape(text) == escaped
    assert xmlio.element("K", text) == f"<K>{escaped}</K>"


@pytest.mark.parametrize(
    ("value", "xml"),
    [
        ("", "<N></N>"),
        (None, ""),
        (0, "<N>0</N>"),
        (-12, "<N>-12</N>"),
        (True, "<N>true</N>"),
        (False, "<N>false</N>"),
    ],
)
def test_element(value, xml):
    assert xmlio.element("N", value) == xml


def test_document():
    part = xmlio.group("Owner", xmlio.element("ID", "é"), xmlio.element("N", None))
    assert (
        xmlio.document("R", part, xmlio.element("M", 1))
        == (
            f'<?xml version="1.0" encoding="UTF-8"?>\n<R {NS}><Owner><ID>é</ID></Owner><M>1</M></R>'
        ).encode()
    )


@given(legal_text, legal_text)
def test_what_is_written_reads_back(first, second):
    body = xmlio.document(
        "R", xmlio.element("A", first), xmlio.group("G", xmlio.element("B", second))
    )
    root = xmlio.parse(body, "R")
    assert xmlio.child_text(root, "A") == first
    assert xmlio.child_text(xmlio.children(root, "G")[0], "B") == second


@given(st.text())
def test_any_text_can_be_written(text):
    xmlio.document("R", xmlio.element("A", text))


@given(st.binary(max_size=60), st.sampled_from([b"", b"<D>", b"<D><K>", b"<!DOCTYPE "]))
def test_garbage_is_read_or_refused(noise, start):
    try:
        assert isinstance(xmlio.parse(start + noise, "D"), etree._Element)
    except (MalformedXML, MissingRequestBodyError):
        pass
