"""Whatever cannot be read is said, and does not keep the rest from being read."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from s3daemon.store.posix import orphans
from s3daemon.store.posix.records import XattrMetadata
from s3daemon.store.posix.scrub.findings import Finding, Totals
from tests.store.posix.scrub.tools import OBJECTS, fill, kinds, poor_store, scrubbed


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A root with one of everything, which is only read."""
    root = tmp_path_factory.mktemp("unreadable") / "root"
    root.mkdir()
    store = poor_store(root)
    fill(store)
    (root / "bucket" / (".s3gate%D+" + "0" * 64)).mkdir()
    store.close()
    return root


class FailsAt:
    """Fails the n-th call (from 0), once."""

    def __init__(self, number: int, real: Callable[..., Any], code: int) -> None:
        self._left = number
        self._real = real
        self._code = code
        self.fired = False

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        self._left -= 1
        if self._left == -1:
            self.fired = True
            raise OSError(self._code, os.strerror(self._code))
        return self._real(*args, **kwargs)


def with_failure(
    monkeypatch: pytest.MonkeyPatch, root: Path, where: Any, name: str, number: int, code: int
) -> tuple[bool, list[Finding], Totals | None]:
    """Scrub with one failing call: whether it came to that, and what was found."""
    fails = FailsAt(number, getattr(where, name), code)
    with monkeypatch.context() as patched:
        patched.setattr(
            where, name, fails if where is os else lambda *args, **kw: fails(*args, **kw)
        )
        try:
            found, totals = scrubbed(root, before_ns=1)
        except OSError:
            return fails.fired, [], None  # the root itself
    return fails.fired, found, totals


@pytest.mark.parametrize("code", [errno.EIO, errno.EACCES], ids=errno.errorcode.get)
@pytest.mark.parametrize(
    ("where", "name"),
    [
        *((os, name) for name in ("open", "scandir", "listdir", "stat", "fstat", "pread")),
        (XattrMetadata, "load"),
    ],
    ids=lambda one: one if isinstance(one, str) else "",
)
def test_one_call_fails(
    monkeypatch: pytest.MonkeyPatch, filled: Path, where: Any, name: str, code: int
) -> None:
    ended = 0
    for number in range(1000):
        fired, found, totals = with_failure(monkeypatch, filled, where, name, number, code)
        if not fired:
            assert found == []
            assert number > 1
            break
        ended += totals is None
        assert set(kinds(found)) <= {"unreadable"}, (number, found)
        if totals is not None and not found:
            # It was a second opinion, such as whether a lock is there, or another way was found.
            assert totals.objects + totals.skipped >= OBJECTS - 1
    assert ended <= 8, "what cannot be read does not end it"


@pytest.mark.parametrize("name", ["open", "scandir", "listdir"])
def test_what_vanishes_meanwhile_is_nobodys_business(
    monkeypatch: pytest.MonkeyPatch, filled: Path, name: str
) -> None:
    for number in range(1000):
        fired, found, _ = with_failure(monkeypatch, filled, os, name, number, errno.ESTALE)
        if not fired:
            return
        assert found == [], number


def test_sidecars_that_cannot_be_looked_for(monkeypatch: pytest.MonkeyPatch, filled: Path) -> None:
    def refuse(*args: object) -> list[str]:
        raise OSError(errno.EIO, "no")

    monkeypatch.setattr(orphans, "find", refuse)
    (filled / ".s3gate").mkdir(exist_ok=True)
    (filled / ".s3gate" / "records").mkdir()
    try:
        assert kinds(scrubbed(filled, before_ns=1)[0]) == ["unreadable"]
    finally:
        (filled / ".s3gate" / "records").rmdir()
