"""Access control lists on the wire: the header fields, and the document in both directions.

Sources: S3 user guide, "Access control list (ACL) overview"; S3 API reference, PutObjectAcl,
PutBucketAcl, GetObjectAcl.
"""

from __future__ import annotations

import re
from collections.abc import Callable

import attrs

from s3daemon.wire import errors, xmlio
from s3daemon.wire.acl_errors import MalformedACLError
from s3daemon.wire.errors import InvalidArgument, InvalidRequest, MalformedXML
from s3daemon.wire.grants import (
    ALL_USERS,
    AUTHENTICATED_USERS,
    EMAIL,
    FULL_CONTROL,
    GROUP,
    LOG_DELIVERY,
    PERMISSIONS,
    READ,
    READ_ACP,
    USER,
    WRITE,
    WRITE_ACP,
    Grant,
    Grants,
)
from s3daemon.wire.listing import owner_element
from s3daemon.wire.message import S3Request
from s3daemon.wire.xmlio import Element, element, group

#: The most grants of one list.
MAX_GRANTS = 100

CANNED_HEADER = "x-amz-acl"
#: Field -> what it grants, in the order in which they become lines of the list.
_GRANT_HEADERS = {
    "x-amz-grant-read": READ,
    "x-amz-grant-write": WRITE,
    "x-amz-grant-read-acp": READ_ACP,
    "x-amz-grant-write-acp": WRITE_ACP,
    "x-amz-grant-full-control": FULL_CONTROL,
}
_URIS = {
    "http://acs.amazonaws.com/groups/global/AllUsers": ALL_USERS,
    "http://acs.amazonaws.com/groups/global/AuthenticatedUsers": AUTHENTICATED_USERS,
    "http://acs.amazonaws.com/groups/s3/LogDelivery": LOG_DELIVERY,
}
_URI_OF = {name: uri for uri, name in _URIS.items()}

#: Canned ACL -> what it gives to groups; the owner has FULL_CONTROL besides.
_TO_GROUPS: dict[str, tuple[tuple[str, str], ...]] = {
    "private": (),
    "public-read": ((ALL_USERS, READ),),
    "public-read-write": ((ALL_USERS, READ), (ALL_USERS, WRITE)),
    "authenticated-read": ((AUTHENTICATED_USERS, READ),),
    "log-delivery-write": ((LOG_DELIVERY, WRITE), (LOG_DELIVERY, READ_ACP)),
}
#: Canned ACL -> what it gives to the owner of the bucket that the object is in.
_TO_BUCKET_OWNER = {"bucket-owner-read": READ, "bucket-owner-full-control": FULL_CONTROL}
#: Gives something to an account that there is only at Amazon.
_THEIRS = "aws-exec-read"

_XSI = "http://www.w3.org/2001/XMLSchema-instance"
_TYPE = "{" + _XSI + "}type"
#: Kind of grantee -> xsi:type, and the element that says who it is.
_TYPES = {
    USER: ("CanonicalUser", "ID"),
    GROUP: ("Group", "URI"),
    EMAIL: ("AmazonCustomerByEmail", "EmailAddress"),
}
_KIND_OF = {name: (kind, child) for kind, (name, child) in _TYPES.items()}

# One entry of a grant field: id="..." or id=..., with what separates it from the next.
_ENTRY = re.compile(r'\s*([A-Za-z]+)\s*=\s*(?:"([^"]*)"|([^",\s]+))\s*(?:,|$)')
_ENTRY_KINDS = {"id": USER, "uri": GROUP, "emailaddress": EMAIL}


@attrs.frozen
class Given:
    """What the header of a request says about a list.

    :ivar canned: name of a canned ACL, "" for none.
    :ivar grants: single grants, as they were given: nobody has looked the grantees up.
    """

    canned: str = ""
    grants: Grants = ()

    def __bool__(self) -> bool:
        """Whether it says anything."""
        return bool(self.canned or self.grants)


def from_headers(request: S3Request) -> Given:
    """What ``x-amz-acl`` and ``x-amz-grant-*`` say.

    :raises InvalidArgument: no canned ACL, or no grant, of S3's.
    :raises InvalidRequest: both.
    :raises NotImplemented: a canned ACL that makes sense at Amazon only.
    """
    headers = request.headers
    canned = headers.get(CANNED_HEADER, "")
    if canned == _THEIRS:
        raise errors.NotImplemented(
            f"The canned ACL {_THEIRS} is for Amazon EC2 and is not implemented.",
            detail={"Header": CANNED_HEADER},
        )
    if canned and canned not in _TO_GROUPS and canned not in _TO_BUCKET_OWNER:
        raise _invalid(CANNED_HEADER, canned, "There is no canned ACL of this name.")
    grants: list[Grant] = []
    for name, permission in _GRANT_HEADERS.items():
        if name in headers:
            grants.extend(_entries(name, headers[name], permission))
    if canned and grants:
        raise InvalidRequest("Specifying both Canned ACLs and Header Grants is not allowed")
    if len(grants) > MAX_GRANTS:
        raise InvalidRequest(f"An ACL cannot have more than {MAX_GRANTS} grants.")
    return Given(canned, tuple(grants))


