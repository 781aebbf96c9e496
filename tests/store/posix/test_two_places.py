"""A key that may be in several places has one object, whoever makes which place at what moment."""

from __future__ import annotations

from pathlib import Path

import pytest

from s3daemon.store.interfaces import Busy, ConditionConflict, ObjectExists
from s3daemon.store.posix import key_locks
from s3daemon.store.posix.store import PosixStore
from tests.store.posix.disks import Before
from tests.store.tools import content, put


@pytest.mark.parametrize("create_only", [True, False])
def test_nobody_creates_where_another_is_about_to_write_a_lesser_place(
    create_only: bool, root: Path, disk_store: PosixStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file ``k`` goes while ``k/x`` is written beside it: the directory ``k`` is free then."""
    monkeypatch.setattr(key_locks, "_PATIENCE", -1.0)
    other = PosixStore(root)
    created: list[bytes] = []

    def meanwhile() -> None:
        other.objects.delete("bucket", "k")
        try:
            put(other, "bucket", "k/x", b"created meanwhile", create_only=True)
            created.append(b"created meanwhile")
        except ConditionConflict:
            pass

    put(disk_store, "bucket", "k", b"in the way")
    disk_store.disk.hooks.append(meanwhile_hook := Before("link_fd", meanwhile))
    put(disk_store, "bucket", "k/x", b"written", create_only=create_only)
    assert meanwhile_hook.done
    assert created == []
    assert content(disk_store, "bucket", "k/x") == b"written"
    other.close()


def test_a_key_is_taken_in_whatever_place_it_is(disk_store: PosixStore) -> None:
    put(disk_store, "bucket", "k", b"in the way")
    put(disk_store, "bucket", "k/x", b"old")
    disk_store.objects.delete("bucket", "k")
    with pytest.raises(ObjectExists):
        put(disk_store, "bucket", "k/x", b"created", create_only=True)
    assert content(disk_store, "bucket", "k/x") == b"old"
    put(disk_store, "bucket", "k/x", b"plain")
    assert content(disk_store, "bucket", "k/x") == b"plain"


def test_a_lesser_place_is_not_written_while_somebody_holds_the_key(
    root: Path, disk_store: PosixStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who holds the lock alone has looked where the key is; a free lesser name may not come up."""
    monkeypatch.setattr(key_locks, "_PATIENCE", -1.0)
    put(disk_store, "bucket", "k", b"in the way")
    other = PosixStore(root)
    refused: list[type[Exception]] = []

    def meanwhile() -> None:
        try:
            put(other, "bucket", "k/x", b"plain")
        except Busy as exc:
            refused.append(type(exc))

    disk_store.disk.hooks.append(Before("link_fd", meanwhile))
    put(disk_store, "bucket", "k/x", b"created", create_only=True)
    assert refused == [Busy]
    assert content(disk_store, "bucket", "k/x") == b"created"
    other.close()
