"""The decision function, as those see it who ask."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from s3daemon.auth.identity import Identity
from s3daemon.store.interfaces import Attributes, BucketInfo


class Owned(Protocol):
    """What has an owner and a list of its own: an object, or an upload under way."""

    @property
    def owner(self) -> str | None: ...
    @property
    def attributes(self) -> Attributes: ...


#: Finds what a request is about; None where it is not there.
Find = Callable[[], Owned | None]


class May(Protocol):
    """Returns when the caller may do something: see :meth:`s3daemon.auth.policy.Policy.may`."""

    def __call__(
        self,
        caller: Identity,
        operation: str,
        bucket: BucketInfo,
        key: str = "",
        find: Find | None = None,
        /,
    ) -> None:
        """:raises s3daemon.wire.errors.AccessDenied:"""
