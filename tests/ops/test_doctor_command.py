"""``s3gate doctor``: what it prints, and with which status it ends."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from s3daemon.ops import doctor_command
from s3daemon.ops.admin import main
from s3daemon.ops.doctor_command import Examination, Table, summary
from s3daemon.store.posix.doctor.findings import Finding, Verdict
from tests.store.posix.disks import tree


def program(text: str) -> list[str]:
    return [sys.executable, "-c", text]


def finding(verdict: Verdict = Verdict.OK, **text: str) -> Finding:
    return Finding("calls", "link", True, text.get("found", "yes"), text.get("means", "m"), verdict)


def test_a_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", str(tmp_path)]) == 0
    got = capsys.readouterr()
    assert got.err == ""
    lines = got.out.splitlines()
    assert any(line.startswith("ok   names   depth") for line in lines)
    assert lines[-1].endswith("0 failures: it can hold a store")
    assert tree(tmp_path) == set()
    assert (tmp_path / ".s3gate/probe.json").exists()


def test_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "--json", str(tmp_path)]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["root"] == str(tmp_path)
    assert told["error"] is None
    assert told["verdict"] in ("ok", "warn")
    found = {(one["section"], one["what"]): one for one in told["findings"]}
    assert found["names", "longest name"]["value"] in range(100, 256)
    assert set(found["chosen", "records"]) == {
        "section", "what", "value", "found", "means", "verdict",
    }  # fmt: skip


def test_no_root(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", str(tmp_path / "missing")]) == 1
    got = capsys.readouterr()
    assert (got.out, got.err.count("\n")) == ("", 1)
    assert "does not exist" in got.err
    assert main(["doctor", "--json", str(tmp_path / "missing")]) == 1
    told = json.loads(capsys.readouterr().out)
    assert told["verdict"] == "fail"
    assert "does not exist" in told["error"]


@pytest.mark.parametrize("text", ["0", "x", "5", "2h"])
def test_how_long(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["doctor", "/", "--within", text])
    assert "a duration from" in capsys.readouterr().err


@pytest.mark.skipif(os.geteuid() != 0, reason="gives a directory to somebody else")
@pytest.mark.parametrize("whose", ["", ".s3gate"])
def test_root_does_not_make_what_the_owner_cannot_use(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], whose: str
) -> None:
    (tmp_path / whose).mkdir(exist_ok=True)
    os.chown(tmp_path / whose, 1000, 1000)
    assert main(["doctor", str(tmp_path)]) == 1
    assert "setpriv --reuid=1000" in capsys.readouterr().err
    assert tree(tmp_path) == set()


# ---------------------------------------------------------------- the program


def test_a_file_system_that_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    text = 'import sys; print(\'{"trying": "names"}\', flush=True); sys.stdin.read()'
    read, write = os.pipe()
    popen = subprocess.Popen

    def with_input(command: list[str], **how: object) -> subprocess.Popen[bytes]:
        return popen(command, stdin=read, **how)  # type: ignore[call-overload,no-any-return]

    monkeypatch.setattr(doctor_command.subprocess, "Popen", with_input)
    examination = Examination(program(text), 1.0)
    (found,) = examination.findings()
    assert (found.section, found.what, found.verdict) == ("names", "not finished", Verdict.FAIL)
    assert found.found == "no answer within 1s"
    assert examination.error == ""
    os.close(read)
    os.close(write)


@pytest.mark.parametrize("end", ["raise SystemExit(3)", "import os; os.kill(os.getpid(), 9)"])
def test_one_that_ends_in_the_middle(end: str) -> None:
    text = f'print(\'{{"trying": "names"}}\', flush=True)\n{end}'
    examination = Examination(program(text), 60)
    assert list(examination.findings()) == []
    assert examination.error == "the examination ended in the middle, trying names"


def test_what_lies_about_is_not_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Root may be in a directory where anybody can put files."""
    (tmp_path / "here").mkdir()
    (tmp_path / "root").mkdir()
    (tmp_path / "here/json.py").write_text("raise SystemExit('this is not json')")
    monkeypatch.chdir(tmp_path / "here")
    package = Path(doctor_command.__file__).parents[2]
    monkeypatch.setenv("PYTHONPATH", str(package))
    assert main(["doctor", str(tmp_path / "root")]) == 0
    assert "it can hold a store" in capsys.readouterr().out


def test_what_is_not_wanted_any_more_is_ended(tmp_path: Path) -> None:
    """As when whoever reads the table goes away."""
    command = [sys.executable, "-m", "s3daemon.store.posix.doctor", str(tmp_path)]
    findings = Examination(command, 60).findings()
    next(findings)
    findings.close()
    assert tree(tmp_path) == set()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_program_clears_away_when_it_is_told_to_end(tmp_path: Path, number: int) -> None:
    command = [sys.executable, "-m", "s3daemon.store.posix.doctor", str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if "trying" in json.loads(line):
                break
        process.send_signal(number)
        process.stdout.read()
        assert process.wait(60) == 1
    assert tree(tmp_path) == set()


# ---------------------------------------------------------------- words


def test_the_summary() -> None:
    assert summary([finding()]) == "1 ok, 0 warnings, 0 failures: it can hold a store"
    told = summary([finding(), finding(Verdict.WARN), finding(Verdict.FAIL)])
    assert told == "1 ok, 1 warnings, 1 failures: promises would be broken here"


@pytest.mark.parametrize("width", [20, 80, 120, 200])
def test_lines_fit(width: int) -> None:
    text = "a rather long explanation of what that means, which goes on and on"
    lines = Table(width).line(finding(found="1, 2\x1b[31m, 3", means=text)).splitlines()
    assert max(map(len, lines)) <= max(width, 94)
    assert lines[0].startswith("ok   calls   link")
    words = " ".join(" ".join(line[40:].split()) for line in lines)
    assert "\x1b" not in words
    assert "rather" in words
    assert "on and on" in words


def test_a_peer(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", str(tmp_path), "--peer", str(tmp_path), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["verdict"] == "warn"  # it is the same mount
    assert any(one["section"] == "peer" for one in told["findings"])
