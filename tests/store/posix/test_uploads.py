"""Multipart uploads on disk: where parts are put, and what Complete has to move."""

from __future__ import annotations

import errno
import json
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import attrs
import pytest

from s3daemon.store.facts import Corrupt, InvalidPart, NoSuchUpload, Unavailable
from s3daemon.store.posix import claims, lock_kinds, part_writer
from s3daemon.store.posix.store import PosixStore
from s3daemon.store.values import Attributes, Checksum, PartInfo, UploadInfo, UploadsQuery
from tests.store.posix.disks import Fails, descriptors, upload_dir
from tests.store.tools import (
    begin,
    complete,
    content,
    get,
    md5,
    md5_of_parts,
    put,
    put_part,
)


class Copied:
    """Counts the bytes that are copied."""

    def __init__(self) -> None:
        self.bytes = 0

    def __call__(self, name: str, call: Callable[..., Any], *args: Any) -> Any:
        result = call(*args)
        if name == "copy_range":
            self.bytes += result
        return result


@pytest.fixture
def copied(disk_store: PosixStore) -> Copied:
    hook = Copied()
    disk_store.disk.hooks.append(hook)
    return hook


def names(root: Path, upload: UploadInfo, kind: str) -> list[str]:
    """The names of a kind in an upload's directory."""
    return sorted(name for name in os.listdir(upload_dir(root, upload)) if name.startswith(kind))


def put_parts(store: PosixStore, upload: UploadInfo, *data: bytes) -> list[PartInfo]:
    """Put parts 1, 2 ..."""
    return [put_part(store, "bucket", upload, n, one) for n, one in enumerate(data, 1)]


def finish(store: PosixStore, upload: UploadInfo, parts: list[PartInfo]) -> bytes:
    """Complete, and read."""
    complete(store, "bucket", upload, [(part.number, part.etag) for part in parts])
    return content(store, "bucket", upload.key)


# ---------------------------------------------------------------- the layout


def test_state(disk_store: PosixStore, root: Path) -> None:
    attributes = Attributes({"content-type": "x"}, {"m": "é"}, (("t", "1"),))
    upload = begin(disk_store, "bucket", "a//b", attributes, "bob")
    assert os.listdir(upload_dir(root, upload)) == ["upload.json"]
    assert json.loads((upload_dir(root, upload) / "upload.json").read_text()) == {
        "v": 1,
        "key": "a//b",
        "owner": "bob",
        "initiated": upload.initiated_ns,
        "sys": {"content-type": "x"},
        "meta": {"m": "é"},
        "tags": [["t", "1"]],
    }
    assert not (root / "bucket" / "a").exists()


def test_state_with_a_checksum(disk_store: PosixStore, root: Path) -> None:
    """A state without it is what the test above writes, and versions before this one wrote."""
    upload = begin(disk_store, "bucket", "k", algorithm="CRC32", kind="FULL_OBJECT")
    state = json.loads((upload_dir(root, upload) / "upload.json").read_text())
    assert state["checksum"] == ["CRC32", "FULL_OBJECT"]
    checksum = Checksum("CRC32", "y/Q5Jg==")
    part = put_part(disk_store, "bucket", upload, 1, b"123456789", checksum=checksum)
    name = f"part.00001.{part.modified_ns}.9.{part.etag}.s9"
    assert names(root, upload, "part") == [name + ".crc32-cbf43926"]
    os.rename(
        upload_dir(root, upload) / (name + ".crc32-cbf43926"), upload_dir(root, upload) / name
    )
    listed = disk_store.uploads.list_parts("bucket", "k", upload.upload_id, 0, 10)
    assert listed.parts == (attrs.evolve(part, checksum=None),)


def test_parts_of_one_size_are_in_one_file(disk_store: PosixStore, root: Path) -> None:
    upload = begin(disk_store, "bucket", "k")
    parts = [put_part(disk_store, "bucket", upload, n, b"%d" % n * 4) for n in (3, 1)]
    assert (upload_dir(root, upload) / "data.4").read_bytes() == b"1111\0\0\0\x003333"
    assert names(root, upload, "claim") == ["claim.00001", "claim.00003"]
    assert names(root, upload, "part") == sorted(
        f"part.{part.number:05}.{part.modified_ns}.4.{part.etag}.s4" for part in parts
    )
    assert names(root, upload, "own") == []


