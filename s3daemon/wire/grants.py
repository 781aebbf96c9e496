"""Grants: who may do what, besides the owner; as values.

Source: S3 user guide, "Access control list (ACL) overview".
"""

from __future__ import annotations

from collections.abc import Iterable

import attrs

#: What a grant can permit, as the API spells it, weakest first.
READ = "READ"
WRITE = "WRITE"
READ_ACP = "READ_ACP"
WRITE_ACP = "WRITE_ACP"
FULL_CONTROL = "FULL_CONTROL"
PERMISSIONS = (READ, WRITE, READ_ACP, WRITE_ACP, FULL_CONTROL)

#: What a grantee can be: a canonical id, the name of a group, or an e-mail address, which stands
#: for an id and is never stored.
USER, GROUP, EMAIL = "user", "group", "email"

#: The groups of S3 by their name: everybody, everybody with an account, the writer of access logs.
ALL_USERS = "AllUsers"
AUTHENTICATED_USERS = "AuthenticatedUsers"
LOG_DELIVERY = "LogDelivery"


@attrs.frozen
class Grant:
    """One line of an access control list.

    :ivar kind: what ``grantee`` is: :data:`USER`, :data:`GROUP` or :data:`EMAIL`.
    :ivar permission: one of :data:`PERMISSIONS`.
    """

    kind: str
    grantee: str
    permission: str


#: An access control list, in the order in which it was given.
Grants = tuple[Grant, ...]


def private(owner: str) -> Grants:
    """The list of what nobody put a list on: everything for its owner."""
    return (Grant(USER, owner, FULL_CONTROL),)


def permits(grants: Iterable[Grant], canonical_id: str, permission: str) -> bool:
    """Whether a list lets somebody do something.

    Everybody belongs to AllUsers, whoever has been authenticated to AuthenticatedUsers, and nobody
    to LogDelivery.

    :param canonical_id: "" for somebody who has not been authenticated.
    """
    groups = (ALL_USERS, AUTHENTICATED_USERS) if canonical_id else (ALL_USERS,)
    return any(
        grant.permission in (permission, FULL_CONTROL)
        and (grant.grantee == canonical_id != "" if grant.kind == USER else grant.grantee in groups)
        for grant in grants
        if grant.kind in (USER, GROUP)
    )
