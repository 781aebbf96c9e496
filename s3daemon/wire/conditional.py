"""Conditional requests: RFC 9110 section 13, with the codes S3 answers.

The precedence of RFC 9110 section 13.2.2 is the one that the S3 reference spells out for GetObject:
a true If-Match outweighs a false If-Unmodified-Since, a false If-None-Match outweighs a true
If-Modified-Since.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import attrs

from s3daemon.wire.dates import http_date, parse_http_date
from s3daemon.wire.errors import NotModified, PreconditionFailed
from s3daemon.wire.message import S3Request

_SECOND = 1_000_000_000

# entity-tag = [ weak ] opaque-tag (RFC 9110 section 8.8.3).  Clients also send the bare text that
# an XML answer or an older library gave them, so text without quotes is taken as a strong tag.
_TAG = re.compile(r'(W/)?"([^"]*)"|([^\s,"]+)')

#: Header fields that a 304 repeats (RFC 9110 section 15.4.5), by lower-case name.
_NOT_MODIFIED_FIELDS = (("cache-control", "Cache-Control"), ("expires", "Expires"))


@attrs.frozen
class Conditions:
    """The conditions of one request; None where one was not given.

    :ivar prefix: what stands before the names: "" or ``x-amz-copy-source-``.
    :ivar if_match: field value as sent; :ivar if_none_match: likewise.
    :ivar if_modified_since: seconds since the epoch; a date that is none counts as not given.
    :ivar if_unmodified_since: likewise.
    """

    prefix: str = ""
    if_match: str | None = None
    if_none_match: str | None = None
    if_modified_since: int | None = None
    if_unmodified_since: int | None = None

    def check(self, etag: str, modified_ns: int, system: Mapping[str, str] | None = None) -> None:
        """Return if a GET or HEAD may go on.

        :param etag: bare; :param modified_ns: of the object;
        :param system: its system attributes, for what a 304 repeats.
        :raises PreconditionFailed: 412.
        :raises NotModified: 304, with the header fields it has to carry.
        """
        if self._stands(etag, modified_ns):
            return
        fields = {"ETag": f'"{etag}"', "Last-Modified": http_date(modified_ns)}
        if system:
            fields.update(
                (name, system[key]) for key, name in _NOT_MODIFIED_FIELDS if key in system
            )
        raise NotModified(headers=fields)

    def check_source(self, etag: str, modified_ns: int) -> None:
        """Return if a copy may go on: of a copy source every false condition is a 412.

        :raises PreconditionFailed:
        """
        if not self._stands(etag, modified_ns):
            name = "If-None-Match" if self.if_none_match is not None else "If-Modified-Since"
            raise self._failed(name)

    def _stands(self, etag: str, modified_ns: int) -> bool:
        """False where what the client has is still good; 412 is raised."""
        modified = modified_ns // _SECOND
        if self.if_match is not None:
            if not matches(self.if_match, etag, weak=False):
                raise self._failed("If-Match")
        elif self.if_unmodified_since is not None and modified > self.if_unmodified_since:
            raise self._failed("If-Unmodified-Since")
        if self.if_none_match is not None:
            return not matches(self.if_none_match, etag, weak=True)
        return self.if_modified_since is None or modified > self.if_modified_since

    def _failed(self, name: str) -> PreconditionFailed:
        return PreconditionFailed(detail={"Condition": self.prefix + name})


def parse(request: S3Request, prefix: str = "") -> Conditions | None:
    """The conditions under ``prefix`` (lower case), or None when there is none.

    Conditions in HTTP's own fields and, with prefix ``x-amz-copy-source-``, those of a copy source.
    """
    headers = request.headers
    if_match = headers.get(prefix + "if-match")
    if_none_match = headers.get(prefix + "if-none-match")
    modified_since = headers.get(prefix + "if-modified-since")
    unmodified_since = headers.get(prefix + "if-unmodified-since")
    if if_match is if_none_match is modified_since is unmodified_since is None:
        return None
    return Conditions(
        prefix,
        if_match,
        if_none_match,
        None if modified_since is None else parse_http_date(modified_since),
        None if unmodified_since is None else parse_http_date(unmodified_since),
    )


def matches(value: str, etag: str, *, weak: bool) -> bool:
    """Whether a list of entity tags, or ``*``, names this ETag (RFC 9110 section 8.8.3.2).

    Ours are strong, so with the strong comparison a weak tag never matches.
    """
    if value == "*":
        return True
    for mark, quoted, bare in _TAG.findall(value):
        if (quoted or bare) == etag and (weak or not mark):
            return True
    return False


def if_range_holds(value: str, etag: str, modified_ns: int) -> bool:
    """Whether a Range still applies (RFC 9110 section 13.1.5).

    A date must be the exact Last-Modified; a weak tag never holds.
    """
    date = parse_http_date(value)
    if date is not None:
        return date == modified_ns // _SECOND
    return value != "*" and matches(value, etag, weak=False)
