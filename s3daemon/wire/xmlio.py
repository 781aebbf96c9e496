"""XML of requests read by a hardened parser, XML of answers written as escaped text.

Sources: S3 API reference (namespace ``http://s3.amazonaws.com/doc/2006-03-01/``); XML 1.0 fifth
edition, section 2.2 (which characters a document can hold).

S3 needs no document type, so none is let near the parser: with it go entities, their expansion
and every outside reference.  Answers are concatenated, not built as trees: a listing of 1,000 keys
is 7,000 small elements, and a tree of them costs several times the text.
"""

from __future__ import annotations

import re
from itertools import islice

from lxml import etree

from s3daemon.wire.errors import MalformedXML, MissingRequestBodyError

NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/"

#: An element of a parsed document.
Element = etree._Element

_QUALIFIED = "{" + NAMESPACE + "}"
_DECLARED_ENCODING = re.compile(
    rb"""\s*<\?xml[^>]{0,200}?\sencoding\s*=\s*["']([A-Za-z0-9._-]{1,40})["']"""
)
_ENCODINGS = frozenset({b"utf-8", b"us-ascii"})
_INTEGER = re.compile(r"[+-]?[0-9]{1,18}")

#: Markup that one document may hold.  The largest that S3 knows has 10,000 parts, of at most five
#: elements, and each opens and closes.
MAX_TAGS = 250_000
#: Attributes that one document may hold, namespaces among them.  An ACL has two for a grant, and
#: 100 grants.  libxml2 before 2.12 takes time by the square of their number: a request of 4 MiB
#: would keep a thread for minutes.
MAX_ATTRIBUTES = 500

_LIKE_ATTRIBUTE = re.compile(rb"=[ \t\r\n]*[\"']")
# Where a document is well-formed this finds every tag, since "<" stands in nothing but markup.
_MARKUP = re.compile(
    rb"<!--.*?(?:-->|\Z)|<!\[CDATA\[.*?(?:\]\]>|\Z)|<\?.*?(?:\?>|\Z)"
    rb"|<([^<>!?\"']++(?:(?:\"[^\"<]*+\"|'[^'<]*+')[^<>\"']*+)*)",
    re.DOTALL,
)

# What must not stand in text as it is: markup, CR (a parser would make it LF), and all that is not
# a Char of XML 1.0 section 2.2.
_SPECIAL = re.compile('[&<>"\r\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]')
_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "\r": "&#13;"}


# ---------------------------------------------------------------- reading


def parse(document: bytes, root: str) -> Element:
    """The root element of a request's document.

    :param root: the local name it must have; its namespace is S3's or none.

    UTF-8 only; no document type, so no entities but the five of XML; nothing is fetched.  Nesting
    is bounded by libxml2 (256), as are names (50,000 bytes); tags and attributes are here, and the
    size by whoever collected the bytes.  Comments and processing instructions are dropped.

    :raises MissingRequestBodyError: there is no document at all.
    :raises MalformedXML: it is not well-formed, or not what was asked for.
    """
    if not document or document.isspace():
        raise MissingRequestBodyError
    # In any coding that is read below, a document type begins with exactly these bytes; in UTF-16
    # and UTF-32 every letter of markup brings a NUL.
    if b"<!DOCTYPE" in document:
        raise MalformedXML("A document type declaration is not allowed in a request.")
    declared = _DECLARED_ENCODING.match(document.removeprefix(b"\xef\xbb\xbf"))
    if b"\0" in document or (declared and declared[1].lower() not in _ENCODINGS):
        raise MalformedXML("The document of a request has to be in UTF-8.")
    if document.count(b"<") > MAX_TAGS or _has_many_attributes(document):
        raise MalformedXML("The document of your request holds more than S3 has use for.")
    # A parser for each document: one that threads share would serialise them.
    parser = etree.XMLParser(
        encoding="utf-8",
        resolve_entities=False,
        load_dtd=False,
        no_network=True,
        huge_tree=False,
        collect_ids=False,
        remove_comments=True,
        remove_pis=True,
    )
    try:
        element = etree.fromstring(document, parser)
    except etree.XMLSyntaxError:
        raise MalformedXML from None
    if element.tag != root and element.tag != _QUALIFIED + root:
        raise MalformedXML(f"The root of this document has to be {root}.")
    return element


def _has_many_attributes(document: bytes) -> bool:
    """Whether there are more than :data:`MAX_ATTRIBUTES`."""
    if next(islice(_LIKE_ATTRIBUTE.finditer(document), MAX_ATTRIBUTES, None), None) is None:
        return False
    # Text may look like that too: keys hold anything.
    found = 0
    for markup in _MARKUP.finditer(document):
        if markup[1] is not None:
            found += len(_LIKE_ATTRIBUTE.findall(markup[1]))
            if found > MAX_ATTRIBUTES:
                return True
    return False


def local(element: Element) -> str:
    """The name of an element without its namespace."""
    return str(element.tag).rpartition("}")[2]


def children(element: Element, name: str) -> list[Element]:
    """The children of that name, in S3's namespace or in none, in their order."""
    return list(element.iterchildren(name, _QUALIFIED + name))


def child_text(element: Element, name: str, default: str | None = None) -> str:
    """The text of the one child of that name, exactly as it stands ("" when it is empty).

    :param default: for when there is no such child; None if there has to be one.
    :raises MalformedXML: there is none and has to be, there are several, or it holds elements.
    """
    found = children(element, name)
    if not found:
        if default is None:
            raise MalformedXML(f"{local(element)} needs an element {name}.")
        return default
    if len(found) > 1 or len(found[0]):
        raise MalformedXML(f"{name} may stand in {local(element)} once, and holds only text.")
    return found[0].text or ""


def integer(element: Element, name: str, default: int | None = None) -> int:
    """The whole number in the one child of that name; blanks around it are ignored.

    :param default: for when there is no such child; None if there has to be one.
    :raises MalformedXML: as :func:`child_text`, or it is no whole number of up to 18 digits.
    """
    text = child_text(element, name, None if default is None else str(default)).strip()
    if not _INTEGER.fullmatch(text):
        raise MalformedXML(f"{name} has to be a whole number.")
    return int(text)


# ---------------------------------------------------------------- writing


def escape(text: str) -> str:
    """Text as it may stand between two tags.

    Characters that XML 1.0 cannot hold become numeric references, as S3 sends them: such an answer
    is not well-formed, and clients that expect odd keys ask for ``encoding-type=url``.
    """
    if _SPECIAL.search(text) is None:
        return text
    return _SPECIAL.sub(_reference, text)


def _reference(found: re.Match[str]) -> str:
    character = found[0]
    return _ENTITIES.get(character) or f"&#x{ord(character):x};"


def element(name: str, value: str | int | bool | None) -> str:
    """``<name>value</name>``, escaped; "" for None; ``true`` and ``false`` for a bool."""
    if value is None:
        return ""
    if isinstance(value, str):
        return f"<{name}>{escape(value)}</{name}>"
    if isinstance(value, bool):
        return f"<{name}>true</{name}>" if value else f"<{name}>false</{name}>"
    return f"<{name}>{value}</{name}>"


def group(name: str, *parts: str) -> str:
    """An element around others; ``parts`` are XML already."""
    return f"<{name}>{''.join(parts)}</{name}>"


def document(root: str, *parts: str) -> bytes:
    """A whole answer in S3's namespace, in UTF-8; ``parts`` are XML already."""
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<{root} xmlns="{NAMESPACE}">'
        f"{''.join(parts)}</{root}>"
    ).encode()
