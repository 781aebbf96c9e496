"""``s3gate user``: what it prints, what it changes, and with which status it ends."""

from __future__ import annotations

import io
import json
import os
import threading
from pathlib import Path
from typing import Any

import pytest

from s3daemon.auth import credentials_file
from s3daemon.auth.identity import Identity
from s3daemon.auth.users import Key, User
from s3daemon.ops.admin import main

NOW = 1_764_000_000.25
HOUR = 3600

TEXT = """\
# Ours.
[[user]]
name = "alice"
id = "0f3a"
scopes = ["photos", "logs/alice/"]
read_only = true
keys = [
    { access_key = "AK1", secret_key = "hush-hush-1" },  # laptop
    { access_key = "AK2", secret_key = "hush-hush-2", status = "inactive" },
    { access_key = "AK3", secret_key = "hush-hush-3", expires = 2025-01-01T00:00:00Z },
    { access_key = "AK4", secret_key = "hush-hush-4", expires = 2026-01-01T01:00:00+01:00 },
]

[[user]]
name = "bob"
enabled = false
"""


@pytest.fixture(autouse=True)
def _now(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.time", lambda: NOW)


class Command:
    """``s3gate user`` on a file."""

    def __init__(self, file: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.file = file
        self._capsys = capsys
        self.err = ""

    def __call__(self, name: str, *arguments: str, status: int = 0) -> str:
        assert main(["user", name, "--file", str(self.file), *arguments]) == status
        out, self.err = self._capsys.readouterr()
        return out

    def json(self, name: str, *arguments: str) -> Any:
        return json.loads(self(name, "--json", *arguments))

    def users(self) -> dict[str, User]:
        return {user.identity.name: user for user in credentials_file.load(self.file)}


@pytest.fixture
def user(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Command:
    file = tmp_path / "users.toml"
    file.write_text(TEXT)
    file.chmod(0o600)
    return Command(file, capsys)


@pytest.fixture
def none(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Command:
    return Command(tmp_path / "users.toml", capsys)


def test_a_first_user_makes_the_file(none: Command) -> None:
    out = none("add", "carol")
    facts = dict(line.rsplit("  ", 1) for line in out.splitlines())
    (carol,) = none.users().values()
    assert {name.strip(): value for name, value in facts.items()} == {
        "name": "carol",
        "id": carol.identity.id,
        "access key": next(iter(carol.keys)),
        "secret key": next(iter(carol.keys.values())).secret_key,
    }
    assert len(carol.identity.id) == 64
    assert "shown this once" in none.err
    assert none.file.stat().st_mode & 0o777 == 0o600


def test_everything_that_can_be_said_of_a_new_user(
    user: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("given-secret\n"))
    facts = user.json(
        "add", "carol", "--id", "c", "--display-name", "Carol", "--email", "c@example.com",
        "--uid", "1", "--gid", "2", "--group", "3", "--group", "4", "--read-only",
        "--scope", "a", "--scope", "b/c", "--access-key", "CAROL", "--expires", "1d",
        "--secret-stdin",
    )  # fmt: skip
    assert facts == {"name": "carol", "id": "c", "access_key": "CAROL"}, "whoever gave it has it"
    assert user.users()["carol"] == User(
        Identity("c", "carol", "Carol", "c@example.com", 1, 2, (3, 4), True, ("a", "b/c")),
        {"CAROL": Key("given-secret", expires=1_764_086_400.0)},
    )
    assert user.file.read_text().startswith(TEXT)


def test_an_end_at_a_time(user: Command) -> None:
    facts = user.json("add", "carol", "--expires", "2027-01-01T01:00:00.5+01:00")
    (key,) = user.users()["carol"].keys.values()
    assert key == Key(facts["secret_key"], expires=1_798_761_600.0)


def test_users_are_listed_without_secrets(user: Command) -> None:
    out = user("list")
    assert out == (
        "alice  id 0f3a, read-only, scope photos, scope logs/alice/\n"
        "    AK1  active\n"
        "    AK2  inactive\n"
        "    AK3  active, expired 2025-01-01T00:00:00Z\n"
        "    AK4  active, expires 2026-01-01T00:00:00Z\n"
        "bob  id bob, disabled\n"
    )
    assert user("list", "bob") == "bob  id bob, disabled\n"


def test_users_are_listed_for_programs(user: Command) -> None:
    alice, bob = user.json("list")
    assert alice == {
        "name": "alice",
        "id": "0f3a",
        "display_name": "alice",
        "email": "",
        "enabled": True,
        "read_only": True,
        "scopes": ["photos", "logs/alice/"],
        "uid": None,
        "gid": None,
        "groups": [],
        "keys": [
            {"access_key": "AK1", "status": "active", "expires": None},
            {"access_key": "AK2", "status": "inactive", "expires": None},
            {"access_key": "AK3", "status": "active", "expires": "2025-01-01T00:00:00Z"},
            {"access_key": "AK4", "status": "active", "expires": "2026-01-01T00:00:00Z"},
        ],
    }
    assert not bob["enabled"]
    assert user.json("list", "bob") == [bob]


def test_a_user_is_let_in_or_not(user: Command) -> None:
    assert user("disable", "alice") == "alice is disabled\n"
    assert not user.users()["alice"].enabled
    assert user.json("enable", "alice")["enabled"] is True
    assert user.users()["alice"].enabled
    assert user("enable", "bob") == "bob is enabled\n"
    assert user.users()["bob"].enabled
    assert "# Ours.\n" in user.file.read_text()
    assert "# laptop\n" in user.file.read_text()


def test_a_key_is_good_or_not(user: Command) -> None:
    assert user("disable", "alice", "--access-key", "AK1") == "AK1 is disabled\n"
    assert not user.users()["alice"].keys["AK1"].active
    user("enable", "alice", "--access-key", "AK2")
    assert user.users()["alice"].keys["AK2"].active
    assert user.users()["alice"].enabled


def test_new_keys_for_old(user: Command) -> None:
    facts = user.json("rotate", "alice")
    assert (facts["name"], facts["id"]) == ("alice", "0f3a")
    assert user.users()["alice"].keys == {facts["access_key"]: Key(facts["secret_key"])}
    assert "shown this once" in user.err


def test_old_keys_may_stay_for_a_while(user: Command) -> None:
    facts = user.json("rotate", "alice", "--keep", "1h")
    assert user.users()["alice"].keys == {
        "AK1": Key("hush-hush-1", expires=1_764_003_600.0),
        "AK2": Key("hush-hush-2", active=False, expires=1_764_003_600.0),
        "AK3": Key("hush-hush-3", expires=1_735_689_600.0),
        "AK4": Key("hush-hush-4", expires=1_764_003_600.0),
        facts["access_key"]: Key(facts["secret_key"]),
    }


def test_one_old_key_ends(user: Command) -> None:
    facts = user.json("rotate", "alice", "--access-key", "AK1")
    assert list(user.users()["alice"].keys) == ["AK2", "AK3", "AK4", facts["access_key"]]


def test_a_user_is_removed(user: Command) -> None:
    assert user("remove", "alice") == "alice is removed; buckets of the id 0f3a stay\n"
    assert list(user.users()) == ["bob"]
    assert user.json("remove", "bob") == {"name": "bob", "id": "bob", "removed": True}
    assert user.file.read_text().strip() == "# Ours."


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["add", "alice"], "a user 'alice' already; a new key comes with s3gate user rotate alice"),
        (["add", "carol", "--access-key", "AK1"], "access key 'AK1' belongs to 'alice' already"),
        (["add", "carol", "--access-key", "a/b"], "--access-key: has to be 3 to 128 of"),
        (["add", "carol", "--id", "0f3a"], "'0f3a' stands there twice"),
        (["add", ""], "the new user:2: user.name: has to be text"),
        (["add", "carol", "--scope", "/x"], "user.scopes: has to be a list of buckets"),
        (["add", "carol", "--email", "x"], "user.email: has to be an address"),
        (["list", "carol"], "there is no user 'carol'; there are: alice, bob"),
        (["disable", "carol"], "there is no user 'carol'"),
        (["enable", "carol"], "there is no user 'carol'"),
        (["rotate", "carol"], "there is no user 'carol'"),
        (["remove", "carol"], "there is no user 'carol'"),
        (["disable", "bob", "--access-key", "AK1"], "'bob' has no access key 'AK1'"),
        (["rotate", "bob", "--access-key", "AK1"], "'bob' has no access key 'AK1'"),
    ],
)
def test_what_cannot_be_done(user: Command, arguments: list[str], says: str) -> None:
    assert user(*arguments, status=1) == ""
    assert user.err.startswith("s3gate: ")
    assert says in user.err
    assert user.file.read_text() == TEXT


def test_a_secret_that_is_none(user: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("hush\n"))
    user("add", "carol", "--secret-stdin", status=1)
    assert "--secret-stdin: has to be text of 8 to 256" in user.err
    assert "hush" not in user.err


@pytest.mark.parametrize("command", ["list", "disable", "enable", "rotate", "remove"])
def test_a_file_that_is_not_there_is_not_made(none: Command, command: str) -> None:
    none(command, "alice", status=1)
    assert "No such file" in none.err
    assert not none.file.exists()


def test_a_new_user_that_cannot_be_makes_no_file(none: Command) -> None:
    none("add", "carol", "--email", "x", status=1)
    assert not none.file.exists()


@pytest.mark.parametrize("command", ["list", "disable", "rotate", "remove", "add"])
def test_a_file_that_others_may_read_is_not_touched(user: Command, command: str) -> None:
    user.file.chmod(0o644)
    user(command, "alice", status=1)
    assert "chmod 600" in user.err
    assert user.file.read_text() == TEXT


def test_a_file_that_is_wrong_is_not_touched(user: Command) -> None:
    for data in (b"[[user]]\nnom = 'a'\n", b"# \xff\n"):
        user.file.write_bytes(data)
        user("add", "carol", status=1)
        assert user.file.read_bytes() == data


def test_root_may_change_what_is_somebody_elses(
    user: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.fstat

    def somebodys(fd: int) -> os.stat_result:
        found = real(fd)
        return os.stat_result((*found[:4], 4321, *found[5:10]))

    monkeypatch.setattr("s3daemon.auth.credentials_file.os.fstat", somebodys)
    monkeypatch.setattr("os.geteuid", lambda: 0)
    assert user("list", "bob")
    monkeypatch.setattr("os.geteuid", lambda: 1)
    user("list", status=1)
    assert "belongs to the user with number 4321" in user.err


def test_whoever_made_it_as_root_is_told(none: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 0)
    none("add", "carol")
    assert "chown it to the daemon's user" in none.err
    none("add", "dave")
    assert "chown" not in none.err


def test_two_commands_at_once_lose_nothing(
    none: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    begin = threading.Barrier(8)

    def add(number: int) -> None:
        begin.wait()
        main(["user", "add", f"user{number}", "--file", str(none.file)])

    threads = [threading.Thread(target=add, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(none.users()) == {f"user{number}" for number in range(8)}
    assert "Error" not in capsys.readouterr().err


# ---------------------------------------------------------------- where the file is


def settings(tmp_path: Path, credentials: str) -> Path:
    file = tmp_path / "s3gate.toml"
    file.write_text(f'[store]\nroot = "data"\n[auth]\ncredentials = "{credentials}"\n')
    return file


def test_the_settings_say_where(user: Command, tmp_path: Path, monkeypatch: Any) -> None:
    file = settings(tmp_path, "users.toml")
    assert main(["user", "list", "bob", "--config", str(file)]) == 0
    monkeypatch.setattr("s3daemon.ops.user_commands.SETTINGS", file)
    assert main(["user", "list", "bob"]) == 0


def test_nobody_says_where(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("s3daemon.ops.user_commands.SETTINGS", tmp_path / "none.toml")
    assert main(["user", "list"]) == 1
    assert "Say it with --file FILE, or name the daemon's settings" in capsys.readouterr().err
    assert main(["user", "list", "--config", str(settings(tmp_path, ""))]) == 1
    assert "auth.credentials: names no file of users" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([], "required: COMMAND"),
        (["frobnicate"], "invalid choice"),
        (["add"], "required: name"),
        (["list", "--file", "f", "--config", "c"], "not allowed with"),
        (["add", "x", "--uid", "root"], "invalid int value"),
        (["add", "x", "--expires", "soon"], "a duration such as 90d, or a time such as"),
        (["add", "x", "--expires", "2027-01-01T00:00:00"], "with its offset"),
        (["add", "x", "--expires", "2020-01-01T00:00:00Z"], "in the future"),
        (["rotate", "x", "--keep", "1"], 'a duration from "1s" to "3650d"'),
    ],
)
def test_what_is_no_command(
    arguments: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["user", *arguments])
    assert caught.value.code == 2
    assert says in capsys.readouterr().err


@pytest.mark.parametrize("command", ["add", "list", "disable", "enable", "rotate", "remove"])
def test_help(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["user", command, "--help"])
    assert caught.value.code == 0
    assert f"usage: s3gate user {command}" in capsys.readouterr().out
