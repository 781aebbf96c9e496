"""The ``s3gate`` command: what it prints, and with which status it ends."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

import s3daemon
from s3daemon.ops.admin import main


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["version"]) == 0
    assert capsys.readouterr().out == f"s3gate {s3daemon.__version__}\n"


def test_check_config(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "f.toml"
    file.write_text('[store]\nroot = "data"\n')
    assert main(["check-config", str(file)]) == 0
    assert f'root = "{tmp_path}/data"' in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["check-config", "/nonexistent.toml"], "cannot be read"),
    ],
)
def test_what_is_wrong_is_said_on_standard_error(
    arguments: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 1
    got = capsys.readouterr()
    assert got.out == ""
    assert got.err.startswith("s3gate: ")
    assert says in got.err
    assert "Traceback" not in got.err


@pytest.mark.parametrize("arguments", [[], ["nonsense"], ["doctor"]])
def test_what_it_does_not_know(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    assert "usage: s3gate" in capsys.readouterr().err


def test_run_hands_over_to_twistd(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    seen: list[Any] = []
    monkeypatch.setattr("twisted.scripts.twistd.run", lambda: seen.append(sys.argv))
    monkeypatch.setattr(sys, "argv", [])
    root, state = tmp_path / "data", tmp_path / "run"
    assert main(["run", "--root", str(root), "--state", str(state), "--port", "12345"]) == 0
    (argv,) = seen
    assert argv == [
        "twistd",
        "--nodaemon",
        "--pidfile=",
        "s3gate",
        f"--root={root}",
        f"--credentials={state}/credentials.toml",
        "--listen=tcp:12345:interface=127.0.0.1",
    ]
    assert root.is_dir()
    out = capsys.readouterr().out
    assert out.count("curl -K") == 3
    assert f". {state}/aws.env" in out
    assert "http://127.0.0.1:12345" in out
