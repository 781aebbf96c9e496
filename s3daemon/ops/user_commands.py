"""``s3gate user``: add, list, disable, enable, rotate and remove those who may come in.

Each command takes what :mod:`s3daemon.ops.user_arguments` has read, and returns its exit status.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from s3daemon import config
from s3daemon.auth import credentials_file, user_tables
from s3daemon.auth.identity import Identity
from s3daemon.auth.sources import CREDENTIAL
from s3daemon.auth.users import Key, User
from s3daemon.ops import secret_file, user_file
from s3daemon.ops.user_file import Pair, UserFile
from s3daemon.toml_file import SettingError

#: The settings that are asked for the file of users when nothing else is said.
SETTINGS = Path("/etc/s3gate/s3gate.toml")


def from_now(seconds: float) -> datetime.datetime:
    """A time that far ahead, in whole seconds."""
    end = datetime.datetime.fromtimestamp(time.time() + seconds, datetime.UTC)
    return end.replace(microsecond=0)


def _file(options: argparse.Namespace) -> Path:
    """Where the users are."""
    if options.file is not None:
        return Path(options.file)
    settings = options.config
    if settings is None:
        if not SETTINGS.exists():
            raise SettingError(
                "",
                "",
                "which file of users?  Say it with --file FILE, or name the daemon's settings with"
                f" --config FILE; {SETTINGS} is not there",
            )
        settings = SETTINGS
    found = config.load(settings).auth.credentials
    if not found or found.startswith(CREDENTIAL):
        raise SettingError(
            str(settings), "auth.credentials", "names no file of users: say which with --file FILE"
        )
    return Path(found)


def _load(path: Path) -> UserFile:
    data = credentials_file.read(path, whosever=os.geteuid() == 0)
    try:
        return UserFile.read(str(path), data.decode("utf-8"))
    except UnicodeDecodeError:
        raise SettingError(str(path), "", "the file is not UTF-8") from None


def _edit(path: Path, change: Callable[[UserFile], UserFile], create: bool = False) -> UserFile:
    """Change the file while nobody else does; what it says now."""

    def wait() -> None:
        print(f"s3gate: waiting for another command that changes {path}", file=sys.stderr)

    with secret_file.locked(path, create, wait) as place:
        after = change(_load(place))
        secret_file.replace(place, after.text.encode())
    return after


def add(options: argparse.Namespace) -> int:
    """A new user with a new key."""
    identity = Identity(
        options.id or user_file.new_id(),
        options.name,
        options.display_name or options.name,
        options.email,
        options.uid,
        options.gid,
        tuple(options.group),
        options.read_only,
        tuple(options.scope),
    )
    pair = _pair(options)
    expires = "" if options.expires is None else _shown(options.expires)
    table = user_file.table_of(identity, pair, expires)
    # What is wrong with it is found before a file is made for it.
    UserFile.read("the new user", table)
    path = _file(options)
    made = not path.exists()
    _edit(path, lambda file: _with(file, identity, pair, table), create=True)
    _show_pair(options, identity, pair, given=options.secret_stdin)
    if made and os.geteuid() == 0:
        _note(f"{path} is new and only root can read it: chown it to the daemon's user")
    return 0


def _pair(options: argparse.Namespace) -> Pair:
    new = user_file.new_pair()
    access_key = options.access_key or new.access_key
    if not user_tables.ACCESS_KEY.fullmatch(access_key):
        raise SettingError("--access-key", "", f"has to be {user_tables.ACCESS_KEY_IS}")
    if not options.secret_stdin:
        return Pair(access_key, new.secret_key)
    secret = sys.stdin.readline().rstrip("\r\n")
    if not user_tables.is_secret(secret):
        raise SettingError("--secret-stdin", "", f"has to be {user_tables.SECRET_IS}")
    return Pair(access_key, secret)


def _with(file: UserFile, identity: Identity, pair: Pair, table: str) -> UserFile:
    for user in file.users:
        if user.identity.name == identity.name:
            raise SettingError(
                file.name,
                "",
                f"there is a user {identity.name!r} already; a new key comes with"
                f" s3gate user rotate {identity.name}",
            )
        if pair.access_key in user.keys:
            raise SettingError(
                file.name,
                "",
                f"the access key {pair.access_key!r} belongs to {user.identity.name!r} already",
            )
    return file.added(table)


def show(options: argparse.Namespace) -> int:
    """Users and keys, without secrets."""
    file = _load(_file(options))
    users = file.users if options.name is None else (file.user(options.name),)
    now = time.time()
    if options.json:
        print(json.dumps([_facts(user) for user in users], indent=2))
        return 0
    for user in users:
        identity = user.identity
        marks = [
            *([] if user.enabled else ["disabled"]),
            *(["read-only"] if identity.read_only else []),
            *(f"scope {scope}" for scope in identity.scopes),
        ]
        print(f"{identity.name}  id {identity.id}" + "".join(f", {mark}" for mark in marks))
        for access_key, key in user.keys.items():
            print(f"    {access_key}  {_state(key, now)}")
    return 0


def switch(options: argparse.Namespace) -> int:
    """Let a user in, or a key, or no more."""
    if options.access_key is None:
        change = user_file.set_enabled(options.enabled)
    else:
        status = "active" if options.enabled else "inactive"
        change = user_file.set_status(options.access_key, status)

    def switched(file: UserFile) -> UserFile:
        if options.access_key is not None:
            _own_key(file, options)
        return file.changed(options.name, change)

    return _done(options, _edit(_file(options), switched).user(options.name))


def rotate(options: argparse.Namespace) -> int:
    """A new key, and an end to the old ones."""
    pair = user_file.new_pair()
    expires = None if options.keep is None else from_now(options.keep)

    def rotated(file: UserFile) -> UserFile:
        old = [_own_key(file, options)] if options.access_key else file.user(options.name).keys
        return file.changed(options.name, user_file.rotated(pair, list(old), expires))

    after = _edit(_file(options), rotated)
    _show_pair(options, after.user(options.name).identity, pair)
    return 0


def _own_key(file: UserFile, options: argparse.Namespace) -> str:
    if options.access_key not in file.user(options.name).keys:
        raise SettingError(
            file.name, "", f"{options.name!r} has no access key {options.access_key!r}"
        )
    return str(options.access_key)


def remove(options: argparse.Namespace) -> int:
    """Forget a user."""
    path = _file(options)
    gone: list[User] = []

    def removed(file: UserFile) -> UserFile:
        gone.append(file.user(options.name))
        return file.removed(options.name)

    _edit(path, removed)
    identity = gone[0].identity
    if options.json:
        print(json.dumps({"name": identity.name, "id": identity.id, "removed": True}, indent=2))
    else:
        print(f"{identity.name} is removed; buckets of the id {identity.id} stay")
    return 0


# ---------------------------------------------------------------- answers


def _show_pair(
    options: argparse.Namespace, identity: Identity, pair: Pair, given: bool = False
) -> None:
    secret = {} if given else {"secret_key": pair.secret_key}
    facts = {"name": identity.name, "id": identity.id, "access_key": pair.access_key, **secret}
    if options.json:
        print(json.dumps(facts, indent=2))
    else:
        for name, value in facts.items():
            print(f"{name.replace('_', ' '):<10}  {value}")
    if not given:
        _note("the secret key is shown this once")


def _done(options: argparse.Namespace, user: User) -> int:
    if options.json:
        print(json.dumps(_facts(user), indent=2))
    else:
        what = options.access_key or user.identity.name
        print(f"{what} is {'enabled' if options.enabled else 'disabled'}")
    return 0


def _facts(user: User) -> dict[str, Any]:
    identity = user.identity
    return {
        "name": identity.name,
        "id": identity.id,
        "display_name": identity.display_name,
        "email": identity.email,
        "enabled": user.enabled,
        "read_only": identity.read_only,
        "scopes": list(identity.scopes),
        "uid": identity.uid,
        "gid": identity.gid,
        "groups": list(identity.groups),
        "keys": [
            {
                "access_key": access_key,
                "status": "active" if key.active else "inactive",
                "expires": None if key.expires is None else _shown(_time(key.expires)),
            }
            for access_key, key in user.keys.items()
        ],
    }


def _state(key: Key, now: float) -> str:
    state = "active" if key.active else "inactive"
    if key.expires is None:
        return state
    verb = "expires" if now < key.expires else "expired"
    return f"{state}, {verb} {_shown(_time(key.expires))}"


def _time(seconds: float) -> datetime.datetime:
    return datetime.datetime.fromtimestamp(seconds, datetime.UTC)


def _shown(time_: datetime.datetime) -> str:
    return time_.astimezone(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _note(text: str) -> None:
    print(f"s3gate: {text}", file=sys.stderr)
