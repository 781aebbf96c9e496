"""The users a gateway knows: access keys and canonical ids to identities."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import attrs

from s3daemon.auth.identity import Identity


@attrs.frozen
class User:
    """One user.

    :ivar keys: access key -> secret key.
    """

    identity: Identity
    keys: Mapping[str, str] = attrs.field(repr=False)


class Directory:
    """Users by access key and by id.  ``replace`` swaps all of them in one step.

    Read by pool threads while the reactor's thread replaces: both tables hang on one reference.
    """

    def __init__(self, users: Iterable[User] = ()) -> None:
        self._tables = _Tables.of(users)

    def replace(self, users: Iterable[User]) -> None:
        """Know these users from now on, and no others."""
        self._tables = _Tables.of(users)

    def by_access_key(self, access_key: str) -> User | None:
        """The user who holds this access key."""
        return self._tables.by_key.get(access_key)

    def by_id(self, canonical_id: str) -> Identity | None:
        """The identity with this canonical id."""
        return self._tables.by_id.get(canonical_id)

    def display_name(self, canonical_id: str) -> str:
        """What answers show beside an id; the id itself for whom we do not know."""
        found = self._tables.by_id.get(canonical_id)
        return canonical_id if found is None else found.display_name

    def names(self) -> Mapping[str, frozenset[str]]:
        """Every user's name and access keys: what may be logged of them."""
        return {user.identity.name: frozenset(user.keys) for user in self._tables.users}


@attrs.frozen
class _Tables:
    users: tuple[User, ...]
    by_key: Mapping[str, User]
    by_id: Mapping[str, Identity]

    @classmethod
    def of(cls, users: Iterable[User]) -> _Tables:
        known = tuple(users)
        return cls(
            known,
            {key: user for user in known for key in user.keys},
            {user.identity.id: user.identity for user in known},
        )
