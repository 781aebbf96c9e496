"""Each thing that can be wrong is found, nothing else is, and nothing is changed by looking."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from s3daemon.store.posix.records import ATTRIBUTE
from s3daemon.store.posix.scrub import content
from s3daemon.store.posix.scrub.findings import KINDS, Finding, Totals
from s3daemon.store.posix.scrub.pacing import Pacer, Stopped
from s3daemon.store.posix.scrub.round import Round, Scope
from s3daemon.store.posix.scrub.scrubbing import Position, open_to_read, scrub
from tests.store.posix.scrub.tools import (
    FUTURE,
    OBJECTS,
    PARTS,
    fill,
    kinds,
    paths_in,
    poor_store,
    scrubbed,
    state_of,
)

PUT_PLAIN = b"hello"


@pytest.fixture
def filled(root: Path) -> Path:
    """A root with one of everything in it, that nobody serves."""
    store = poor_store(root)
    fill(store)
    store.close()
    return root


def only(directory: Path, pattern: str) -> Path:
    """The one entry of a directory that matches."""
    (found,) = directory.glob(pattern)
    return found


def upload_of(root: Path, bucket: str = "bucket") -> Path:
    """The upload that is under way."""
    return only(root / bucket / "_s3_multipart_tmp", "?" * 32)


def same_size(path: Path, data: bytes) -> None:
    """Change the bytes of a file as a bad disk would: nothing else tells."""
    st = path.stat()
    path.write_bytes(data)
    os.utime(path, ns=(st.st_atime_ns, st.st_mtime_ns))


def new_inode(path: Path) -> None:
    """Replace a file by a copy with the same times and attributes, as a restore does."""
    copy = path.with_name("copy")
    copy.write_bytes(path.read_bytes())
    for name in os.listxattr(path):
        os.setxattr(copy, name, os.getxattr(path, name))
    st = path.stat()
    os.utime(copy, ns=(st.st_atime_ns, st.st_mtime_ns))
    copy.rename(path)


def record(path: Path) -> dict[str, object]:
    found: dict[str, object] = json.loads(os.getxattr(path, ATTRIBUTE))
    return found


def rewrite(path: Path, **fields: object) -> None:
    """Change fields of a record; None removes one."""
    changed = {**record(path), **fields}
    kept = {name: value for name, value in changed.items() if value is not None}
    os.setxattr(path, ATTRIBUTE, json.dumps(kept).encode())


def test_nothing_is_wrong(filled: Path) -> None:
    found, totals = scrubbed(filled, before_ns=1)
    assert found == []
    assert (totals.objects, totals.uploads, totals.parts) == (OBJECTS, 2, PARTS)
    assert totals.verified == OBJECTS + PARTS
    assert totals.verified_bytes == (OBJECTS - 1) * 5 + 10 + PARTS * 5
    assert (totals.buckets, totals.unverifiable, totals.foreign, totals.changed) == (2, 0, 0, 0)


def test_nothing_is_changed_not_even_a_time_of_access(filled: Path) -> None:
    paths = paths_in(filled)
    for path in paths:
        os.utime(path, ns=(10**18, os.lstat(path).st_mtime_ns))
    before = state_of(paths)
    scrubbed(filled)
    assert state_of(paths) == before


def test_it_could_not_if_it_would(filled: Path) -> None:
    volume = open_to_read(filled)
    with pytest.raises(AssertionError, match="does not change the disk: mkdir"):
        volume.disk.mkdir(b"x", volume.fd)
    volume.close()


def _damage_content(root: Path) -> None:
    same_size(root / "bucket" / "plain", b"hellO")


def _damage_part_of_object(root: Path) -> None:
    same_size(root / "bucket" / "parts", b"hellohellOhello")


def _wrong_checksum(root: Path) -> None:
    rewrite(root / "bucket" / "summed", checksums={"CRC32": "AAAAAA=="})


def _wrong_composite(root: Path) -> None:
    rewrite(root / "bucket" / "parts", checksums={"CRC32": "AAAAAA==-3"})


def _wrong_checksum_of_part(root: Path) -> None:
    rewrite(root / "bucket" / "parts", partsums="NhCmhg==AAAAAA==NhCmhg==")


def _wrong_parts(root: Path) -> None:
    rewrite(root / "bucket" / "parts", parts=[[5, 2]])


def _damage_record(root: Path) -> None:
    os.setxattr(root / "bucket" / "plain", ATTRIBUTE, b'{"v":1,"etag":7}')


def _damage_record_of_directory(root: Path) -> None:
    os.setxattr(root / "bucket" / "folder", ATTRIBUTE, b"\xff")


def _damage_record_of_bucket(root: Path) -> None:
    os.setxattr(root / "bucket", ATTRIBUTE, b"")


def _later_record(root: Path) -> None:
    os.setxattr(root / "bucket" / "plain", ATTRIBUTE, b'{"v":2,"etag":[]}')


def _lose_spill(root: Path) -> None:
    only(root / "bucket" / ".s3gate" / "spill", "*").unlink()


def _damage_spill(root: Path) -> None:
    only(root / "bucket" / ".s3gate" / "spill", "*").write_bytes(b"{}")


def _orphan_spill(root: Path) -> None:
    (root / "bucket" / "long").unlink()


def _restore(root: Path) -> None:
    new_inode(root / "bucket" / "plain")


def _restore_parts(root: Path) -> None:
    new_inode(root / "bucket" / "parts")


def _touch(root: Path) -> None:
    (root / "bucket" / "within" / "k").touch()


def _two_files(root: Path) -> None:
    (root / "bucket" / ".s3gate%f+plain").write_bytes(b"old")


def _two_directories(root: Path) -> None:
    (root / "bucket" / ".s3gate%d+within").mkdir()
    (root / "bucket" / ".s3gate%d+within" / "k").write_bytes(b"old")


def _two_folders(root: Path) -> None:
    (root / "bucket" / "folder" / ".s3gate%f+").write_bytes(b"new")


def _bad_escape(root: Path) -> None:
    (root / "bucket" / ".s3gate%x+plain").touch()


def _escape_of_the_other_kind(root: Path) -> None:
    (root / "bucket" / ".s3gate%d+file").touch()


def _digest_of_nothing(root: Path) -> None:
    (root / "bucket" / (".s3gate%F+" + "0" * 64)).touch()


def _digest_of_something_else(root: Path) -> None:
    rewrite(only(root / "bucket", ".s3gate%D+*"), name="other")


def _private_where_none_is(root: Path) -> None:
    (root / "bucket" / "a" / ".s3gate").mkdir()


def _strange(root: Path) -> None:
    (root / "bucket" / ".s3gate" / "notes").touch()


def _strange_in_root(root: Path) -> None:
    (root / ".s3gate" / "notes").touch()


def _strange_upload(root: Path) -> None:
    (root / "bucket" / "_s3_multipart_tmp" / "notes").touch()


def _strange_spill(root: Path) -> None:
    (root / "bucket" / ".s3gate" / "spill" / "notes").touch()


def _staged(root: Path) -> None:
    (root / "bucket" / ".s3gate" / "staging" / ("0" * 32)).touch()


def _staged_bucket(root: Path) -> None:
    (root / ".s3gate" / "staging" / ("0" * 32)).mkdir(parents=True)


def _trial(root: Path) -> None:
    (root / ".s3gate" / ("sync-" + "0" * 32)).touch()


def _trash(root: Path) -> None:
    (root / ".s3gate" / "trash" / ("0" * 32)).mkdir(parents=True)


def _gone(root: Path) -> None:
    upload_of(root).rename(root / "bucket" / "_s3_multipart_tmp" / (".gone-" + "0" * 32))


def _stateless(root: Path) -> None:
    (upload_of(root) / "upload.json").unlink()


def _damage_state(root: Path) -> None:
    (upload_of(root, "bucket/within") / "upload.json").write_text("{}")


def _lose_part(root: Path) -> None:
    only(upload_of(root), "own.*").unlink()


def _shorten_part(root: Path) -> None:
    os.truncate(only(upload_of(root, "bucket/within"), "data.*"), 4)


def _damage_part(root: Path) -> None:
    only(upload_of(root), "own.*").write_bytes(b"Again")


def _wrong_checksum_of_upload(root: Path) -> None:
    upload = upload_of(root)
    newest = max(upload.glob("part.*"), key=lambda path: int(path.name.split(".")[2]))
    newest.rename(newest.with_name(newest.name + ".crc32-00000000"))


def _orphan_own(root: Path) -> None:
    (upload_of(root) / ("own." + "0" * 32)).touch()


def _seal(root: Path) -> None:
    (upload_of(root) / "sealed").touch()


def _finished(root: Path) -> None:
    upload = upload_of(root, "bucket/within")
    (upload / "sealed").touch()
    only(upload, "data.*").unlink()


def _pointer(root: Path) -> None:
    pointer = only(root / "bucket" / "_s3_multipart_tmp", ".within-*")
    pointer.with_name(".within-" + "0" * 32).write_text("bucket:gone")


def _empty_directory(root: Path) -> None:
    (root / "bucket" / "a" / "b" / ".s3gate%d+" / "c").unlink()


def _nameless_directory(root: Path) -> None:
    (root / "bucket" / (".s3gate%D+" + "0" * 64)).mkdir()


DAMAGE: list[tuple[Callable[[Path], None], list[str]]] = [
    (_damage_content, ["content-mismatch"]),
    (_damage_part_of_object, ["content-mismatch"]),
    (_wrong_checksum, ["content-mismatch"]),
    (_wrong_composite, ["content-mismatch"]),
    (_wrong_checksum_of_part, ["content-mismatch"]),
    (_wrong_parts, ["content-mismatch"]),
    (_damage_record, ["damaged-record"]),
    (_damage_record_of_directory, ["damaged-record"]),
    (_damage_record_of_bucket, ["damaged-bucket"]),
    (_later_record, ["later-record"]),
    (_lose_spill, ["lost-spill"]),
    (_damage_spill, ["lost-spill"]),
    (_orphan_spill, ["orphan-spill"]),
    (_restore, ["stale-stamp"]),
    (_restore_parts, ["stale-stamp"]),
    (_touch, ["stale-stamp"]),
    (_two_files, ["hidden-form"]),
    (_two_directories, ["hidden-form"]),
    (_two_folders, ["hidden-form"]),
    (_bad_escape, ["bad-name"]),
    (_escape_of_the_other_kind, ["bad-name"]),
    (_digest_of_nothing, ["bad-name"]),
    (_digest_of_something_else, ["bad-name"]),
    (_private_where_none_is, ["strange-entry"]),
    (_strange, ["strange-entry"]),
    (_strange_in_root, ["strange-entry"]),
    (_strange_upload, ["strange-entry"]),
    (_strange_spill, ["strange-entry"]),
    (_staged, ["staged"]),
    (_staged_bucket, ["staged"]),
    (_trial, ["staged"]),
    (_trash, ["trash"]),
    (_gone, ["gone-upload"]),
    (_stateless, ["stateless-upload"]),
    (_damage_state, ["damaged-upload"]),
    (_lose_part, ["lost-part"]),
    (_shorten_part, ["lost-part"]),
    (_damage_part, ["part-mismatch"]),
    (_wrong_checksum_of_upload, ["part-mismatch"]),
    (_orphan_own, ["orphan-content"]),
    (_seal, ["abandoned-seal"]),
    (_finished, ["finished-upload"]),
    (_pointer, ["stale-pointer"]),
    (_empty_directory, ["empty-directory"]),
    (_nameless_directory, ["empty-directory"]),
]


@pytest.mark.parametrize(
    ("damage", "expected"), DAMAGE, ids=lambda one: getattr(one, "__name__", "")
)
def test_what_is_wrong_is_found(
    filled: Path, damage: Callable[[Path], None], expected: list[str]
) -> None:
    damage(filled)
    found, totals = scrubbed(filled)
    assert kinds(found) == expected
    assert dict(totals.found) == {expected[0]: 1}
    assert (filled / os.fsdecode(b"/".join(found[0].path))).exists() or "part" in expected[0]


def test_every_kind_but_one_is_in_the_table() -> None:
    met = {kind for _, expected in DAMAGE for kind in expected}
    assert {kind.name for kind in KINDS} - met == {"unreadable"}


@pytest.mark.parametrize(
    "damage",
    [
        *(_orphan_spill, _staged, _staged_bucket, _trial, _trash, _gone, _stateless, _orphan_own),
        *(_seal, _finished, _pointer, _empty_directory, _nameless_directory),
    ],
)
def test_what_is_young_may_be_at_work(filled: Path, damage: Callable[[Path], None]) -> None:
    damage(filled)
    assert scrubbed(filled, before_ns=1)[0] == []


def test_other_programs_may_do_what_they_like(filled: Path) -> None:
    bucket = filled / "bucket"
    (bucket / "foreign").write_bytes(b"by hand")
    (bucket / "link").symlink_to("foreign")
    os.mkfifo(bucket / "fifo")
    (bucket / os.fsdecode(b"latin\xe9")).write_bytes(b"1")
    (bucket / "plain").write_bytes(b"longer than it was")
    same_size(bucket / "within" / "k", b"HELLO")
    (bucket / "within" / "k").touch()
    (filled / "notes.txt").touch()
    found, totals = scrubbed(filled)
    assert found == []
    assert (totals.foreign, totals.links, totals.unreachable, totals.changed) == (1, 1, 2, 2)
    assert totals.objects == OBJECTS + 1


def test_an_etag_that_nobody_can_compute(filled: Path) -> None:
    rewrite(filled / "bucket" / "plain", etag="0" * 32 + "-2")
    found, totals = scrubbed(filled)
    assert found == []
    assert totals.unverifiable == 1
    # A checksum of all bytes says as much.
    rewrite(filled / "bucket" / "summed", etag="0" * 32 + "-2")
    assert scrubbed(filled)[1].unverifiable == 1
    rewrite(filled / "bucket" / "summed", checksums={"CRC32": "AAAAAA=="})
    assert kinds(scrubbed(filled)[0]) == ["content-mismatch"]


def test_one_bucket(filled: Path) -> None:
    _damage_content(filled)
    assert kinds(scrubbed(filled, "other")[0]) == []
    assert scrubbed(filled, "other")[1].objects == 1
    assert kinds(scrubbed(filled, "bucket")[0]) == ["content-mismatch"]
    within = scrubbed(filled, "bucket:within")[1]
    assert (within.objects, within.uploads) == (1, 1)


@pytest.mark.parametrize(
    ("prefix", "objects"),
    [("a", 2), ("a/", 1), ("a/b//", 1), ("d" * 299, 1), ("n" * 300, 1), ("full/", 1), ("x", 0)],
)
def test_a_prefix(filled: Path, prefix: str, objects: int) -> None:
    assert scrubbed(filled, "bucket", prefix=prefix.encode())[1].objects == objects


def test_what_has_not_changed_since_is_not_read(filled: Path) -> None:
    _damage_content(filled)
    border = max(
        os.lstat(path).st_ctime_ns for path in (filled / "bucket").rglob("*") if path.is_file()
    )
    found, totals = scrubbed(filled, since_ns=border + 1)
    assert found == []
    assert (totals.objects, totals.verified) == (OBJECTS, 0)
    assert kinds(scrubbed(filled, since_ns=border)[0]) == ["content-mismatch"]


def test_what_a_repair_need_not_know_is_not_read(filled: Path) -> None:
    _damage_content(filled)
    _restore_parts(filled)
    found, totals = scrubbed(filled, contents=False)
    assert kinds(found) == ["stale-stamp"]
    assert totals.verified == 1


class Enough(Exception):
    """The scrub was ended in its midst."""


def test_it_can_be_stopped_anywhere_and_go_on(filled: Path) -> None:
    for damage in (_damage_content, _wrong_composite, _two_directories, _empty_directory, _touch):
        damage(filled)
    whole, counted = scrubbed(filled)
    positions: list[Position] = []
    scrubbed(filled, done=positions.append)
    assert len(set(positions)) == len(positions) > OBJECTS
    for stop in positions:

        def done(at: Position, stop: Position = stop) -> None:
            if at == stop:
                raise Enough

        found: list[Finding] = []
        volume = open_to_read(filled)
        round_ = Round(volume, Scope(FUTURE), Pacer(), Totals(), found.append)
        with pytest.raises(Enough):
            scrub(round_, None, None, done)
        scrub(round_, None, stop)
        volume.close()
        assert found == whole, stop
        assert round_.totals == counted


def test_it_stops_when_it_is_told_to(filled: Path) -> None:
    with pytest.raises(Stopped):
        scrubbed(filled, should_stop=lambda: True)


def test_a_file_that_is_written_into_is_skipped(
    filled: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def pieces(fd: int, offset: int, size: int, pacer: Pacer) -> Iterator[bytes]:
        os.utime(filled / "bucket" / "plain", ns=(1, 1))
        yield from real(fd, offset, size, pacer)

    real = content.pieces
    monkeypatch.setattr(content, "pieces", pieces)
    found, totals = scrubbed(filled, "bucket", prefix=b"plain")
    assert found == []
    assert totals.skipped == 1


def test_a_file_that_becomes_shorter_is_skipped(
    filled: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def pieces(fd: int, offset: int, size: int, pacer: Pacer) -> Iterator[bytes]:
        os.truncate(filled / "bucket" / "plain", 2)
        yield from real(fd, offset, size, pacer)

    real = content.pieces
    monkeypatch.setattr(content, "pieces", pieces)
    found, totals = scrubbed(filled, "bucket", prefix=b"plain")
    assert found == []
    assert totals.skipped == 1


def test_what_cannot_be_read_is_said(filled: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def pread(fd: int, size: int, offset: int) -> bytes:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr("s3daemon.store.posix.scrub.content.os.pread", pread)
    found, _ = scrubbed(filled, "bucket", prefix=b"plain")
    assert kinds(found) == ["unreadable"]
    assert found[0].detail == "Input/output error"