def expand(canned: str, owner: str, bucket_owner: str | None, of_bucket: bool) -> Grants | None:
    """The list that a canned ACL stands for; None for the owner's alone.

    :param bucket_owner: of the bucket that the object is in; None for none.
    :param of_bucket: the list of a bucket, where what is about its owner says nothing, as in S3.
    :raises InvalidArgument: it is for buckets only.
    """
    if canned == "log-delivery-write" and not of_bucket:
        raise _invalid(CANNED_HEADER, canned, "This canned ACL is for buckets only.")
    to_groups = tuple(Grant(GROUP, *line) for line in _TO_GROUPS.get(canned, ()))
    to_bucket_owner: Grants = ()
    if canned in _TO_BUCKET_OWNER and not of_bucket and bucket_owner not in (None, owner):
        assert bucket_owner is not None
        to_bucket_owner = (Grant(USER, bucket_owner, _TO_BUCKET_OWNER[canned]),)
    if not to_groups and not to_bucket_owner:
        return None
    return *to_groups, Grant(USER, owner, FULL_CONTROL), *to_bucket_owner


def parse(document: bytes) -> tuple[str, Grants]:
    """The owner that an ``AccessControlPolicy`` names, and its grants as they were given.

    :raises MissingRequestBodyError: there is no document.
    :raises MalformedACLError: it is another, names no owner, or has more than 100 grants.
    :raises InvalidArgument: a group that S3 does not know.
    """
    try:
        root = xmlio.parse(document, "AccessControlPolicy")
        owner = xmlio.child_text(_only(root, "Owner"), "ID").strip()
        lines = xmlio.children(_only(root, "AccessControlList"), "Grant")
        if len(lines) > MAX_GRANTS:
            raise MalformedACLError(f"An ACL cannot have more than {MAX_GRANTS} grants.")
        return owner, tuple(map(_grant, lines))
    except MalformedXML as error:
        raise MalformedACLError(str(error)) from error


def render(owner: str | None, grants: Grants, display_name: Callable[[str], str]) -> bytes:
    """An ``AccessControlPolicy``; without an owner both of its elements are empty.

    Groups come first, as in the lists of canned ACLs, whatever the order they were given in.
    """
    if owner is None:
        return xmlio.document("AccessControlPolicy", group("Owner"), group("AccessControlList"))
    lines = [
        group(
            "Grant",
            f'<Grantee xmlns:xsi="{_XSI}" xsi:type="{_TYPES[grant.kind][0]}">'
            f"{_who(grant, display_name)}</Grantee>",
            element("Permission", grant.permission),
        )
        for kind in (GROUP, USER)
        for grant in grants
        if grant.kind == kind
    ]
    return xmlio.document(
        "AccessControlPolicy",
        owner_element(owner, display_name(owner)),
        group("AccessControlList", *lines),
    )


def _who(grant: Grant, display_name: Callable[[str], str]) -> str:
    if grant.kind == GROUP:
        return element("URI", _URI_OF.get(grant.grantee, grant.grantee))
    name = display_name(grant.grantee)
    return element("ID", grant.grantee) + element("DisplayName", name)


def _grant(line: Element) -> Grant:
    permission = xmlio.child_text(line, "Permission").strip()
    grantee = _only(line, "Grantee")
    known = _KIND_OF.get(str(grantee.get(_TYPE, "")))
    if permission not in PERMISSIONS or known is None:
        raise MalformedACLError
    kind, child = known
    who = xmlio.child_text(grantee, child).strip()
    return Grant(kind, _group(who, "Group/URI") if kind == GROUP else who, permission)


def _only(parent: Element, name: str) -> Element:
    found = xmlio.children(parent, name)
    if len(found) != 1:
        raise MalformedACLError(f"{xmlio.local(parent)} needs one element {name}.")
    return found[0]


def _entries(name: str, value: str, permission: str) -> list[Grant]:
    """The grants of one field: ``id="...", uri="...", emailAddress="..."``."""
    found, at = [], 0
    while at < len(value):
        entry = _ENTRY.match(value, at)
        kind = _ENTRY_KINDS.get(entry[1].lower()) if entry else None
        if entry is None or kind is None:
            raise _invalid(name, value, "Argument format not recognized")
        at = entry.end()
        who = entry[2] if entry[3] is None else entry[3]
        found.append(Grant(kind, _group(who, name) if kind == GROUP else who, permission))
    return found


def _group(uri: str, argument: str) -> str:
    name = _URIS.get(uri)
    if name is None:
        raise _invalid(argument, uri, "Invalid group uri")
    return name


def _invalid(name: str, value: str, message: str) -> InvalidArgument:
    return InvalidArgument(message, detail={"ArgumentName": name, "ArgumentValue": value})
