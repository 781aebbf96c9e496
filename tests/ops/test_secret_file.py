"""Files with secrets: one changes them at a time, and nobody sees half of one."""

from __future__ import annotations

import os
import stat
import threading
from pathlib import Path

import pytest

from s3daemon.ops.secret_file import locked, replace


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def unexpected() -> None:
    raise AssertionError("nobody else has it")


@pytest.mark.parametrize("umask", [0o000, 0o277])
def test_a_new_file_is_for_its_owner(tmp_path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        replace(tmp_path / "f", b"x")
    finally:
        os.umask(before)
    assert mode(tmp_path / "f") & 0o077 == 0
    assert (tmp_path / "f").read_bytes() == b"x"
    assert os.listdir(tmp_path) == ["f"]


@pytest.mark.parametrize(("before", "after"), [(0o600, 0o600), (0o400, 0o400), (0o644, 0o600)])
def test_mode_and_owner_stay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, before: int, after: int
) -> None:
    file = tmp_path / "f"
    file.write_text("old")
    file.chmod(before)
    given: list[tuple[int, int]] = []
    real = os.stat

    def somebodys(path: object) -> os.stat_result:
        found = real(path)  # type: ignore[call-overload]
        return os.stat_result((*found[:4], 4321, 1234, *found[6:]))

    monkeypatch.setattr("s3daemon.ops.secret_file.os.stat", somebodys)
    monkeypatch.setattr(
        "s3daemon.ops.secret_file.os.fchown", lambda fd, uid, gid: given.append((uid, gid))
    )
    replace(file, b"new")
    monkeypatch.undo()
    assert mode(file) == after
    assert given == [(4321, 1234)]
    assert file.read_bytes() == b"new"


def test_what_a_crash_left_is_cleared_away(tmp_path: Path) -> None:
    (tmp_path / ".f.new").symlink_to(tmp_path / "elsewhere")
    replace(tmp_path / "f", b"x")
    assert os.listdir(tmp_path) == ["f"]


@pytest.mark.parametrize("call", ["fsync", "rename", "fchmod"])
def test_a_failure_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    file = tmp_path / "f"
    file.write_text("old")

    def fail(*arguments: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(f"s3daemon.ops.secret_file.os.{call}", fail)
    with pytest.raises(OSError, match="No space"):
        replace(file, b"new")
    assert file.read_text() == "old"
    assert os.listdir(tmp_path) == ["f"]


def test_the_content_is_durable_before_the_name_and_the_name_before_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []
    fsync, rename = os.fsync, os.rename

    def synced(fd: int) -> None:
        done.append("directory" if stat.S_ISDIR(os.fstat(fd).st_mode) else "file")
        fsync(fd)

    def renamed(old: Path, new: Path) -> None:
        done.append("rename")
        rename(old, new)

    monkeypatch.setattr("s3daemon.ops.secret_file.os.fsync", synced)
    monkeypatch.setattr("s3daemon.ops.secret_file.os.rename", renamed)
    replace(tmp_path / "f", b"x")
    assert done == ["file", "rename", "directory"]


def test_the_end_of_a_link_is_what_changes(tmp_path: Path) -> None:
    file, link = tmp_path / "there" / "f", tmp_path / "link"
    file.parent.mkdir()
    file.touch()
    link.symlink_to("there/f")
    with locked(link, False, unexpected) as place:
        assert place == file


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), locked(tmp_path / "f", False, unexpected):
        pass
    with locked(tmp_path / "f", True, unexpected) as place:
        assert mode(place) == 0o600


def test_who_waited_gets_the_file_that_is_there_now(tmp_path: Path) -> None:
    """Each adds a line to what it finds: a lost change would be a lost line."""
    file = tmp_path / "f"
    waited: list[int] = []
    begin = threading.Barrier(8)

    def add(number: int) -> None:
        begin.wait()
        with locked(file, True, lambda: waited.append(number)) as place:
            lines = place.read_text()
            replace(place, f"{lines}{number}\n".encode())

    threads = [threading.Thread(target=add, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(file.read_text().split()) == [str(number) for number in range(8)]


def test_somebody_else_is_told_of(tmp_path: Path) -> None:
    file = tmp_path / "f"
    told = threading.Event()
    order: list[str] = []

    def second() -> None:
        with locked(file, True, told.set):
            order.append("second")

    with locked(file, True, unexpected):
        thread = threading.Thread(target=second)
        thread.start()
        assert told.wait(60)
        order.append("first")
    thread.join()
    assert order == ["first", "second"]
