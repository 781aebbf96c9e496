"""Where users come from."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from s3daemon.auth.identity import Identity
from s3daemon.auth.sources import from_environment, source
from s3daemon.auth.users import Key, User
from s3daemon.toml_file import SettingError

TEXT = '[[user]]\nname = "alice"\n'
KEYS = {"S3GATE_ACCESS_KEY": "AK1", "S3GATE_SECRET_KEY": "hush-hush"}


def write(file: Path, text: str = TEXT, mode: int = 0o600) -> Path:
    file.write_text(text)
    file.chmod(mode)
    return file


def test_a_file(tmp_path: Path) -> None:
    file = write(tmp_path / "users.toml")
    found = source(str(file), KEYS)
    assert found is not None
    assert (found.shown, found.path) == (str(file), file)
    assert [user.identity.name for user in found.load()] == ["alice"]


def test_a_credential_of_systemd(tmp_path: Path) -> None:
    file = write(tmp_path / "users.toml", mode=0o440)
    found = source("credential:users.toml", {"CREDENTIALS_DIRECTORY": str(tmp_path)})
    assert found is not None
    assert (found.shown, found.path) == ("credential:users.toml", file)
    assert [user.identity.name for user in found.load()] == ["alice"]


def test_a_credential_and_no_systemd() -> None:
    with pytest.raises(SettingError, match=r"LoadCredential=users\.toml:/path"):
        source("credential:users.toml", KEYS)


def test_the_environment() -> None:
    found = source("", KEYS)
    assert found is not None
    assert found.path is None
    assert found.load() == (User(Identity("AK1", "AK1", "AK1"), {"AK1": Key("hush-hush")}),)
    assert "hush" not in repr(found)
    assert "hush" not in found.shown


def test_the_environment_may_name_the_user() -> None:
    user = from_environment({**KEYS, "S3GATE_USER": "admin"})
    assert user is not None
    assert user.identity == Identity("admin", "admin", "admin")


@pytest.mark.parametrize("environ", [{}, {"S3GATE_ACCESS_KEY": "", "S3GATE_SECRET_KEY": ""}])
def test_nobody(environ: dict[str, str]) -> None:
    assert source("", environ) is None


@pytest.mark.parametrize(
    ("environ", "key"),
    [
        ({"S3GATE_ACCESS_KEY": "AK1"}, "S3GATE_SECRET_KEY"),
        ({"S3GATE_SECRET_KEY": "hush-hush"}, "S3GATE_ACCESS_KEY"),
        ({**KEYS, "S3GATE_ACCESS_KEY": "a/k"}, "S3GATE_ACCESS_KEY"),
        ({**KEYS, "S3GATE_SECRET_KEY": "hush"}, "S3GATE_SECRET_KEY"),
        ({**KEYS, "S3GATE_USER": "a\nb"}, "S3GATE_USER"),
    ],
)
def test_an_environment_that_is_wrong(environ: dict[str, str], key: str) -> None:
    with pytest.raises(SettingError) as caught:
        source("", environ)
    assert (caught.value.where, caught.value.key) == ("environment", key)
    assert "hush" not in str(caught.value)


def test_every_change_is_another_state(tmp_path: Path) -> None:
    found = source(str(tmp_path / "users.toml"), {})
    assert found is not None
    states = [found.state()]
    file = write(tmp_path / "users.toml")
    states.append(found.state())
    os.utime(file, ns=(1, 1))
    states.append(found.state())
    file.write_text(TEXT + "\n")
    os.utime(file, ns=(1, 1))
    states.append(found.state())
    other = write(tmp_path / "other", TEXT + "#")
    os.utime(other, ns=(1, 1))
    other.rename(file)
    states.append(found.state())
    assert states[0] is None
    assert len(set(states)) == 5
    assert found.state() == states[-1]
