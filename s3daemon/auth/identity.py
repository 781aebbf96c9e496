"""Who is asking."""

from __future__ import annotations

import attrs


@attrs.frozen
class Identity:
    """A caller that a checker has vouched for.

    :ivar id: canonical id: what buckets and objects carry as their owner.
    :ivar name: for people and logs.
    :ivar display_name: what S3 answers show beside the id.
    """

    id: str
    name: str
    display_name: str
