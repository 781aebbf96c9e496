"""The users of a daemon: read when it starts, and again whenever their file changes."""

from __future__ import annotations

import functools
from collections.abc import Mapping

import attrs
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from s3daemon.auth.sources import (
    ACCESS_KEY_VARIABLE,
    SECRET_KEY_VARIABLE,
    UserSource,
    source,
)
from s3daemon.auth.users import Directory
from s3daemon.ops.hangup import HangUp, Reloadable
from s3daemon.ops.watching import Watcher
from s3daemon.streams.pool import IPool
from s3daemon.toml_file import SettingError


@attrs.frozen
class LiveUsers:
    """Who is known, and where that is written.

    :ivar shown: where, for people.
    :ivar reloadable: how it is read again; None where it cannot change.
    """

    directory: Directory
    shown: str
    reloadable: Reloadable | None = None
    _source: UserSource | None = None
    _seen: object = None

    @classmethod
    def read(cls, setting: str, needed: bool, environ: Mapping[str, str]) -> LiveUsers:
        """The users that the setting ``auth.credentials`` names.  Blocks.

        :param needed: nobody can be let in without.
        :raises SettingError: they cannot be read, or are needed and not named.
        """
        found = source(setting, environ)
        if found is None:
            if needed:
                raise SettingError(
                    "",
                    "auth.credentials",
                    "is missing: in mode sigv4 nobody is let in who has no key.  Make a file of"
                    " users (s3gate user add NAME --file FILE) and name it here, or with"
                    f" --credentials FILE; or set {ACCESS_KEY_VARIABLE} and {SECRET_KEY_VARIABLE}",
                )
            return cls(Directory(), "none")
        # Before they are read: what changes meanwhile is seen as a change.
        seen = found.state()
        directory = Directory(found.load())
        if found.path is None:
            return cls(directory, found.shown)
        if ACCESS_KEY_VARIABLE in environ:
            Logger(namespace="s3daemon.users").warn(
                "{name} in the environment is not looked at: auth.credentials names {users}",
                name=ACCESS_KEY_VARIABLE,
                users=found.shown,
            )
        reloadable = Reloadable("credentials", found.load, directory.replace)
        return cls(directory, found.shown, reloadable, found, seen)

    def watcher(self, hang_up: HangUp, pool: IPool, clock: IReactorTime) -> Watcher | None:
        """A service that has them read again when they change; None where they cannot."""
        if self._source is None or self.reloadable is None:
            return None
        changed = functools.partial(hang_up.read, self.reloadable, f"{self.shown} has changed")
        return Watcher(self._source.state, self._seen, changed, pool, clock)
