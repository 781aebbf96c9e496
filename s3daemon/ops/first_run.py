"""What a first try needs: a user with keys, and commands that work as they stand."""

from __future__ import annotations

import shlex
import time
from pathlib import Path

import attrs

from s3daemon.auth import credentials_file
from s3daemon.auth.identity import Identity
from s3daemon.config_kinds import quoted
from s3daemon.ops import secret_file
from s3daemon.ops.user_file import Pair, new_id, new_pair, table_of

#: Bucket of the commands that are shown.
BUCKET = "first-bucket"

#: Region that the gateway has when nobody says another one.
REGION = "us-east-1"


@attrs.frozen
class FirstRun:
    """Files of a first try.

    :ivar credentials: the file of users.
    :ivar curl: settings for curl that sign with the first user's keys; what nobody has to type
        nobody can see in a list of processes.
    :ivar aws: the same for a shell and the AWS command line, boto3 and others.
    """

    credentials: Path
    curl: Path
    aws: Path


def prepare(directory: Path, url: str) -> FirstRun:
    """Make a user and what clients need, beneath ``directory``; a user who is there stays.

    :raises OSError: the files cannot be written.
    :raises s3daemon.toml_file.SettingError: the file of users that is there cannot be used.
    """
    directory.mkdir(parents=True, exist_ok=True)
    files = FirstRun(directory / "credentials.toml", directory / "curl.conf", directory / "aws.env")
    if not files.credentials.exists():
        table = table_of(Identity(new_id(), "first", "first"), new_pair())
        secret_file.replace(files.credentials, table.encode())
    pair = _usable(files.credentials)
    if pair is not None:
        secret_file.replace(files.curl, _for_curl(pair).encode())
        secret_file.replace(files.aws, _for_aws(pair, url).encode())
    return files


def _usable(file: Path) -> Pair | None:
    """The first pair of keys in a file that may be used now."""
    now = time.time()
    for user in credentials_file.load(file):
        for access_key, key in user.keys.items():
            if user.enabled and key.usable(now):
                return Pair(access_key, key.secret_key)
    return None


def _for_curl(pair: Pair) -> str:
    user = quoted(f"{pair.access_key}:{pair.secret_key}")
    lines = [
        f'aws-sigv4 = "aws:amz:{REGION}:s3"',
        f"user = {user}",
        # curl before 8.3 sends no digest by itself, and S3 asks for one.
        'header = "x-amz-content-sha256: UNSIGNED-PAYLOAD"',
        "show-error",
        "silent",
        "fail-with-body",
    ]
    return "\n".join(lines) + "\n"


def _for_aws(pair: Pair, url: str) -> str:
    variables = {
        "AWS_ACCESS_KEY_ID": pair.access_key,
        "AWS_SECRET_ACCESS_KEY": pair.secret_key,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ENDPOINT_URL": url,
    }
    return "".join(f"export {name}={shlex.quote(value)}\n" for name, value in variables.items())


def commands(files: FirstRun, url: str) -> list[str]:
    """Three commands for a shell: make a bucket, put an object, list."""
    curl = f"curl -K {shlex.quote(str(files.curl))}"
    return [
        f"{curl} -X PUT {url}/{BUCKET}",
        f"{curl} -T /etc/hostname {url}/{BUCKET}/hello.txt",
        f"{curl} {url}/{BUCKET}",
    ]
