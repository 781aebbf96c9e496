"""Locks are proved by two processes, whatever else this one has open."""

from __future__ import annotations

import os
import resource
from collections.abc import Iterator
from pathlib import Path

import pytest

from s3daemon.store.posix import lock_proof
from s3daemon.store.posix.lock_proof import proved

#: More than select(2) can tell apart.
MANY = 1100


@pytest.fixture
def _many_descriptors() -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < MANY + 100:
        pytest.skip("so many descriptors are not allowed here")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, MANY + 100), hard))
    opened = [os.open(os.devnull, os.O_RDONLY) for _ in range(MANY)]
    yield
    for fd in opened:
        os.close(fd)
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.usefixtures("_many_descriptors")
def test_a_process_with_many_descriptors_can_prove_locks(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert proved(tmp_path / "file") != ""


def test_a_busy_machine_is_no_file_system_without_locks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For its start the other process is given longer than for its answers."""
    (tmp_path / "file").touch()
    patience: list[int] = []
    real = lock_proof._Other._answer

    def note(other: lock_proof._Other, seconds: int) -> str:
        patience.append(seconds)
        return real(other, seconds)

    monkeypatch.setattr(lock_proof._Other, "_answer", note)
    assert proved(tmp_path / "file") != ""
    assert patience[0] > 2 * max(patience[1:])
