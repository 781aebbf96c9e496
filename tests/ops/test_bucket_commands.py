"""``s3gate bucket``: what it says, and what it changes."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from s3daemon.ops import bucket_commands
from s3daemon.ops.admin import main
from s3daemon.store.posix.store import PosixStore


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A store with two buckets."""
    store = PosixStore(tmp_path)
    for name in ("one", "two"):
        store.buckets.create(name, "alice")
    store.close()
    return tmp_path


def test_set_and_show(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["bucket", "durability", str(root)]
    assert main(command) == 0
    assert capsys.readouterr().out == "default  one\ndefault  two\n"
    assert main([*command, "one", "relaxed"]) == 0
    assert capsys.readouterr().out == "relaxed  one\n"
    assert main([*command, "one"]) == 0
    assert capsys.readouterr().out == "relaxed  one\n"
    assert main([*command, "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"one": "relaxed", "two": "default"}
    assert main([*command, "one", "default"]) == 0
    assert capsys.readouterr().out == "default  one\n"
    store = PosixStore(root)
    assert store.buckets.get("one").durability is None
    store.close()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["three"], "there is no bucket 'three'"),
        (["one:in", "data"], "has the level of that one"),
    ],
)
def test_what_cannot_be(
    root: Path, arguments: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["bucket", "durability", str(root), *arguments]) == 1
    got = capsys.readouterr()
    assert got.out == ""
    assert says in got.err


def test_no_root(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bucket", "durability", str(tmp_path / "none")]) == 1
    assert "none" in capsys.readouterr().err


def test_a_level_that_there_is_not(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["bucket", "durability", str(root), "one", "fast"])
    assert "invalid choice: 'fast'" in capsys.readouterr().err


@pytest.mark.parametrize("served", [True, False])
def test_root_acts_as_the_one_that_serves(
    tmp_path: Path, served: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it makes must be the gateway's."""
    acted: list[tuple[str, int]] = []
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(os, "getegid", lambda: 0)
    monkeypatch.setattr(os, "seteuid", lambda user: acted.append(("user", user)))
    monkeypatch.setattr(os, "setegid", lambda group: acted.append(("group", group)))
    if served:
        PosixStore(tmp_path).close()
    owner = tmp_path.stat()
    with bucket_commands._opened(tmp_path):
        pass
    assert acted == [
        ("group", owner.st_gid),
        ("user", owner.st_uid),
        ("user", 0),
        ("group", 0),
    ]
