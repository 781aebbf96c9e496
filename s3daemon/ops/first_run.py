"""What a first try needs: a user with keys, and commands that work as they stand."""

from __future__ import annotations

import os
import secrets
import shlex
import string
from pathlib import Path

import attrs

from s3daemon.auth import credentials_file
from s3daemon.config_kinds import quoted

_LETTERS = string.ascii_uppercase + string.digits

#: Bucket of the commands that are shown.
BUCKET = "first-bucket"


@attrs.frozen
class FirstRun:
    """Files of a first try.

    :ivar credentials: the file of users.
    :ivar curl: settings for curl that sign with the first user's keys; what nobody has to type
        nobody can see in a list of processes.
    """

    credentials: Path
    curl: Path


def new_user(name: str) -> str:
    """A table for the file of users: keys of the usual lengths, from the system's randomness."""
    access_key = "".join(secrets.choice(_LETTERS) for _ in range(20))
    secret_key = secrets.token_urlsafe(30)
    return (
        f"[[user]]\nname = {quoted(name)}\nid = {quoted(secrets.token_hex(32))}\n"
        f"display_name = {quoted(name)}\n"
        f"keys = [{{ access_key = {quoted(access_key)}, secret_key = {quoted(secret_key)} }}]\n"
    )


def prepare(directory: Path) -> FirstRun:
    """Make a user and what curl needs, beneath ``directory``, unless they are there.

    :raises OSError: the files cannot be written.
    :raises s3daemon.toml_file.SettingError: the file of users that is there cannot be used.
    """
    directory.mkdir(parents=True, exist_ok=True)
    files = FirstRun(directory / "credentials.toml", directory / "curl.conf")
    if not files.credentials.exists():
        _write(files.credentials, new_user("first"))
    keys = next((user.keys for user in credentials_file.load(files.credentials) if user.keys), None)
    if keys:
        access_key, key = next(iter(keys.items()))
        pair = quoted(f"{access_key}:{key.secret_key}")
        _write(
            files.curl,
            f'aws-sigv4 = "aws:amz:us-east-1:s3"\nuser = {pair}\n'
            "show-error\nsilent\nfail-with-body\n",
        )
    return files


def _write(path: Path, text: str) -> None:
    """A new file for nobody but us, whole or not at all."""
    temporary = path.with_name(path.name + ".new")
    temporary.unlink(missing_ok=True)
    fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with open(fd, "w", encoding="utf-8") as file:
        file.write(text)
    temporary.rename(path)


def commands(files: FirstRun, url: str) -> list[str]:
    """Three commands for a shell: make a bucket, put an object, list."""
    curl = f"curl -K {shlex.quote(str(files.curl))}"
    return [
        f"{curl} -X PUT {url}/{BUCKET}",
        f"{curl} -T /etc/hostname {url}/{BUCKET}/hello.txt",
        f"{curl} {url}/{BUCKET}",
    ]
