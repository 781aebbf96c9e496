"""A first try: keys for nobody else to read, and commands that name them."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from s3daemon.auth import credentials_file
from s3daemon.ops import first_run
from s3daemon.toml_file import SettingError

URL = "http://127.0.0.1:1"


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_first_user_is_made_once(tmp_path: Path) -> None:
    files = first_run.prepare(tmp_path / "run", URL)
    before = files.credentials.read_text()
    assert mode(files.credentials) == mode(files.curl) == mode(files.aws) == 0o600
    assert first_run.prepare(tmp_path / "run", URL) == files
    assert files.credentials.read_text() == before
    (user,) = credentials_file.load(files.credentials)
    ((access_key, key),) = user.keys.items()
    assert f'user = "{access_key}:{key.secret_key}"' in files.curl.read_text()
    assert "x-amz-content-sha256: UNSIGNED-PAYLOAD" in files.curl.read_text()
    assert files.aws.read_text() == (
        f"export AWS_ACCESS_KEY_ID={access_key}\n"
        f"export AWS_SECRET_ACCESS_KEY={key.secret_key}\n"
        "export AWS_DEFAULT_REGION=us-east-1\n"
        f"export AWS_ENDPOINT_URL={URL}\n"
    )
    assert {path.name for path in (tmp_path / "run").iterdir()} == {
        "credentials.toml", "curl.conf", "aws.env",
    }  # fmt: skip


def test_clients_get_a_key_that_may_be_used(tmp_path: Path) -> None:
    file = tmp_path / "credentials.toml"
    file.write_text(
        """
        [[user]]
        name = "off"
        enabled = false
        keys = [{ access_key = "AK1", secret_key = "hush-hush" }]
        [[user]]
        name = "on"
        keys = [
            { access_key = "AK2", secret_key = "hush-hush", status = "inactive" },
            { access_key = "AK3", secret_key = "hush-hush", expires = 2001-01-01T00:00:00Z },
            { access_key = "AK4", secret_key = "hush'hush" },
        ]
        """
    )
    file.chmod(0o600)
    files = first_run.prepare(tmp_path, URL)
    assert "AK4:hush'hush" in files.curl.read_text()
    assert """SECRET_ACCESS_KEY='hush'"'"'hush'\n""" in files.aws.read_text()


def test_without_a_key_there_is_nothing_for_clients(tmp_path: Path) -> None:
    file = tmp_path / "credentials.toml"
    file.touch(mode=0o600)
    files = first_run.prepare(tmp_path, URL)
    assert not files.curl.exists()
    assert not files.aws.exists()


def test_a_file_that_others_may_read_is_refused(tmp_path: Path) -> None:
    files = first_run.prepare(tmp_path, URL)
    files.credentials.chmod(0o644)
    with pytest.raises(SettingError, match="chmod 600"):
        first_run.prepare(tmp_path, URL)


def test_commands_quote_what_a_shell_would_split(tmp_path: Path) -> None:
    files = first_run.prepare(tmp_path / "a b", URL)
    made, put, listed = first_run.commands(files, URL)
    assert made == f"curl -K '{tmp_path}/a b/curl.conf' -X PUT http://127.0.0.1:1/first-bucket"
    assert put.endswith("/first-bucket/hello.txt")
    assert listed.endswith("http://127.0.0.1:1/first-bucket")
    (key,) = credentials_file.load(files.credentials)[0].keys.values()
    assert key.secret_key not in made + put + listed
