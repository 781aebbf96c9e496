"""Listings of uploads do not read again what cannot have changed, and see what has."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from s3daemon.store.posix import upload_states
from s3daemon.store.posix.store import PosixStore
from s3daemon.store.posix.upload_states import UploadStates
from tests.store.tools import begin, complete, put_part, uploads_page


class Reads:
    """Counts the uploads that are opened."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.ids: list[str] = []
        self._real = upload_states.open_upload
        monkeypatch.setattr(upload_states, "open_upload", self)

    def __call__(self, bucket: Any, upload_id: str) -> Any:
        self.ids.append(upload_id)
        return self._real(bucket, upload_id)


def listed(store: PosixStore) -> list[str]:
    return [info.upload_id for info in uploads_page(store, "bucket").uploads]


def test_each_state_is_read_once(disk_store: PosixStore, monkeypatch: pytest.MonkeyPatch) -> None:
    begun = [begin(disk_store, "bucket", key).upload_id for key in "abc"]
    reads = Reads(monkeypatch)
    for _ in range(3):
        assert listed(disk_store) == begun
    assert sorted(reads.ids) == sorted(begun)
    later = begin(disk_store, "bucket", "d").upload_id
    assert listed(disk_store) == [*begun, later]
    assert len(reads.ids) == 4


def test_what_ends_is_not_listed(disk_store: PosixStore) -> None:
    first, second = begin(disk_store, "bucket", "a"), begin(disk_store, "bucket", "b")
    part = put_part(disk_store, "bucket", second, 1, b"1")
    assert listed(disk_store) == [first.upload_id, second.upload_id]
    disk_store.uploads.abort("bucket", "a", first.upload_id)
    assert listed(disk_store) == [second.upload_id]
    complete(disk_store, "bucket", second, [(1, part.etag)])
    assert listed(disk_store) == []


def test_what_was_completed_and_not_removed_is_not_listed(
    disk_store: PosixStore, root: Path
) -> None:
    upload = begin(disk_store, "bucket", "k")
    part = put_part(disk_store, "bucket", upload, 1, b"1")
    assert listed(disk_store) == [upload.upload_id]
    directory = root / "bucket" / "_s3_multipart_tmp" / upload.upload_id
    (directory / "sealed").touch()
    assert listed(disk_store) == [upload.upload_id]
    (directory / f"data.{part.size}").unlink()
    assert listed(disk_store) == []


def test_a_state_that_is_replaced_is_read_again(disk_store: PosixStore, root: Path) -> None:
    upload = begin(disk_store, "bucket", "k")
    listed(disk_store)
    state = root / "bucket" / "_s3_multipart_tmp" / upload.upload_id / "upload.json"
    new = state.with_name("new")
    new.write_bytes(state.read_bytes().replace(b'"k"', b'"l"'))
    new.rename(state)
    (found,) = uploads_page(disk_store, "bucket").uploads
    assert found.key == "l"


def test_the_same_file_in_another_upload(disk_store: PosixStore, root: Path) -> None:
    upload = begin(disk_store, "bucket", "k")
    listed(disk_store)
    at = root / "bucket" / "_s3_multipart_tmp"
    (at / ("0" * 32)).mkdir()
    os.link(at / upload.upload_id / "upload.json", at / ("0" * 32) / "upload.json")
    for _ in range(2):
        assert sorted(listed(disk_store)) == sorted(["0" * 32, upload.upload_id])


def test_no_more_is_remembered_than_allowed(
    disk_store: PosixStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = [begin(disk_store, "bucket", key).upload_id for key in "abc"]
    disk_store.uploads._states = UploadStates(most_bytes=250)  # type: ignore[attr-defined]
    reads = Reads(monkeypatch)
    for _ in range(2):
        assert listed(disk_store) == begun
    assert 3 < len(reads.ids) <= 6
