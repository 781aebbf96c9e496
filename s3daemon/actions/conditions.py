"""Conditions on writes and deletes: read from the head, asked beforehand, put in the store's words.

Sources: S3 user guide, "How to prevent object overwrites with conditional writes" and "How to
perform conditional deletes"; the pages of PutObject, CopyObject, CompleteMultipartUpload and
DeleteObject.

======================================  ======================  =======================
field                                   writes                  DeleteObject
======================================  ======================  =======================
``If-Match: "etag"`` or ``*``           no object: NoSuchKey    no object: NoSuchKey
``If-None-Match: *``                    yes                     refused
``If-None-Match: "etag"``               yes (S3 refuses it)     refused
``x-amz-if-match-size``                 \\                       no object: deleted
``x-amz-if-match-last-modified-time``   \\                       no object: deleted
``If-Unmodified-Since``                 refused                 refused
======================================  ======================  =======================

What does not hold is PreconditionFailed.  ``If-Match`` and ``If-None-Match`` together are refused,
as S3 does.  If-Modified-Since is for GET and HEAD only (RFC 9110 section 13.1.3) and is ignored.
"""

from __future__ import annotations

import functools
import re

from s3daemon.actions.base import Context
from s3daemon.store.interfaces import (
    ALWAYS,
    BucketInfo,
    Condition,
    NoSuchKey,
    ObjectInfo,
    check_condition,
)
from s3daemon.wire import errors
from s3daemon.wire.dates import parse_http_date, parse_iso8601
from s3daemon.wire.message import S3Request

_MATCH = "if-match"
_NONE_MATCH = "if-none-match"
_SIZE = "x-amz-if-match-size"
_MODIFIED = "x-amz-if-match-last-modified-time"

# One entity-tag (RFC 9110 section 8.8.3), or the bare text that an XML answer gave the client.
_TAG = re.compile(r'(W/)?"([^"]*)"|([^\s,"]+)')
_NUMBER = re.compile("[0-9]{1,19}")


def of_write(request: S3Request) -> Condition:
    """The condition of a request that makes an object.

    :raises errors.NotImplemented: one that S3 does not take.
    """
    found = request.headers
    _refuse(request, "if-unmodified-since")
    match, none_match = found.get(_MATCH), found.get(_NONE_MATCH)
    if match is None and none_match is None:
        return ALWAYS
    if match is not None and none_match is not None:
        raise errors.NotImplemented(
            "If-Match and If-None-Match cannot be given together; send one of them.",
            detail={"Header": "If-Match,If-None-Match"},
        )
    if match is not None:
        return Condition(etag=_wanted(match))
    assert none_match is not None
    if none_match.strip() == "*":
        return Condition(create_only=True)
    return Condition(not_etag=_tag("If-None-Match", none_match)[0])


def of_delete(request: S3Request) -> Condition:
    """The condition of a DELETE.

    :raises errors.NotImplemented: one that S3 does not take.
    :raises errors.InvalidArgument: a size or a time that is none.
    """
    found = request.headers
    for name in (_NONE_MATCH, "if-unmodified-since"):
        _refuse(request, name)
    match, size, modified = found.get(_MATCH), found.get(_SIZE), found.get(_MODIFIED)
    if match is size is modified is None:
        return ALWAYS
    return Condition(
        etag=None if match is None else _wanted(match),
        size=None if size is None else _size(size),
        modified_s=None if modified is None else _modified(modified),
    )


def of_entry(etag: str | None, size: str | None, modified: str | None) -> Condition:
    """The condition of one object in a DeleteObjects document.

    :raises errors.NotImplemented: several ETags.
    :raises errors.InvalidArgument: a size or a time that is none.
    """
    if etag is size is modified is None:
        return ALWAYS
    return Condition(
        etag=None if etag is None else _wanted(etag),
        size=None if size is None else _size(size),
        modified_s=None if modified is None else _modified(modified, document=True),
    )


def allow(context: Context, bucket: BucketInfo, key: str, condition: Condition) -> None:
    """Return if the caller may learn what the condition tells of an object.

    Who may write but not read must not find out ETags and sizes by trying.

    :raises errors.AccessDenied:
    """
    if condition.compares:
        find = functools.partial(current, context, bucket.name, key)
        context.may(context.caller, "GetObject", bucket, key, find)


def check(context: Context, bucket: BucketInfo, key: str, condition: Condition) -> None:
    """Refuse what cannot succeed, before a body is sent or copied; the store decides for good.

    :raises errors.AccessDenied: see :func:`allow`.
    :raises s3daemon.store.interfaces.StorageError: of :func:`check_condition`.
    """
    if condition == ALWAYS:
        return
    allow(context, bucket, key, condition)
    check_condition(condition, current(context, bucket.name, key))


def current(context: Context, bucket: str, key: str) -> ObjectInfo | None:
    """The object that a key has now."""
    try:
        return context.objects.stat(bucket, key)
    except NoSuchKey:
        return None


def _refuse(request: S3Request, name: str) -> None:
    if name in request.headers:
        raise errors.NotImplemented(detail={"Header": name})


def _wanted(value: str) -> str:
    """What If-Match wants: a bare ETag or ``*``."""
    if value.strip() == "*":
        return "*"
    etag, weak = _tag("If-Match", value)
    # The strong comparison of RFC 9110 section 8.8.3.2: a weak tag matches nothing.
    return f"W/{etag}" if weak else etag


def _tag(name: str, value: str) -> tuple[str, bool]:
    """One entity-tag, bare, and whether it is weak."""
    found = _TAG.fullmatch(value.strip())
    if found is None:
        raise errors.NotImplemented(
            f"{name} takes one ETag on a write or a delete.", detail={"Header": name}
        )
    return found[2] or found[3] or "", found[1] is not None


def _size(text: str) -> int:
    if not _NUMBER.fullmatch(text.strip()):
        raise errors.InvalidArgument(
            "The size has to be a number of bytes.",
            detail={"ArgumentName": _SIZE, "ArgumentValue": text},
        )
    return int(text)


def _modified(text: str, document: bool = False) -> int:
    seconds = parse_http_date(text.strip())
    if seconds is None and document:
        # Documents have all other times like this, and some clients write this one so, too.
        seconds = parse_iso8601(text.strip())
    if seconds is None:
        raise errors.InvalidArgument(
            "The time has to be an HTTP date, such as Sun, 06 Nov 1994 08:49:37 GMT.",
            detail={"ArgumentName": _MODIFIED, "ArgumentValue": text},
        )
    return seconds
