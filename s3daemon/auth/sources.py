"""Where the users come from: a file, a credential that systemd passes on, or the environment.

systemd puts credentials (``LoadCredential=``, ``ImportCredential=``) into a directory that only the
unit can enter, and names it in ``$CREDENTIALS_DIRECTORY``.  Source: systemd.exec(5), "Credentials";
systemd's document CREDENTIALS.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Mapping
from pathlib import Path

import attrs

from s3daemon.auth import credentials_file
from s3daemon.auth.identity import Identity
from s3daemon.auth.user_tables import ACCESS_KEY, ACCESS_KEY_IS, SECRET_IS, is_secret, is_text
from s3daemon.auth.users import Key, User
from s3daemon.toml_file import SettingError

#: In front of the name of a credential of systemd.
CREDENTIAL = "credential:"

#: The one user of a gateway that has no file: keys, and the name, which is the access key if unset.
ACCESS_KEY_VARIABLE = "S3GATE_ACCESS_KEY"
SECRET_KEY_VARIABLE = "S3GATE_SECRET_KEY"
NAME_VARIABLE = "S3GATE_USER"


@attrs.frozen
class UserSource:
    """Users, and where they are.

    :ivar shown: where, for people; no secret.
    :ivar load: the users as they are now; blocks.  Raises SettingError when they cannot be used.
    :ivar path: the file they are in, which may change; None where there is none.
    """

    shown: str
    load: Callable[[], tuple[User, ...]]
    path: Path | None = None

    def state(self) -> tuple[int, ...] | None:
        """Something that is another thing after every change of the file; None while there is none.

        Blocks.  A file that is put in the place of another counts as changed whatever its times.
        """
        if self.path is None:
            return None
        try:
            found = os.stat(self.path)
        except OSError:
            return None
        return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


def source(setting: str, environ: Mapping[str, str]) -> UserSource | None:
    """What the setting ``auth.credentials`` names.

    :param setting: an absolute path; or ``credential:NAME``; or "": the environment.
    :returns: None where there are no users: nothing is named, and the environment has none.
    :raises SettingError: a credential is named and systemd passes none on, or the environment has
        half of what it takes.
    """
    if setting.startswith(CREDENTIAL):
        path = _passed_on(setting, environ)
        return UserSource(setting, functools.partial(credentials_file.load, path, kept=True), path)
    if setting:
        path = Path(setting)
        return UserSource(setting, functools.partial(credentials_file.load, path), path)
    user = from_environment(environ)
    if user is None:
        return None
    return UserSource(f"the environment ({ACCESS_KEY_VARIABLE})", lambda: (user,))


def _passed_on(setting: str, environ: Mapping[str, str]) -> Path:
    directory = environ.get("CREDENTIALS_DIRECTORY")
    name = setting.removeprefix(CREDENTIAL)
    if not directory:
        raise SettingError(
            "",
            "auth.credentials",
            f"{setting!r} is a credential of systemd, and systemd passes none on: the unit needs"
            f" LoadCredential={name}:/path/of/the/file",
        )
    return Path(directory) / name


def from_environment(environ: Mapping[str, str]) -> User | None:
    """The user whose keys are in the environment.

    :returns: None where there are none.
    :raises SettingError: one is there without the other, or they are no keys.
    """

    def refuse(name: str, problem: str) -> SettingError:
        return SettingError("environment", name, problem)

    access_key, secret_key = environ.get(ACCESS_KEY_VARIABLE), environ.get(SECRET_KEY_VARIABLE)
    if not access_key and not secret_key:
        return None
    if access_key is None or not ACCESS_KEY.fullmatch(access_key):
        raise refuse(ACCESS_KEY_VARIABLE, f"has to be {ACCESS_KEY_IS}")
    if not is_secret(secret_key):
        raise refuse(SECRET_KEY_VARIABLE, f"has to be {SECRET_IS}")
    name = environ.get(NAME_VARIABLE) or access_key
    if not is_text(name):
        raise refuse(NAME_VARIABLE, "has to be a name on one line")
    return User(Identity(name, name, name), {access_key: Key(secret_key)})
