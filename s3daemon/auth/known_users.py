"""Whom a grant can name."""

from __future__ import annotations

import attrs

from s3daemon.auth.users import Directory


@attrs.frozen
class KnownUsers:
    """The users of a directory, for those who show names and put lists.

    :ivar anybody: there may be users whom the directory does not know, so that every id can be one:
        a name is all it takes in mode simple, or a checker knows users elsewhere.
    """

    _directory: Directory
    anybody: bool

    def display_name(self, canonical_id: str) -> str:
        """What answers show beside an id; the id itself for whom we do not know."""
        return self._directory.display_name(canonical_id)

    def knows(self, canonical_id: str) -> bool:
        """Whether there is, or may be, a user with this id."""
        if not canonical_id:
            return False
        return self.anybody or self._directory.by_id(canonical_id) is not None

    def by_email(self, address: str) -> str | None:
        """The id of the user with this address, whatever its case; None where nobody has it."""
        return self._directory.by_email(address)
