"""Each thing that can be wrong is found, nothing else is, and nothing is changed by looking."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from s3daemon.store.posix.scrub import content
from s3daemon.store.posix.scrub.findings import KINDS, Finding, Totals
from s3daemon.store.posix.scrub.pacing import Pacer, Stopped
from s3daemon.store.posix.scrub.round import Round, Scope
from s3daemon.store.posix.scrub.scrubbing import Position, open_to_read, scrub
from tests.store.posix.scrub import damages
from tests.store.posix.scrub.damages import DAMAGE, Damage
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


@pytest.fixture
def filled(root: Path) -> Path:
    """A root with one of everything in it, that nobody serves."""
    store = poor_store(root)
    fill(store)
    store.close()
    return root


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
    changed = [
        path for path, old, new in zip(paths, before, state_of(paths), strict=True) if old != new
    ]
    assert changed == []


def test_it_could_not_if_it_would(filled: Path) -> None:
    volume = open_to_read(filled)
    with pytest.raises(OSError, match="does not change the disk: mkdir"):
        volume.disk.mkdir(b"x", volume.fd)
    volume.close()


@pytest.mark.parametrize(
    ("damage", "expected"), DAMAGE, ids=lambda one: getattr(one, "__name__", "")
)
def test_what_is_wrong_is_found(filled: Path, damage: Damage, expected: str) -> None:
    damage(filled)
    found, totals = scrubbed(filled)
    assert kinds(found) == [expected]
    assert dict(totals.found) == {expected: 1}
    assert (filled / os.fsdecode(b"/".join(found[0].path))).exists() or "part" in expected


def test_every_kind_but_two_is_in_the_table() -> None:
    met = {kind for _, kind in DAMAGE}
    assert {kind.name for kind in KINDS} - met == {"unreadable", "orphan-sidecar"}


@pytest.mark.parametrize(
    "damage",
    [
        damages.two_files,
        *(
            damages.orphan_spill,
            damages.staged,
            damages.staged_bucket,
            damages.trial,
            damages.trash,
            damages.gone,
            damages.stateless,
            damages.orphan_own,
        ),
        *(
            damages.seal,
            damages.finished,
            damages.pointer,
            damages.empty_directory,
            damages.nameless_directory,
        ),
    ],
)
def test_what_is_young_may_be_at_work(filled: Path, damage: Damage) -> None:
    damage(filled)
    assert scrubbed(filled, before_ns=1)[0] == []


def test_other_programs_may_do_what_they_like(filled: Path) -> None:
    bucket = filled / "bucket"
    (bucket / "foreign").write_bytes(b"by hand")
    (bucket / "link").symlink_to("foreign")
    os.mkfifo(bucket / "fifo")
    (bucket / os.fsdecode(b"latin\xe9")).write_bytes(b"1")
    (bucket / "plain").write_bytes(b"longer than it was")
    damages.same_size(bucket / "within" / "k", b"HELLO")
    (bucket / "within" / "k").touch()
    (filled / "notes.txt").touch()
    found, totals = scrubbed(filled)
    assert found == []
    assert (totals.foreign, totals.links, totals.unreachable, totals.changed) == (1, 1, 2, 2)
    assert totals.objects == OBJECTS + 1


def test_an_etag_that_nobody_can_compute(filled: Path) -> None:
    damages.rewrite(filled / "bucket" / "plain", etag="0" * 32 + "-2")
    found, totals = scrubbed(filled)
    assert found == []
    assert totals.unverifiable == 1
    # A checksum of all bytes says as much.
    damages.rewrite(filled / "bucket" / "summed", etag="0" * 32 + "-2")
    assert scrubbed(filled)[1].unverifiable == 1
    damages.rewrite(filled / "bucket" / "summed", checksums={"CRC32": "AAAAAA=="})
    assert kinds(scrubbed(filled)[0]) == ["content-mismatch"]


def test_one_bucket(filled: Path) -> None:
    damages.damage_content(filled)
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


@pytest.mark.parametrize(
    ("prefix", "uploads"), [("", 2), ("under/", 1), ("within/", 1), ("within/under/w", 1), ("x", 0)]
)
def test_a_prefix_of_uploads(filled: Path, prefix: str, uploads: int) -> None:
    assert scrubbed(filled, "bucket", prefix=prefix.encode())[1].uploads == uploads


def test_what_has_not_changed_since_is_not_read(filled: Path) -> None:
    damages.damage_content(filled)
    border = max(
        os.lstat(path).st_ctime_ns for path in (filled / "bucket").rglob("*") if path.is_file()
    )
    found, totals = scrubbed(filled, since_ns=border + 1)
    assert found == []
    assert (totals.objects, totals.verified) == (OBJECTS, 0)
    assert kinds(scrubbed(filled, since_ns=border)[0]) == ["content-mismatch"]


def test_what_a_repair_need_not_know_is_not_read(filled: Path) -> None:
    damages.damage_content(filled)
    damages.restore_parts(filled)
    found, totals = scrubbed(filled, contents=False)
    assert kinds(found) == ["stale-stamp"]
    assert totals.verified == 1


class Enough(Exception):
    """The scrub was ended in its midst."""


def test_it_can_be_stopped_anywhere_and_go_on(filled: Path) -> None:
    for damage in (
        damages.damage_content,
        damages.wrong_composite,
        damages.two_directories,
        damages.empty_directory,
        damages.touch,
    ):
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
