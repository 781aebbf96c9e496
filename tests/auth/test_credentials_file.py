"""The file of users: what is read, and what is refused without showing a secret."""

from __future__ import annotations

import os
import re
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
    { access_key = "AK1", secret_key = "first-secret" },
    { access_key = "AK2", secret_key = "second-secret" },
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
    assert alice.keys == {"AK1": Key("first-secret"), "AK2": Key("second-secret")}
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


FULL = """\
[[user]]
name = "carol"
email = "carol@example.com"
uid = 1001
gid = 1002
groups = [100, 0]
scopes = ["photos", "logs/carol/", "top:folder/a b"]
read_only = true
enabled = false
keys = [
    { access_key = "AK1", secret_key = "hush-hush", status = "inactive" },
    { access_key = "AK2", secret_key = "hush-hush", expires = 2026-01-01T01:00:00+01:00 },
    { access_key = "user@example.com+x=", secret_key = "a/b+c=d#e" },
]
"""


def test_everything_that_can_be_said_of_a_user(tmp_path: Path) -> None:
    (carol,) = load(write(tmp_path, FULL))
    assert carol.identity == Identity(
        "carol",
        "carol",
        "carol",
        "carol@example.com",
        1001,
        1002,
        (100, 0),
        True,
        ("photos", "logs/carol/", "top:folder/a b"),
    )
    assert not carol.enabled
    assert carol.keys == {
        "AK1": Key("hush-hush", active=False),
        "AK2": Key("hush-hush", expires=1_767_225_600.0),
        "user@example.com+x=": Key("a/b+c=d#e"),
    }


@pytest.mark.parametrize(("mode", "fine"), [(0o440, True), (0o400, True), (0o444, False)])
def test_a_file_in_a_directory_that_keeps_others_out(tmp_path: Path, mode: int, fine: bool) -> None:
    file = write(tmp_path, TEXT, mode)
    if fine:
        assert len(load(file, kept=True)) == 2
    else:
        with pytest.raises(SettingError, match="others than its owner"):
            load(file, kept=True)


@pytest.mark.parametrize("mode", [0o460, 0o450])
def test_a_group_may_never_write(tmp_path: Path, mode: int) -> None:
    with pytest.raises(SettingError, match="others than its owner"):
        load(write(tmp_path, TEXT, mode), kept=True)


def test_a_file_of_somebody_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = write(tmp_path, TEXT)
    owner = file.stat().st_uid
    real = os.fstat

    def fstat(fd: int) -> os.stat_result:
        return os.stat_result((*real(fd)[:4], 4321, *real(fd)[5:]))

    monkeypatch.setattr("s3daemon.auth.credentials_file.os.fstat", fstat)
    with pytest.raises(SettingError, match=f"user with number 4321.*chown {owner} {file}"):
        load(file)


def test_a_link_is_followed_and_its_end_judged(tmp_path: Path) -> None:
    file = write(tmp_path, TEXT)
    link = tmp_path / "link.toml"
    link.symlink_to(file)
    assert len(load(link)) == 2
    file.chmod(0o644)
    with pytest.raises(SettingError, match=f"chmod 600 {link}"):
        load(link)


