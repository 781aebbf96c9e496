"""Root changes a store as the user whose gateway serves it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from s3daemon.ops.as_owner import as_owner


class Process:
    """Remembers who it is."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, user: int) -> None:
        self.user, self.group = user, user
        self.stat: dict[str, tuple[int, int]] = {}
        monkeypatch.setattr(os, "geteuid", lambda: self.user)
        monkeypatch.setattr(os, "getegid", lambda: self.group)
        monkeypatch.setattr(os, "seteuid", self._be)
        monkeypatch.setattr(os, "setegid", self._be_in)

    def _be(self, user: int) -> None:
        self.user = user

    def _be_in(self, group: int) -> None:
        assert self.user == 0 or group == self.group, "only root may"
        self.group = group


@pytest.mark.parametrize("private", [True, False])
def test_root_is_the_owner(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, private: bool) -> None:
    if private:
        (tmp_path / ".s3gate").mkdir()
    owner = os.stat(tmp_path)
    process = Process(monkeypatch, 0)
    with as_owner(tmp_path):
        assert (process.user, process.group) == (owner.st_uid, owner.st_gid)
    assert (process.user, process.group) == (0, 0)


def test_anybody_else_stays_who_they_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    process = Process(monkeypatch, 4711)
    with as_owner(tmp_path):
        assert process.user == 4711


def test_there_is_no_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Process(monkeypatch, 0)
    with pytest.raises(FileNotFoundError), as_owner(tmp_path / "absent"):
        pass
