"""Who is asking."""

from __future__ import annotations

import attrs
from zope.interface import Attribute, Interface, implementer


class IIdentity(Interface):
    """A caller that a checker has vouched for: the avatar of ``twisted.cred``."""

    id: str = Attribute("str: canonical id: what buckets and objects carry as their owner.")
    name: str = Attribute("str: for people and logs.")
    display_name: str = Attribute("str: what S3 answers show beside the id.")


@implementer(IIdentity)
@attrs.frozen
class Identity:
    """A caller that a checker has vouched for.

    :ivar id: canonical id: what buckets and objects carry as their owner; "" for
        :data:`NOBODY` only.
    :ivar name: for people and logs.
    :ivar display_name: what S3 answers show beside the id.
    :ivar email: by which a grant may name them; "" for none.
    :ivar uid: POSIX user id, None where there is none; :ivar gid: their group;
        :ivar groups: their further groups.
    :ivar read_only: they may read, and nothing else.
    :ivar scopes: ``bucket`` or ``bucket/prefix``: they reach nothing else; empty for no bound.
    """

    id: str
    name: str
    display_name: str
    email: str = ""
    uid: int | None = None
    gid: int | None = None
    groups: tuple[int, ...] = ()
    read_only: bool = False
    scopes: tuple[str, ...] = ()


#: Who sends a request that carries no credentials.
NOBODY = Identity("", "anonymous", "anonymous")