def test_a_pipe_keeps_nobody_waiting(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe", 0o600)
    with pytest.raises(SettingError, match="no regular file"):
        load(tmp_path / "pipe")


ALICE = '[[user]]\nname = "alice"\n'
PAIR = "access_key = 'AK1', secret_key = 'hush-hush'"


def pairs(*those: str) -> str:
    return ALICE + "keys = [\n" + "".join(f"  {{ {one} }},\n" for one in those) + "]\n"


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
        (ALICE + "email = 'al'\n", 3, "user.email", "an address such as"),
        (ALICE + "email = 'a@b@c'\n", 3, "user.email", "an address such as"),
        (ALICE + "email = 1\n", 3, "user.email", "an address such as"),
        (ALICE + "enabled = 1\n", 3, "user.enabled", "has to be true or false"),
        (ALICE + "read_only = 'yes'\n", 3, "user.read_only", "has to be true or false"),
        (ALICE + "uid = true\n", 3, "user.uid", "has to be a number from 0"),
        (ALICE + "uid = -1\n", 3, "user.uid", "has to be a number from 0"),
        (ALICE + "gid = 4294967295\n", 3, "user.gid", "has to be a number from 0"),
        (ALICE + "groups = 1\n", 3, "user.groups", "a list of numbers"),
        (ALICE + "groups = ['staff']\n", 3, "user.groups", "a list of numbers"),
        (ALICE + "scopes = 'photos'\n", 3, "user.scopes", "a list of buckets"),
        (ALICE + "scopes = ['/photos']\n", 3, "user.scopes", "a list of buckets"),
        (ALICE + "scopes = ['']\n", 3, "user.scopes", "a list of buckets"),
        (ALICE + "keys = 'hush'\n", 3, "user.keys", "has to be a list of"),
        (ALICE + "keys = ['hush']\n", 3, "user.keys[0]", "has to be a list of"),
        (pairs(PAIR, "access_key = 'k'"), 5, "user.keys[1].access_key", "3 to 128 of"),
        (pairs("access_key = 'a/key'"), 4, "user.keys[0].access_key", "3 to 128 of"),
        (pairs("access_key = 'a key'"), 4, "user.keys[0].access_key", "3 to 128 of"),
        (pairs("access_key = 'AK1'"), 4, "user.keys[0].secret_key", "8 to 256 characters"),
        (
            pairs("access_key = 'AK1', secret_key = 'hush'"),
            4,
            "user.keys[0].secret_key",
            "8 to 256 characters",
        ),
        (
            pairs("access_key = 'AK1', secret_key = 'hush-hush '"),
            4,
            "user.keys[0].secret_key",
            "without blanks",
        ),
        (
            pairs(f"{PAIR}, expiry = 2026-01-01T00:00:00Z"),
            4,
            "user.keys[0].expiry",
            "did you mean 'expires'?",
        ),
        (
            pairs(f"{PAIR}, expires = '2026-01-01T00:00:00Z'"),
            4,
            "user.keys[0].expires",
            "such as 2027-01-31T12:00:00Z",
        ),
        (pairs(f"{PAIR}, expires = 2026-01-01T00:00:00"), 4, "user.keys[0].expires", "offset"),
        (pairs(f"{PAIR}, expires = 2026-01-01"), 4, "user.keys[0].expires", "offset"),
        (pairs(f"{PAIR}, status = 'off'"), 4, "user.keys[0].status", '"active" or "inactive"'),
        (pairs(PAIR, PAIR), 5, "user.keys[1].access_key", "names 'AK1' twice"),
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
    ("second", "line", "key"),
    [
        ("name = 'alice'\n", 6, "user.name"),
        ("name = 'bob'\nid = 'alice'\n", 7, "user.id"),
        ("name = 'bob'\nemail = 'A@example.com'\n", 7, "user.email"),
        (f"name = 'bob'\nkeys = [{{{PAIR}}}]\n", 7, "user.keys"),
    ],
)
def test_what_may_stand_there_once(tmp_path: Path, second: str, line: int, key: str) -> None:
    text = ALICE + f"email = 'a@example.com'\nkeys = [{{{PAIR}}}]\n[[user]]\n" + second
    with pytest.raises(SettingError, match="stands there twice") as caught:
        load(write(tmp_path, text))
    assert caught.value.key == key
    assert caught.value.where == f"{tmp_path}/users.toml:{line}"


def test_no_address_is_no_address_twice(tmp_path: Path) -> None:
    assert len(load(write(tmp_path, ALICE + "[[user]]\nname = 'bob'\nemail = ''\n"))) == 2


SAMPLE = Path(__file__).parents[2] / "etc" / "users.toml"


def test_the_sample_names_everything_that_can_be_said(tmp_path: Path) -> None:
    text = SAMPLE.read_text()
    assert load(write(tmp_path, text)) == ()
    start = text.index("# [[user]]")
    lines = [line.removeprefix("# ") for line in text[start:].splitlines()]
    settings = re.compile(r"\[|\]|[a-z_]+ = |#?  +\{")
    table = [line.lstrip("#") for line in lines if settings.match(line)]
    (alice,) = load(write(tmp_path, "\n".join(table)))
    assert {line.partition(" ")[0] for line in table if " = " in line and "{" not in line} == {
        "name", "id", "display_name", "email", "enabled", "read_only", "scopes", "uid", "gid",
        "groups", "keys",
    }  # fmt: skip
    assert len(alice.keys) == 3
