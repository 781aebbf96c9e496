"""What the list actions have in common: reading their parameters, and naming owners."""

from __future__ import annotations

import re
from collections.abc import Mapping

from s3daemon.actions.base import Context
from s3daemon.wire import errors
from s3daemon.wire.listing import owner_element
from s3daemon.wire.message import S3Request

#: The most entries of one page, whatever is asked for.
MAX_ENTRIES = 1000

_NUMBER = re.compile("[0-9]{1,10}")
_LARGEST = 2**31 - 1


def encoding_type(request: S3Request) -> str:
    """``url`` or "".

    :raises errors.InvalidArgument: S3 knows no other.
    """
    value = request.query.get("encoding-type", "")
    if value not in ("", "url"):
        raise _refused("Invalid Encoding Method specified in Request", "encoding-type", value)
    return value


def number(
    request: S3Request,
    name: str,
    default: int,
    lowest: int = 0,
    highest: int = _LARGEST,
    among: Mapping[str, str] | None = None,
) -> int:
    """A whole number among the query parameters; ``default`` where it is missing or empty.

    :param among: where to look instead: the header fields.
    :raises errors.InvalidArgument: it is none, or out of bounds.
    """
    value = (request.query if among is None else among).get(name, "")
    if not value:
        return default
    if not _NUMBER.fullmatch(value.removeprefix("-")):
        raise _refused(f"Provided {name} not an integer or within integer range", name, value)
    if not lowest <= int(value) <= highest:
        raise _refused(
            f"Argument {name} must be an integer between {lowest} and {highest}", name, value
        )
    return int(value)


def page_size(request: S3Request, name: str) -> int:
    """How many entries are wanted; S3 answers with 1,000 at most and says so.

    :raises errors.InvalidArgument: it is no number, or negative.
    """
    return min(number(request, name, MAX_ENTRIES), MAX_ENTRIES)


class OwnerElements:
    """Renders the owners of the entries of one page, each of them once.

    :param fallback: canonical id for entries without an owner, which no S3 client made; they are
        shown as the bucket owner's.  Without it they have no owner element.
    :param element: ``Owner`` or ``Initiator``.
    """

    def __init__(self, context: Context, fallback: str | None, element: str = "Owner") -> None:
        self._display_name = context.display_name
        self._fallback = fallback
        self._element = element
        self._known: dict[str | None, str] = {}

    def __call__(self, owner: str | None) -> str:
        """The element of one owner, "" where there is none."""
        found = self._known.get(owner)
        if found is None:
            canonical_id = owner or self._fallback
            found = self._known[owner] = (
                owner_element(canonical_id, self._display_name(canonical_id), self._element)
                if canonical_id
                else ""
            )
        return found


def _refused(message: str, name: str, value: str) -> errors.InvalidArgument:
    return errors.InvalidArgument(message, detail={"ArgumentName": name, "ArgumentValue": value})