def test_a_part_of_unknown_size_has_its_own_file(disk_store: PosixStore, root: Path) -> None:
    upload = begin(disk_store, "bucket", "k")
    put_part(disk_store, "bucket", upload, 2, b"2222", announce=False)
    (own,) = names(root, upload, "own")
    assert (upload_dir(root, upload) / own).read_bytes() == b"2222"
    assert names(root, upload, "part")[0].endswith(".o" + own.removeprefix("own."))
    assert names(root, upload, "data") == []
    assert names(root, upload, "claim") == []


def test_another_gateway_goes_on(disk_store: PosixStore, root: Path) -> None:
    upload = begin(disk_store, "bucket", "k")
    first = put_part(disk_store, "bucket", upload, 1, b"1111")
    other = PosixStore(root)
    second = put_part(other, "bucket", upload, 2, b"22")
    assert finish(other, upload, [first, second]) == b"111122"
    other.close()
    assert content(disk_store, "bucket", "k") == b"111122"


def test_the_offset_would_be_beyond_what_a_file_can_hold(
    disk_store: PosixStore, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(part_writer, "_MAX_OFFSET", 15)
    upload = begin(disk_store, "bucket", "k")
    parts = put_parts(disk_store, upload, b"1111", b"2222", b"3333", b"4444", b"5")
    claimed = [name[-1] for name in names(root, upload, "claim")]
    assert claimed == ["1", "2", "3", "5"]
    assert len(names(root, upload, "own")) == 1
    assert finish(disk_store, upload, parts) == b"11112222333344445"


# ---------------------------------------------------------------- what Complete moves


@pytest.mark.parametrize(
    ("data", "moved"),
    [
        ([b"1111"], 0),
        ([b"1111", b"2222", b"3333"], 0),
        ([b"1111", b"2222", b"3"], 0),
        ([b"1111", b"2222", b"333333"], 6),
        ([b"1111", b"2222", b""], 0),
        ([b"11", b"2222", b"333333"], 12),
    ],
)
def test_what_is_copied(
    disk_store: PosixStore, root: Path, copied: Copied, data: list[bytes], moved: int
) -> None:
    upload = begin(disk_store, "bucket", "k")
    parts = put_parts(disk_store, upload, *data)
    inode = (upload_dir(root, upload) / f"data.{len(data[0])}").stat().st_ino
    assert finish(disk_store, upload, parts) == b"".join(data)
    assert copied.bytes == moved
    in_place = moved < sum(map(len, data))
    assert ((root / "bucket" / "k").stat().st_ino == inode) is in_place


def test_a_part_that_was_put_again_is_copied_alone(
    disk_store: PosixStore, root: Path, copied: Copied
) -> None:
    upload = begin(disk_store, "bucket", "k")
    parts = put_parts(disk_store, upload, b"1111", b"2222", b"3333", b"44")
    inode = (upload_dir(root, upload) / "data.4").stat().st_ino
    for data in (b"xxxx", b"yyyyyy", b"zzzz"):
        parts[1] = put_part(disk_store, "bucket", upload, 2, data)
    assert len(names(root, upload, "own")) == 1, "what was replaced is gone"
    assert (upload_dir(root, upload) / "data.4").read_bytes() == b"11112222333344"
    assert finish(disk_store, upload, parts) == b"1111zzzz333344"
    assert copied.bytes == 4
    assert (root / "bucket" / "k").stat().st_ino == inode


def test_a_short_part_that_is_not_the_last(disk_store: PosixStore, copied: Copied) -> None:
    """It lies among the long ones, and everything is copied."""
    upload = begin(disk_store, "bucket", "k")
    parts = put_parts(disk_store, upload, b"1111", b"22", b"3333")
    assert finish(disk_store, upload, parts) == b"1111223333"
    assert copied.bytes == 10


def test_a_short_part_that_comes_first(disk_store: PosixStore, root: Path, copied: Copied) -> None:
    """It does not keep those that come later from lying in one file."""
    upload = begin(disk_store, "bucket", "k")
    last = put_part(disk_store, "bucket", upload, 3, b"3")
    parts = [*put_parts(disk_store, upload, b"1111", b"2222"), last]
    assert finish(disk_store, upload, parts) == b"111122223"
    assert copied.bytes == 1


def test_a_writer_that_is_under_way_makes_it_a_copy(
    disk_store: PosixStore, root: Path, copied: Copied
) -> None:
    """It may go on writing into the file of its neighbours."""
    upload = begin(disk_store, "bucket", "k")
    parts = put_parts(disk_store, upload, b"1111", b"2222")
    writer = disk_store.uploads.write_part("bucket", "k", upload.upload_id, 3, 4)
    writer.write([b"3"])
    assert finish(disk_store, upload, parts) == b"11112222"
    assert copied.bytes == 8
    inode = (root / "bucket" / "k").stat().st_ino
    writer.write([b"33"])
    writer.abort()
    assert (root / "bucket" / "k").stat().st_ino == inode
    assert content(disk_store, "bucket", "k") == b"11112222"


def test_parts_that_are_not_listed_make_it_a_copy_if_they_would_be_cut_off(
    disk_store: PosixStore, copied: Copied
) -> None:
    upload = begin(disk_store, "bucket", "k")
    parts = put_parts(disk_store, upload, b"1111", b"2222", b"3333")
    assert finish(disk_store, upload, parts[:2]) == b"11112222"
    assert copied.bytes == 8


def test_the_object_is_made_now(disk_store: PosixStore, root: Path) -> None:
    upload = begin(disk_store, "bucket", "k")
    parts = put_parts(disk_store, upload, b"1111", b"2222")
    os.utime(upload_dir(root, upload) / "data.4", ns=(0, 0))
    info = complete(disk_store, "bucket", upload, [(p.number, p.etag) for p in parts])
    assert info.modified_ns >= upload.initiated_ns
    assert (root / "bucket" / "k").stat().st_mtime_ns == info.modified_ns
    assert info.etag == md5_of_parts(b"1111", b"2222")


def test_nothing_stays(disk_store: PosixStore, root: Path) -> None:
    before = descriptors()
    for data in ([b"1111", b"2222"], [b"1", b"22", b""]):
        upload = begin(disk_store, "bucket", "k")
        parts = put_parts(disk_store, upload, *data)
        put_part(disk_store, "bucket", upload, 1, data[0])
        finish(disk_store, upload, parts)
        aborted = begin(disk_store, "bucket", "k")
        put_parts(disk_store, aborted, *data)
        disk_store.uploads.abort("bucket", "k", aborted.upload_id)
        assert os.listdir(root / "bucket" / "_s3_multipart_tmp") == []
    assert descriptors() == before


@pytest.mark.parametrize("size", [4, None])
def test_an_aborted_part_leaves_nothing(
    disk_store: PosixStore, root: Path, size: int | None
) -> None:
    upload = begin(disk_store, "bucket", "k")
    before = descriptors()
    writer = disk_store.uploads.write_part("bucket", "k", upload.upload_id, 1, size)
    writer.write([b"1"])
    writer.abort()
    assert descriptors() == before
    assert set(os.listdir(upload_dir(root, upload))) <= {"upload.json", "data.4"}
    part = put_part(disk_store, "bucket", upload, 1, b"2222")
    assert names(root, upload, "claim") == ["claim.00001"], "its place is free again"
    assert finish(disk_store, upload, [part]) == b"2222"


# ---------------------------------------------------------------- times


@pytest.mark.parametrize("announce", [[True, True], [True, False], [False, True], [False, False]])
def test_the_later_part_counts_whatever_the_clock_says(
    disk_store: PosixStore, monkeypatch: pytest.MonkeyPatch, announce: list[bool]
) -> None:
    upload = begin(disk_store, "bucket", "k")
    first = put_part(disk_store, "bucket", upload, 1, b"1111", announce[0])
    monkeypatch.setattr(time, "time_ns", lambda: 5)
    for data in (b"2222", b"33"):
        newest = put_part(disk_store, "bucket", upload, 1, data, announce[1])
        found = disk_store.uploads.list_parts("bucket", "k", upload.upload_id, 0, 10)
        assert found.parts == (newest,)
        assert newest.modified_ns > first.modified_ns
    monkeypatch.undo()
    assert finish(disk_store, upload, [newest]) == b"33"


# ---------------------------------------------------------------- what others have done


@pytest.mark.parametrize("locks", [True, False])
@pytest.mark.parametrize(
    ("left", "moved"), [((1,), 4), ((3,), 0), ((1, 3, 9), 4), (range(3, 400), 8)]
)
def test_claims_that_a_crash_has_left(
    root: Path, left: Sequence[int], moved: int, locks: bool
) -> None:
    """Only what they kept from its place is copied; without locks nobody knows, and all is."""
    store = PosixStore(root, locks=locks)
    hook = Copied()
    store.disk.hooks.append(hook)
    store.buckets.create("bucket", "alice")
    upload = begin(store, "bucket", "k")
    for number in left:
        (upload_dir(root, upload) / f"claim.{number:05}").touch()
    parts = put_parts(store, upload, b"1111", b"2222")
    assert len(names(root, upload, "own")) == (1 in left)
    assert finish(store, upload, parts) == b"11112222"
    assert hook.bytes == (moved if locks else 8)
    store.close()


@pytest.mark.parametrize("then", ["fails", "goes on"])
def test_a_claim_that_was_broken_may_be_made_again(
    disk_store: PosixStore, root: Path, then: str
) -> None:
    upload = begin(disk_store, "bucket", "k")
    parts = put_parts(disk_store, upload, b"1111")
    claim = upload_dir(root, upload) / "claim.00002"
    claim.touch()
    disk_store.disk.hooks.append(Fails("set_modified", errno.EIO))
    with pytest.raises(Unavailable):
        finish(disk_store, upload, parts)
    assert not claim.exists()
    parts.append(put_part(disk_store, "bucket", upload, 2, b"2222"))
    assert names(root, upload, "own") == []
    if then == "goes on":
        parts = [parts[0], put_part(disk_store, "bucket", upload, 2, b"other")]
        assert finish(disk_store, upload, parts) == b"1111other"
    else:
        assert finish(disk_store, upload, parts) == b"11112222"


@pytest.mark.parametrize("where", ["before it is locked", "before it is removed"])
def test_a_claim_whose_writer_comes_to_its_end(
    disk_store: PosixStore, root: Path, where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has a record by the time its lock is free: it stays, and what it wrote does too."""
    upload = begin(disk_store, "bucket", "k")
    parts = put_parts(disk_store, upload, b"1111", b"2222")
    writer = disk_store.uploads.write_part("bucket", "k", upload.upload_id, 3, 4)
    writer.write([b"3333"])
    real = claims._lock
    stored: list[PartInfo] = []

    def lock(directory: int, name: bytes, kind: str) -> int:
        if where == "before it is locked":
            stored.append(writer.commit(md5(b"3333")))
        fd = real(directory, name, kind)
        if where == "before it is removed":
            assert fd < 0
            stored.append(writer.commit(md5(b"3333")))
        return fd

    monkeypatch.setattr(claims, "_lock", lock)
    disk_store.disk.hooks.append(Fails("set_modified", errno.EIO))
    with pytest.raises(Unavailable):
        finish(disk_store, upload, parts)
    assert (upload_dir(root, upload) / "claim.00003").exists()
    monkeypatch.undo()
    put_part(disk_store, "bucket", upload, 3, b"????")
    newest = put_part(disk_store, "bucket", upload, 3, b"3333")
    assert newest.etag == stored[0].etag
    assert finish(disk_store, upload, [*parts, newest]) == b"111122223333"


@pytest.mark.parametrize("stolen", ["removed", "held", "no locks"])
def test_a_writer_whose_claim_is_taken_before_it_is_locked(
    disk_store: PosixStore, root: Path, stolen: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    upload = begin(disk_store, "bucket", "k")
    claim = upload_dir(root, upload) / "claim.00001"
    real = lock_kinds.take

    def take(kind: str, fd: int, exclusive: bool, offset: int = 0) -> bool:
        if stolen == "held":
            return False
        if stolen == "no locks":
            raise OSError(errno.ENOLCK, "no")
        claim.unlink()
        return real(kind, fd, exclusive, offset)

    monkeypatch.setattr(lock_kinds, "take", take)
    before = descriptors()
    part = put_part(disk_store, "bucket", upload, 1, b"1111")
    assert descriptors() == before
    monkeypatch.undo()
    assert len(names(root, upload, "own")) == 1
    assert claim.exists() is (stolen == "held")
    assert finish(disk_store, upload, [part]) == b"1111"


def test_a_seal_that_a_crash_has_left(disk_store: PosixStore, root: Path) -> None:
    upload = begin(disk_store, "bucket", "k")
    first = put_part(disk_store, "bucket", upload, 1, b"1111")
    (upload_dir(root, upload) / "sealed").touch()
    (upload_dir(root, upload) / "whole").write_bytes(b"11")
    second = put_part(disk_store, "bucket", upload, 2, b"2222")
    assert names(root, upload, "sealed") == []
    assert finish(disk_store, upload, [first, second]) == b"11112222"


def test_unknown_names_do_no_harm(disk_store: PosixStore, root: Path) -> None:
    upload = begin(disk_store, "bucket", "k")
    (upload_dir(root, upload) / "README").touch()
    (upload_dir(root, upload) / "folder").mkdir()
    (root / "bucket" / "_s3_multipart_tmp" / "notes").touch()
    parts = put_parts(disk_store, upload, b"1111", b"2222")
    assert finish(disk_store, upload, parts) == b"11112222"
    assert os.listdir(root / "bucket" / "_s3_multipart_tmp") == ["notes"]


@pytest.mark.parametrize("announce", [True, False])
def test_content_that_somebody_has_cut(disk_store: PosixStore, root: Path, announce: bool) -> None:
    """Better an error than zeros."""
    upload = begin(disk_store, "bucket", "k")
    parts = [put_part(disk_store, "bucket", upload, n, b"%d" % n * 4, announce) for n in (1, 2)]
    (file,) = [
        path
        for path in upload_dir(root, upload).iterdir()
        if path.name.startswith(("data", "own")) and path.read_bytes().endswith(b"2222")
    ]
    os.truncate(file, file.stat().st_size - 1)
    with pytest.raises(InvalidPart):
        finish(disk_store, upload, parts)
    assert not (root / "bucket" / "k").exists()


STATE = '{"v":1,"key":"k","owner":null,"initiated":1,"sys":{},"meta":{},"tags":[],"checksum":%s}'


@pytest.mark.parametrize(
    "text",
    [
        *("", "{", "[]", "{}", '{"v": 2}', '{"v": 1, "key": "k"}', "\xff", "null"),
        *(STATE % checksum for checksum in ("1", "[]", '"CRC32"', "[1,2]", '["CRC32",null]')),
        STATE % '["CRC33","FULL_OBJECT"]',
        STATE % '["CRC32","SOMETHING"]',
        (STATE % "null").replace('"initiated":1', '"initiated":1e999'),
        (STATE % "null").replace('"k"', "5"),
        (STATE % "null").replace('"sys":{}', '"sys":{"content-type":5}'),
        (STATE % "null").replace('"meta":{}', '"meta":["a"]'),
        '{"v":1,"x":' + "[" * 100_000,
    ],
)
def test_a_state_that_cannot_be_read(disk_store: PosixStore, root: Path, text: str) -> None:
    upload, other = begin(disk_store, "bucket", "k"), begin(disk_store, "bucket", "k")
    (upload_dir(root, upload) / "upload.json").write_bytes(text.encode("latin-1"))
    with pytest.raises(Corrupt):
        disk_store.uploads.get("bucket", "k", upload.upload_id)
    assert disk_store.uploads.list("bucket", UploadsQuery()).uploads == (other,)
    assert disk_store.uploads.expire(1 << 62) == 2


def test_a_directory_without_state_is_no_upload(disk_store: PosixStore, root: Path) -> None:
    upload = begin(disk_store, "bucket", "k")
    (upload_dir(root, upload) / "upload.json").unlink()
    with pytest.raises(NoSuchUpload):
        disk_store.uploads.get("bucket", "k", upload.upload_id)
    assert disk_store.uploads.list("bucket", UploadsQuery()).uploads == ()


def test_links_are_not_followed(disk_store: PosixStore, root: Path, tmp_path: Path) -> None:
    upload = begin(disk_store, "bucket", "k")
    outside = tmp_path / "outside"
    upload_dir(root, upload).rename(outside)
    upload_dir(root, upload).symlink_to(outside)
    for call in (disk_store.uploads.get, disk_store.uploads.abort):
        with pytest.raises(NoSuchUpload):
            call("bucket", "k", upload.upload_id)
    disk_store.uploads.expire(1 << 62)
    assert outside.exists()
    real = begin(disk_store, "bucket", "k")
    (tmp_path / "secret").write_bytes(b"secret")
    (upload_dir(root, real) / "data.6").symlink_to(tmp_path / "secret")
    with pytest.raises(Unavailable):
        put_part(disk_store, "bucket", real, 1, b"hacked")
    assert (tmp_path / "secret").read_bytes() == b"secret"


def test_a_changed_object_is_no_longer_the_upload_s(disk_store: PosixStore, root: Path) -> None:
    upload = begin(disk_store, "bucket", "k")
    parts = put_parts(disk_store, upload, b"1111")
    finish(disk_store, upload, parts)
    (root / "bucket" / "k").write_bytes(b"changed")
    with pytest.raises(NoSuchUpload):
        finish(disk_store, upload, parts)
    assert content(disk_store, "bucket", "k") == b"changed"


def test_parts_beside_other_kinds_of_keys(disk_store: PosixStore, root: Path) -> None:
    put(disk_store, "bucket", "d/x", b"x")
    upload = begin(disk_store, "bucket", "d")
    parts = put_parts(disk_store, upload, b"1111", b"22")
    assert finish(disk_store, upload, parts) == b"111122"
    assert (root / "bucket" / ".s3gate%f+d").read_bytes() == b"111122"
    assert md5(b"x") == get(disk_store, "bucket", "d/x")[0].etag
