"""The users of a daemon: from the start, and after every change of their file."""

from __future__ import annotations

from pathlib import Path

import pytest
from twisted.internet.task import Clock
from twisted.internet.testing import MemoryReactorClock
from twisted.logger import LogLevel, capturedLogs

from s3daemon.ops.hangup import HangUp
from s3daemon.ops.live_users import LiveUsers
from s3daemon.ops.watching import INTERVAL
from s3daemon.streams.pool import SynchronousPool
from s3daemon.toml_file import SettingError

TEXT = '[[user]]\nname = "{}"\nkeys = [{{ access_key = "{}", secret_key = "hush-hush" }}]\n'
KEYS = {"S3GATE_ACCESS_KEY": "AK1", "S3GATE_SECRET_KEY": "hush-hush"}


def write(file: Path, text: str) -> Path:
    file.touch(0o600)
    file.write_text(text)
    return file


def test_without_users_nobody_gets_in() -> None:
    with pytest.raises(SettingError, match=r"auth\.credentials: is missing: in mode sigv4"):
        LiveUsers.read("", True, {})
    users = LiveUsers.read("", False, {})
    assert (users.directory.size, users.shown, users.reloadable) == (0, "none", None)


def test_what_the_environment_says_cannot_change() -> None:
    users = LiveUsers.read("", True, KEYS)
    assert users.directory.find("AK1") is not None
    assert users.reloadable is None
    hang_up = HangUp([], SynchronousPool(), MemoryReactorClock())
    assert users.watcher(hang_up, SynchronousPool(), Clock()) is None


def test_an_environment_that_does_not_count_is_told_of(tmp_path: Path) -> None:
    file = write(tmp_path / "users.toml", TEXT.format("bob", "BK1"))
    with capturedLogs() as events:
        users = LiveUsers.read(str(file), True, KEYS)
    assert users.directory.find("AK1") is None
    assert [event["log_level"] for event in events] == [LogLevel.warn]


def test_a_change_of_the_file_needs_no_signal(tmp_path: Path) -> None:
    file = write(tmp_path / "users.toml", TEXT.format("alice", "AK1"))
    users = LiveUsers.read(str(file), True, {})
    pool, clock = SynchronousPool(), Clock()
    assert users.reloadable is not None
    watcher = users.watcher(HangUp([users.reloadable], pool, MemoryReactorClock()), pool, clock)
    assert watcher is not None
    watcher.startService()

    def look() -> list[str]:
        with capturedLogs() as events:
            clock.advance(INTERVAL)
        return [event["log_level"].name for event in events]

    assert look() == []
    write(file, TEXT.format("bob", "BK1"))
    assert look() == ["info"]
    assert users.directory.find("BK1") is not None
    assert users.directory.find("AK1") is None

    write(file, "[[user]]\nnom = 1\n")
    assert look() == ["error"]
    assert look() == [], "once is enough"
    assert users.directory.find("BK1") is not None, "what was good stays"

    file.unlink()
    assert look() == ["error"]
    assert look() == []
    assert users.directory.find("BK1") is not None

    write(file, TEXT.format("carol", "CK1"))
    assert look() == ["info"]
    assert users.directory.find("CK1") is not None
    watcher.stopService()


def test_what_changes_while_the_daemon_starts_is_a_change(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = write(tmp_path / "users.toml", TEXT.format("alice", "AK1"))
    from s3daemon.auth import credentials_file

    real = credentials_file.load

    def load(path: Path) -> object:
        found = real(path)
        write(file, TEXT.format("bob", "BOBKEY"))
        return found

    monkeypatch.setattr("s3daemon.auth.credentials_file.load", load)
    users = LiveUsers.read(str(file), True, {})
    monkeypatch.undo()
    pool, clock = SynchronousPool(), Clock()
    assert users.reloadable is not None
    watcher = users.watcher(HangUp([users.reloadable], pool, MemoryReactorClock()), pool, clock)
    assert watcher is not None
    watcher.startService()
    clock.advance(INTERVAL)
    assert users.directory.find("BOBKEY") is not None
    watcher.stopService()
