"""``s3gate repair``: what it prints, what it changes, and with which status it ends."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from s3daemon.ops import repair_commands
from s3daemon.ops.admin import main
from s3daemon.store.posix.scrub.pacing import Pacer
from s3daemon.store.posix.store import PosixStore
from tests.store.tools import get, md5, put


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A stamp that is stale, a form that nobody sees, a leftover, and a content that is damaged."""
    path = tmp_path / "root"
    path.mkdir()
    store = PosixStore(path, "relaxed")
    store.buckets.create("bucket", "alice")
    for key in ("bad", "moved", "twice"):
        put(store, "bucket", key, b"hello")
    store.close()
    (path / "bucket" / "moved").touch()
    (path / "bucket" / ".s3gate%f+twice").write_bytes(b"old")
    staging = path / "bucket" / ".s3gate" / "staging"
    staging.mkdir(parents=True, exist_ok=True)
    (staging / ("0" * 32)).touch()
    return path


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    """The JSON objects that were printed."""
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def names(root: Path) -> list[str]:
    return sorted(str(path) for path in root.rglob("*"))


def etag_of(root: Path, key: str) -> str:
    store = PosixStore(root)
    etag = get(store, "bucket", key)[0].etag
    store.close()
    return etag


def test_it_only_says_what_it_would_do(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = names(root)
    assert main(["repair", str(root), "--older", "0"]) == 3
    out = capsys.readouterr().out.splitlines()
    assert [line.split(": ")[:4] for line in out[:-2]] == [
        ["would", "remove it", "leftover", "staged"],
        ["would", "remove the form that nobody sees", "inconsistent", "hidden-form"],
        ["would", "write the stamp anew", "inconsistent", "stale-stamp"],
    ]
    assert out[-2:] == ["would 3", "nothing has been changed: --apply does it"]
    assert names(root) == before
    assert etag_of(root, "moved") != md5(b"hello")


def test_it_does_it(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["repair", str(root), "--older", "0", "--apply"]) == 0
    out = capsys.readouterr().out.splitlines()
    assert all(line.startswith("repaired: ") for line in out[:3])
    assert out[3:] == ["repaired 3"]
    assert etag_of(root, "moved") == md5(b"hello")
    assert not (root / "bucket" / ".s3gate%f+twice").exists()
    assert main(["scrub", str(root), "--older", "0"]) == 0
    capsys.readouterr()
    assert main(["repair", str(root), "--older", "0", "--apply"]) == 0
    assert capsys.readouterr().out == "there is nothing to repair\n"


def test_only_some_kinds(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert (
        main(["repair", str(root), "--apply", "--json", "--older", "0", "--only", "stale-stamp"])
        == 3
    )
    *found, summary = lines(capsys)
    assert {(one["kind"], one["outcome"]) for one in found} == {
        ("stale-stamp", "repaired"),
        ("hidden-form", "left alone"),
        ("staged", "left alone"),
    }
    assert summary == {"summary": {"repaired": 1, "left alone": 2}}
    assert (root / "bucket" / ".s3gate%f+twice").exists()


def test_what_nothing_can_be_done_about(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (root / "bucket" / ".s3gate%x+what").touch()
    assert main(["repair", str(root), "--apply"]) == 3
    out = capsys.readouterr().out
    assert "not possible: nothing can be done: damage: bad-name: bucket/.s3gate%x+what" in out


def test_notes_are_left_out(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["repair", str(root), "--apply", "--older", "0"])
    (root / ".s3gate" / "notes").touch()
    capsys.readouterr()
    assert main(["repair", str(root)]) == 0
    assert "notes" not in capsys.readouterr().out


def test_what_fails_is_said(
    root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(*args: object) -> None:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr("s3daemon.store.posix.durable.Disk.unlink", refuse)
    assert main(["repair", str(root), "--apply", "--older", "0", "--json"]) == 1
    (hidden,) = (one for one in lines(capsys)[:-1] if one["kind"] == "hidden-form")
    assert (hidden["outcome"], hidden["error"]) == ("failed", "Read-only file system")


def test_it_can_be_stopped(
    root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Killing(Pacer):
        def spend(self, size: int) -> None:
            os.kill(os.getpid(), signal.SIGTERM)
            super().spend(size)

    monkeypatch.setattr(repair_commands, "Pacer", Killing)
    assert main(["repair", str(root), "--apply"]) == 1
    assert "stopped before the end" in capsys.readouterr().err


def test_there_is_no_such_bucket(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["repair", str(root), "absent"]) == 1
    assert "there is no bucket 'absent'" in capsys.readouterr().err


def test_it_is_done_as_the_user_of_the_gateway(
    root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    done: list[str] = []

    @contextmanager
    def as_owner(path: Path) -> Iterator[None]:
        assert path == root
        done.append("begin")
        yield
        done.append("end")

    monkeypatch.setattr(repair_commands, "as_owner", as_owner)
    monkeypatch.setattr(repair_commands, "scrub", lambda round_, bucket: done.append("work"))
    assert main(["repair", str(root)]) == 0
    assert done == ["work"]  # whoever only looks may be anybody
    assert main(["repair", str(root), "--apply"]) == 0
    assert done == ["work", "begin", "work", "end"]
