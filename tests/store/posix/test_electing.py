"""One janitor for each root, and another one when it is gone."""

from __future__ import annotations

import errno
import fcntl
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from s3daemon.store.posix import PosixStore
from s3daemon.store.posix.electing import JANITOR

HOLDER = """
import sys
from pathlib import Path
from s3daemon.store.posix import PosixStore
store = PosixStore(Path(sys.argv[1]))
print(store.may_sweep(), flush=True)
sys.stdin.read()
"""


def test_one_of_all_is_elected_and_stays_so(tmp_path: Path) -> None:
    first, second = PosixStore(tmp_path), PosixStore(tmp_path)
    assert first.may_sweep()
    assert not second.may_sweep()
    assert first.may_sweep()
    first.close()
    assert second.may_sweep()
    second.close()


def test_roots_have_a_janitor_each(tmp_path: Path) -> None:
    stores = []
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        stores.append(PosixStore(tmp_path / name))
    assert all(store.may_sweep() for store in stores)


def test_a_janitor_that_is_killed_is_followed_by_another(tmp_path: Path) -> None:
    store = PosixStore(tmp_path)
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"True\n"
        assert not store.may_sweep()
        other.kill()
        other.wait()
    assert store.may_sweep()


def test_a_lock_on_a_file_that_is_gone_is_no_lock(tmp_path: Path) -> None:
    first, second = PosixStore(tmp_path), PosixStore(tmp_path)
    assert first.may_sweep()
    (tmp_path / os.fsdecode(JANITOR)).unlink()
    assert second.may_sweep()
    assert not first.may_sweep()


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS, errno.EIO])
def test_where_there_can_be_no_file_everybody_sweeps(tmp_path: Path, number: int) -> None:
    def fail(name: str, call: Any, *args: Any) -> Any:
        if name == "open_or_create":
            raise OSError(number, os.strerror(number))
        return call(*args)

    stores = [PosixStore(tmp_path, hooks=[fail]) for _ in range(2)]
    assert [store.may_sweep() for store in stores] == [True, True]


def test_where_there_are_no_locks_everybody_sweeps(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(fd: int, operation: int) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", fail)
    stores = [PosixStore(tmp_path) for _ in range(2)]
    assert [store.may_sweep() for store in stores] == [True, True]
