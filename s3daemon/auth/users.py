"""The users a gateway knows: access keys and canonical ids to identities."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import attrs

from s3daemon.auth.identity import Identity


@attrs.frozen
class Key:
    """A secret key, and when it may be used.

    :ivar active: False: kept, and good for nothing until it is made active again.
    :ivar expires: seconds since the epoch from which it is good for nothing; None for never.
    """

    secret_key: str = attrs.field(repr=False)
    active: bool = True
    expires: float | None = None

    def usable(self, now: float) -> bool:
        """Whether it may be used at this time, in seconds since the epoch."""
        return self.active and (self.expires is None or now < self.expires)


@attrs.frozen
class User:
    """One user.

    :ivar keys: access key -> its secret and state.
    :ivar enabled: False: none of the keys is good for anything; buckets stay theirs.
    """

    identity: Identity
    keys: Mapping[str, Key] = attrs.field(repr=False)
    enabled: bool = True


class Directory:
    """Users by access key and by id.  ``replace`` swaps all of them in one step.

    Read by pool threads while the reactor's thread replaces: both tables hang on one reference.
    """

    def __init__(self, users: Iterable[User] = ()) -> None:
        self._tables = _Tables.of(users)

    def replace(self, users: Iterable[User]) -> list[str]:
        """Know these users from now on, and no others; what that changes, without secrets."""
        before, self._tables = self._tables, _Tables.of(users)
        return _changes(before.by_id, self._tables.by_id)

    def find(self, access_key: str) -> tuple[User, Key] | None:
        """The user who holds this access key, and the key.

        Whether it may be used is for the caller to see: ``user.enabled and key.usable(now)``.
        """
        user = self._tables.by_key.get(access_key)
        return None if user is None else (user, user.keys[access_key])

    @property
    def size(self) -> int:
        """How many users there are."""
        return len(self._tables.by_id)

    def by_id(self, canonical_id: str) -> Identity | None:
        """The identity with this canonical id."""
        user = self._tables.by_id.get(canonical_id)
        return None if user is None else user.identity

    def by_email(self, address: str) -> str | None:
        """The canonical id of the user with this address, whatever its case."""
        wanted = address.strip().casefold()
        for user in self._tables.by_id.values():
            if wanted and user.identity.email.casefold() == wanted:
                return user.identity.id
        return None

    def display_name(self, canonical_id: str) -> str:
        """What answers show beside an id; the id itself for whom we do not know."""
        user = self._tables.by_id.get(canonical_id)
        return canonical_id if user is None else user.identity.display_name


@attrs.frozen
class _Tables:
    by_key: Mapping[str, User]
    by_id: Mapping[str, User]

    @classmethod
    def of(cls, users: Iterable[User]) -> _Tables:
        known = tuple(users)
        return cls(
            {key: user for user in known for key in user.keys},
            {user.identity.id: user for user in known},
        )


def _changes(before: Mapping[str, User], after: Mapping[str, User]) -> list[str]:
    kinds = {
        "new": after.keys() - before.keys(),
        "gone": before.keys() - after.keys(),
        "changed": {i for i in before.keys() & after.keys() if before[i] != after[i]},
    }
    return [
        f"{kind}: " + ", ".join(sorted((after.get(i) or before[i]).identity.name for i in ids))
        for kind, ids in kinds.items()
        if ids
    ]
