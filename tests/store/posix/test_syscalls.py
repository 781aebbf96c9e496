"""Calls that a signal interrupts are made again, where Python does not see to it."""

from __future__ import annotations

import ctypes
import errno
import os
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from s3daemon.store.posix import syscalls


class Interrupted:
    """A call that fails twice, and then says this."""

    def __init__(self, result: int, *codes: int) -> None:
        self._codes = list(codes)
        self._result = result
        self.left = self._codes

    def __call__(self, *args: Any) -> int:
        if self._codes:
            ctypes.set_errno(self._codes.pop(0))
            return -1
        return self._result


#: What is called, the name of the call beneath it, and what it says in the end.
CALLS: list[tuple[Callable[[], object], str, int, object]] = [
    (lambda: syscalls.openat2(3, b"a", os.O_RDONLY, 0), "_syscall_openat2", 77, 77),
    (lambda: syscalls.punch_hole(3, 0, 1), "_fallocate", 0, None),
    (lambda: syscalls.XattrReader().read(3, b"user.a"), "_fgetxattr", 0, b""),
    (lambda: syscalls.syncfs(3), "syncfs", 0, None),
    (lambda: syscalls.file_system_type(3), "fstatfs", 0, 0),
]


def _replace(monkeypatch: pytest.MonkeyPatch, name: str, call: Interrupted) -> None:
    if name.startswith("_"):
        monkeypatch.setattr(syscalls, name, call)
    else:
        monkeypatch.setattr(syscalls, "_libc", SimpleNamespace(**{name: call}))


@pytest.mark.parametrize(("call", "name", "result", "said"), CALLS, ids=[row[1] for row in CALLS])
def test_interrupted(
    monkeypatch: pytest.MonkeyPatch,
    call: Callable[[], object],
    name: str,
    result: int,
    said: object,
) -> None:
    below = Interrupted(result, errno.EINTR, errno.EINTR)
    _replace(monkeypatch, name, below)
    assert call() == said
    assert not below.left


@pytest.mark.parametrize(("call", "name", "result", "said"), CALLS, ids=[row[1] for row in CALLS])
def test_other_errors(
    monkeypatch: pytest.MonkeyPatch,
    call: Callable[[], object],
    name: str,
    result: int,
    said: object,
) -> None:
    _replace(monkeypatch, name, Interrupted(result, errno.EINTR, errno.EIO))
    with pytest.raises(OSError, match="Input/output") as raised:
        call()
    assert raised.value.errno == errno.EIO


def test_a_renaming_is_not_made_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    _replace(monkeypatch, "renameat2", Interrupted(0, errno.EINTR))
    with pytest.raises(InterruptedError):
        syscalls.rename_noreplace(b"a", 3, b"b", 4)


def test_a_long_attribute(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.touch()
    os.setxattr(path, "user.a", b"v" * 100)
    fd = os.open(path, os.O_RDONLY)
    try:
        assert syscalls.XattrReader(size=10).read(fd, b"user.a") == b"v" * 100
    finally:
        os.close(fd)
