"""A first try: keys for nobody else to read, and commands that name them."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from s3daemon.auth import credentials_file
from s3daemon.ops import first_run
from s3daemon.toml_file import SettingError, parse


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_first_user_is_made_once(tmp_path: Path) -> None:
    files = first_run.prepare(tmp_path / "run")
    before = files.credentials.read_text()
    assert mode(files.credentials) == mode(files.curl) == 0o600
    assert first_run.prepare(tmp_path / "run") == files
    assert files.credentials.read_text() == before
    (user,) = credentials_file.load(files.credentials)
    ((access_key, key),) = user.keys.items()
    assert f'user = "{access_key}:{key.secret_key}"' in files.curl.read_text()
    assert {path.name for path in (tmp_path / "run").iterdir()} == {"credentials.toml", "curl.conf"}


def test_two_users_have_nothing_in_common() -> None:
    users = [credentials_file.users(parse(first_run.new_user("u"), "f"))[0] for _ in range(2)]
    assert users[0].identity.id != users[1].identity.id
    assert not users[0].keys.keys() & users[1].keys.keys()
    assert not {key.secret_key for key in users[0].keys.values()} & {
        key.secret_key for key in users[1].keys.values()
    }


def test_a_name_with_quotes(tmp_path: Path) -> None:
    (user,) = credentials_file.users(parse(first_run.new_user('a"b\\'), "f"))
    assert user.identity.name == 'a"b\\'


def test_a_file_that_others_may_read_is_refused(tmp_path: Path) -> None:
    files = first_run.prepare(tmp_path)
    files.credentials.chmod(0o644)
    with pytest.raises(SettingError, match="chmod 600"):
        first_run.prepare(tmp_path)


def test_commands_quote_what_a_shell_would_split(tmp_path: Path) -> None:
    files = first_run.prepare(tmp_path / "a b")
    made, put, listed = first_run.commands(files, "http://127.0.0.1:1")
    assert made == f"curl -K '{tmp_path}/a b/curl.conf' -X PUT http://127.0.0.1:1/first-bucket"
    assert put.endswith("/first-bucket/hello.txt")
    assert listed.endswith("http://127.0.0.1:1/first-bucket")
    (key,) = credentials_file.load(files.credentials)[0].keys.values()
    assert key.secret_key not in made + put + listed
