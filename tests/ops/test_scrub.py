"""``s3gate scrub``: what it prints, with which status it ends, and how it goes on."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest

from s3daemon.ops import scrub_commands
from s3daemon.ops.admin import main
from s3daemon.store.posix.scrub.findings import Totals
from s3daemon.store.posix.scrub.pacing import Pacer
from s3daemon.store.posix.store import PosixStore
from tests.store.tools import put


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Two objects, in two buckets."""
    path = tmp_path / "root"
    path.mkdir()
    store = PosixStore(path, "relaxed")
    for bucket in ("one", "two"):
        store.buckets.create(bucket, "alice")
        put(store, bucket, "k\n", b"hello")
    store.close()
    return path


def spoil(path: Path) -> None:
    """Change the bytes of a file and nothing else."""
    st = path.stat()
    path.write_bytes(b"HELLO")
    os.utime(path, ns=(st.st_atime_ns, st.st_mtime_ns))


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    """The JSON objects that were printed."""
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_all_is_well(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["scrub", str(root)]) == 0
    out = capsys.readouterr().out
    assert "objects 2, verified 2," in out
    assert "10 B verified" in out
    assert "damage 0, inconsistent 0, leftover 0, note 0" in out


@pytest.mark.parametrize(
    ("count", "shown"),
    [
        (0, "0 B"),
        (1023, "1023 B"),
        (1536, "1.5 KiB"),
        (1 << 30, "1.0 GiB"),
        (1 << 52, "4096.0 TiB"),
    ],
)
def test_sizes_for_people(count: int, shown: str, capsys: pytest.CaptureFixture[str]) -> None:
    scrub_commands.summarise(Totals(verified_bytes=count), as_json=False)
    assert f"; {shown} verified\n" in capsys.readouterr().out


def test_what_is_found(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    spoil(root / "two" / "k\n")
    assert main(["scrub", str(root), "--rate", "0"]) == 3
    out = capsys.readouterr().out.splitlines()
    assert out[0].startswith("damage: content-mismatch: two/k\\n: the ETag is 5d41402abc4b2a76")
    assert out[-1].startswith("damage 1,")


def test_json(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    spoil(root / "two" / "k\n")
    assert main(["scrub", "--json", str(root)]) == 3
    found, summary = lines(capsys)
    assert (found["kind"], found["level"]) == ("content-mismatch", "damage")
    assert (found["bucket"], found["key"], found["path"]) == ("two", "k\n", "two/k\n")
    assert found["repair"] is None
    assert summary["summary"]["objects"] == 2
    assert summary["summary"]["found"] == {"content-mismatch": 1}
    assert summary["summary"]["levels"]["damage"] == 1


def test_leftovers_are_no_failure(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (root / "one" / ".s3gate" / "staging").mkdir(parents=True, exist_ok=True)
    (root / "one" / ".s3gate" / "staging" / ("0" * 32)).touch()
    assert main(["scrub", str(root)]) == 0
    assert "leftover 0" in capsys.readouterr().out
    assert main(["scrub", str(root), "--older", "0"]) == 0
    assert "leftover: staged: one/.s3gate/staging/0000" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("target", "objects"), [("one", 1), ("one/k", 1), ("one/x", 0), ("one/", 1)]
)
def test_a_part_of_it(
    root: Path, target: str, objects: int, capsys: pytest.CaptureFixture[str]
) -> None:
    spoil(root / "two" / "k\n")
    assert main(["scrub", str(root), target]) == 0
    assert f"objects {objects}," in capsys.readouterr().out


def test_since(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["scrub", str(root), "--since", "1h"]) == 0
    assert "verified 2," in capsys.readouterr().out
    assert main(["scrub", str(root), "--since", "2100-01-01T00:00:00+00:00"]) == 0
    assert "verified 0," in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["/nonexistent"], "No such file"),
        (["ROOT", "absent"], "there is no bucket 'absent'"),
        (["ROOT", "--state", "ROOT/two/k\n"], "is no state of a scrub"),
    ],
)
def test_what_cannot_be_done(
    root: Path, arguments: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["scrub", *(text.replace("ROOT", str(root)) for text in arguments)]) == 1
    got = capsys.readouterr()
    assert got.err.startswith("s3gate: ")
    assert says in got.err


@pytest.mark.parametrize(
    "arguments", [["--rate", "fast"], ["--since", "tuesday"], ["--since", "2026-01-01T00:00:00"]]
)
def test_what_cannot_be_asked_for(root: Path, arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["scrub", str(root), *arguments])
    assert caught.value.code == 2


def test_it_goes_on_where_it_was_stopped(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    state = tmp_path / "state"
    for bucket in ("one", "two"):
        spoil(root / bucket / "k\n")

    class Killing(Pacer):
        """The second content is one too many."""

        left = 2

        def spend(self, size: int) -> None:
            self.left -= size == 5
            if not self.left:
                os.kill(os.getpid(), signal.SIGTERM)
            super().spend(size)

    before = signal.getsignal(signal.SIGTERM)
    options = ["--json", "--state", str(state)]
    command = ["scrub", str(root), *options]
    with monkeypatch.context() as patched:
        patched.setattr(scrub_commands, "Pacer", Killing)
        assert main(command) == 1
    assert signal.getsignal(signal.SIGTERM) is before
    got = capsys.readouterr()
    assert f"--state {state} goes on from here" in got.err
    assert [json.loads(line)["bucket"] for line in got.out.splitlines()] == ["one"]
    # Not with something else.
    assert main(["scrub", str(root), "one", *options]) == 1
    assert "is of an unfinished scrub of" in capsys.readouterr().err
    # The summary is that of both; so is the status.
    assert main(command) == 3
    second, summary = lines(capsys)
    assert second["bucket"] == "two"
    assert summary["summary"]["found"] == {"content-mismatch": 2}
    # Finished: the next one begins anew.
    assert main(command) == 3
    assert len(lines(capsys)) == 3


def test_the_state_is_saved_now_and_then(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    saved: list[int] = []
    monkeypatch.setattr(scrub_commands, "_SAVE_EVERY", 0.0)
    monkeypatch.setattr(
        scrub_commands.scrub_state, "save", lambda path, state, finished: saved.append(finished)
    )
    assert main(["scrub", str(root), "--state", str(tmp_path / "state")]) == 0
    assert saved == [False, False, True]
