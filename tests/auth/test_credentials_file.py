"""The file of users: what is read, and what is refused without showing a secret."""

from __future__ import annotations

from pathlib import Path

import pytest

from s3daemon.auth.credentials_file import load
from s3daemon.auth.identity import Identity
from s3daemon.auth.users import Key
from s3daemon.toml_file import SettingError

TEXT = """\
[[user]]
name = "alice"
id = "0f3a"
display_name = "Alice A."
keys = [
    { access_key = "AK1", secret_key = "first secret" },
    { access_key = "AK2", secret_key = "second secret" },
]

[[user]]
name = "bob"
"""


def write(tmp_path: Path, text: str, mode: int = 0o600) -> Path:
    file = tmp_path / "users.toml"
    file.write_text(text)
    file.chmod(mode)
    return file


def test_users(tmp_path: Path) -> None:
    alice, bob = load(write(tmp_path, TEXT))
    assert alice.identity == Identity("0f3a", "alice", "Alice A.")
    assert alice.keys == {"AK1": Key("first secret"), "AK2": Key("second secret")}
    assert bob.identity == Identity("bob", "bob", "bob")
    assert bob.keys == {}


def test_a_secret_is_not_in_the_text_of_a_user(tmp_path: Path) -> None:
    assert "secret" not in repr(load(write(tmp_path, TEXT)))


def test_an_empty_file_has_no_users(tmp_path: Path) -> None:
    assert load(write(tmp_path, "")) == ()


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o601, 0o644])
def test_a_file_that_others_may_use(tmp_path: Path, mode: int) -> None:
    file = write(tmp_path, TEXT, mode)
    with pytest.raises(SettingError, match=f"mode 0{mode:o}.*chmod 600 {file}"):
        load(file)


@pytest.mark.parametrize("mode", [0o600, 0o400])
def test_a_file_for_its_owner_alone(tmp_path: Path, mode: int) -> None:
    assert len(load(write(tmp_path, TEXT, mode))) == 2


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match="cannot be read: No such file"):
        load(tmp_path / "none.toml")


def test_a_directory_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match="cannot be read: Is a directory"):
        load(tmp_path)


ALICE = '[[user]]\nname = "alice"\n'


@pytest.mark.parametrize(
    ("text", "line", "key", "says"),
    [
        ("users = 1\n", 1, "users", "is unknown; did you mean 'user'?"),
        ("user = 1\n", 1, "user", "write [[user]]"),
        ("[user]\nname = 'a'\n", 1, "user", "write [[user]]"),
        ("[[user]]\n", 1, "user.name", "text of 1 to 256 characters"),
        ("[[user]]\nname = 1\n", 2, "user.name", "text of"),
        ("[[user]]\nname = ''\n", 2, "user.name", "text of"),
        ('[[user]]\nname = "a\\nb"\n', 2, "user.name", "on one line"),
        (ALICE + "nick = 'al'\n", 3, "user.nick", "is unknown"),
        (ALICE + "keys = 'hush'\n", 3, "user.keys", "has to be a list of"),
        (ALICE + "keys = ['hush']\n", 3, "user.keys", "has to be a list of"),
        (ALICE + "keys = [{access_key = 'k'}]\n", 3, "user.keys", "has to be a list of"),
        (
            ALICE + "keys = [{access_key = 'k k', secret_key = 'hush'}]\n",
            3,
            "user.keys",
            "has to be a list of",
        ),
        (
            ALICE + "keys = [{access_key = 'k', secret_key = ''}]\n",
            3,
            "user.keys",
            "has to be a list of",
        ),
        (
            ALICE
            + "keys = [{access_key = 'k', secret_key = 'hush'},"
            + "{access_key = 'k', secret_key = 'hush'}]\n",
            3,
            "user.keys",
            "names the access key 'k' twice",
        ),
        (ALICE + "\n[[user]]\nname = 'bob'\nkeys = 1\n", 6, "user.keys", "has to be a list of"),
    ],
)
def test_what_is_refused(tmp_path: Path, text: str, line: int, key: str, says: str) -> None:
    with pytest.raises(SettingError) as caught:
        load(write(tmp_path, text))
    assert caught.value.where == f"{tmp_path}/users.toml:{line}"
    assert caught.value.key == key
    assert says in caught.value.problem
    assert "hush" not in str(caught.value)


@pytest.mark.parametrize(
    ("second", "key"),
    [
        ("name = 'alice'\n", "user.name"),
        ("name = 'bob'\nid = 'alice'\n", "user.id"),
        ("name = 'bob'\nkeys = [{access_key = 'k', secret_key = 's'}]\n", "user.keys"),
    ],
)
def test_what_may_stand_there_once(tmp_path: Path, second: str, key: str) -> None:
    text = ALICE + "keys = [{access_key = 'k', secret_key = 's'}]\n[[user]]\n" + second
    with pytest.raises(SettingError, match="stands there twice") as caught:
        load(write(tmp_path, text))
    assert caught.value.key == key
