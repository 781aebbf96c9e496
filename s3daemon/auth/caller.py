"""What comes out of the door: who it is, and what their signature says about the body."""

from __future__ import annotations

import attrs
from zope.interface import Attribute, Interface, implementer

from s3daemon.auth.identity import Identity
from s3daemon.wire.message import UNVERIFIED, Payload


class ICaller(Interface):
    """A caller whom a checker has let in: the avatar of ``twisted.cred``."""

    identity: Identity = Attribute("Identity: who it is.")
    payload: Payload = Attribute("Payload: what is known about the body of the request.")


@implementer(ICaller)
@attrs.frozen
class Caller:
    """See :class:`ICaller`."""

    identity: Identity
    payload: Payload = UNVERIFIED
