"""Tag sets: the header form, the document form, and their limits.

Sources: S3 user guide, "Categorizing your objects using tags"; S3 API reference, PutObjectTagging,
PutBucketTagging, PutObject (``x-amz-tagging``).  A tag set is a tuple of (key, value).
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from urllib.parse import unquote_to_bytes

from s3daemon.wire import xmlio
from s3daemon.wire.errors import InvalidArgument, InvalidTag, MalformedXML

Tags = tuple[tuple[str, str], ...]

#: Most tags of an object, and of a bucket.
OBJECT_TAGS = 10
BUCKET_TAGS = 50

_KEY_UNITS = 128
_VALUE_UNITS = 256
#: Allowed besides letters, numbers and blanks of any script.
_MARKS = frozenset("+-=._:/@")
_HEADER = "x-amz-tagging"


def parse_header(value: str) -> Tags:
    """The tags of an ``x-amz-tagging`` field: URL-encoded, ``key=value`` joined by ``&``.

    A key without ``=`` has the empty value.

    :raises InvalidArgument: not URL-encoded UTF-8, or a key twice.
    :raises InvalidTag: a limit is broken.
    """
    tags = []
    for pair in value.split("&"):
        if pair:
            key, _, text = pair.partition("=")
            tags.append((_decode(key, value), _decode(text, value)))
    if len({key for key, _ in tags}) != len(tags):
        raise _bad_header(value)
    return check(tags, OBJECT_TAGS)


def parse_document(document: bytes, limit: int = OBJECT_TAGS) -> Tags:
    """The tags of a ``Tagging`` document.

    :raises MalformedXML: another document, or a tag without its Key or Value.
    :raises InvalidTag: a limit is broken, or a key stands there twice.
    """
    sets = xmlio.children(xmlio.parse(document, "Tagging"), "TagSet")
    if len(sets) != 1:
        raise MalformedXML("Tagging needs one element TagSet.")
    tags = (
        (xmlio.child_text(tag, "Key"), xmlio.child_text(tag, "Value"))
        for tag in xmlio.children(sets[0], "Tag")
    )
    return check(tags, limit)


def check(tags: Iterable[tuple[str, str]], limit: int) -> Tags:
    """Hold a tag set to the limits of S3.

    :raises InvalidTag: more than ``limit`` tags, a key twice, a key of other than 1 to 128 or a
        value of more than 256 UTF-16 units, characters that are not allowed, a key of the
        ``aws:`` kind, which is the provider's.
    """
    checked = tuple(tags)
    if len(checked) > limit:
        raise InvalidTag(f"A tag set cannot have more than {limit} tags")
    seen = set()
    for key, value in checked:
        if not 1 <= _units(key) <= _KEY_UNITS or not _allowed(key):
            raise InvalidTag("The TagKey you have provided is invalid", detail={"TagKey": key})
        if key.lower().startswith("aws:"):
            raise InvalidTag(
                "System tags cannot be added or updated by the requester", detail={"TagKey": key}
            )
        if _units(value) > _VALUE_UNITS or not _allowed(value):
            raise InvalidTag("The TagValue you have provided is invalid", detail={"TagKey": key})
        if key in seen:
            raise InvalidTag(
                "Cannot provide multiple Tags with the same key", detail={"TagKey": key}
            )
        seen.add(key)
    return checked


def render(tags: Iterable[tuple[str, str]]) -> bytes:
    """The ``Tagging`` document of a tag set, sorted by key as S3 sends it."""
    return xmlio.document(
        "Tagging",
        xmlio.group(
            "TagSet",
            *(
                xmlio.group("Tag", xmlio.element("Key", key), xmlio.element("Value", value))
                for key, value in sorted(tags)
            ),
        ),
    )


def _units(text: str) -> int:
    """Length in UTF-16 code units, in which S3 counts."""
    return len(text) + sum(character > "\uffff" for character in text)


def _allowed(text: str) -> bool:
    if text.isascii() and text.isalnum():
        return True
    return all(
        character in _MARKS or unicodedata.category(character)[0] in "LNZ" for character in text
    )


def _decode(text: str, whole: str) -> str:
    raw = text.replace("+", " ")
    if "%" in raw:
        for escape in raw.split("%")[1:]:
            if len(escape) < 2 or not all(c in "0123456789abcdefABCDEF" for c in escape[:2]):
                raise _bad_header(whole)
    try:
        return unquote_to_bytes(raw).decode("utf-8")
    except UnicodeError:  # bytes that are no UTF-8, escaped or as they are
        raise _bad_header(whole) from None


def _bad_header(value: str) -> InvalidArgument:
    return InvalidArgument(
        "The header 'x-amz-tagging' shall be encoded as UTF-8 then URLEncoded URL query "
        "parameters without tag name duplicates.",
        detail={"ArgumentName": _HEADER, "ArgumentValue": value},
    )
