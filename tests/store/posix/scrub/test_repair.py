"""What can be repaired is, nothing else is touched, and it may be ended anywhere."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from s3daemon.store.interfaces import NoSuchKey
from s3daemon.store.posix.durable import Hook
from s3daemon.store.posix.scrub import findings
from s3daemon.store.posix.scrub.findings import Finding
from s3daemon.store.posix.scrub.repairing import Outcome, Repairer, open_to_repair
from s3daemon.store.posix.store import PosixStore
from tests.store.posix.disks import CutAt, PowerCut, descriptors
from tests.store.posix.scrub import damages
from tests.store.posix.scrub.damages import DAMAGE, Damage, record, rewrite, upload_of
from tests.store.posix.scrub.tools import FUTURE, LONG, fill, kinds, poor_store, scrubbed
from tests.store.tools import content, get, listed, md5, put

REPAIRABLE = [
    (damage, expected)
    for damage, expected in DAMAGE
    if any(kind.repair for kind in findings.KINDS if kind.name == expected)
]


@pytest.fixture
def filled(root: Path) -> Path:
    """A root with one of everything in it, that nobody serves."""
    store = poor_store(root)
    fill(store)
    store.close()
    return root


def repair(
    root: Path, found: list[Finding], before_ns: int = FUTURE, *hooks: Hook
) -> list[Outcome]:
    """Repair what was found."""
    volume = open_to_repair(root, hooks)
    try:
        repairer = Repairer(volume, before_ns)
        return [repairer.repair(one) for one in found]
    finally:
        volume.close()


def contents(root: Path) -> dict[str, tuple[str, bytes]]:
    """What a client sees: ETags and contents of all keys."""
    store = poor_store(root)
    seen = {}
    for info in store.buckets.list():
        for key in listed(store, info.name):
            facts, data = get(store, info.name, key)
            seen[f"{info.name}/{key}"] = (facts.etag, data)
    store.close()
    return seen


def found_in(root: Path) -> list[Finding]:
    return scrubbed(root)[0]


@pytest.mark.parametrize(("damage", "expected"), REPAIRABLE)
def test_what_is_found_is_repaired(filled: Path, damage: Damage, expected: str) -> None:
    damage(filled)
    before = contents(filled)
    found = found_in(filled)
    open_before = descriptors()
    assert repair(filled, found) == ["repaired"]
    assert descriptors() == open_before
    assert found_in(filled) == []
    after = contents(filled)
    if expected == "stale-stamp":
        assert {key: data for key, (_, data) in before.items()} == {
            key: data for key, (_, data) in after.items()
        }
    else:
        assert after == before
    # It is not so any more.
    assert repair(filled, found) == ["gone"]


@pytest.mark.parametrize(("damage", "expected"), REPAIRABLE)
def test_it_may_be_ended_at_any_change(filled: Path, damage: Damage, expected: str) -> None:
    damage(filled)
    before = contents(filled)
    for number in range(100):
        cut = CutAt(number)
        found = found_in(filled)
        try:
            repair(filled, found, FUTURE, cut)
        except PowerCut:
            pass
        if expected != "stale-stamp":
            assert contents(filled) == before
        # What it was about to remove may be half removed.
        rest = {"gone-upload", "orphan-spill", "empty-directory"}
        assert set(kinds(found_in(filled))) <= {expected, *rest}
        if not cut.fired:
            break
    assert found_in(filled) == []


@pytest.mark.parametrize(
    "damage",
    [damage for damage, expected in REPAIRABLE if expected in damages.LEFTOVERS],
)
def test_what_is_young_by_then_is_left_alone(filled: Path, damage: Damage) -> None:
    damage(filled)
    found = found_in(filled)
    if found[0].kind.name in ("stale-pointer", "abandoned-seal"):
        return  # nobody holds the lock, or the bucket is gone: that is enough
    assert repair(filled, found, 1) == ["busy"]
    assert found_in(filled) == found


@pytest.mark.parametrize(
    "damage",
    [damage for damage, expected in DAMAGE if (damage, expected) not in REPAIRABLE],
)
def test_of_the_rest_nothing_can_be_repaired(filled: Path, damage: Damage) -> None:
    damage(filled)
    for one in found_in(filled):
        with pytest.raises(KeyError):
            repair(filled, [one])


def test_a_stamp_is_written_for_what_was_compared_only(filled: Path) -> None:
    plain = filled / "bucket" / "plain"
    damages.restore(filled)
    found = found_in(filled)
    plain.write_bytes(b"HELLO")
    assert repair(filled, found) == ["gone"]
    plain.write_bytes(b"hello")
    found = found_in(filled)
    rewrite(plain, etag=md5(b"HELLO"))
    assert repair(filled, found) == ["gone"]


def test_what_a_stamp_does_not_speak_of_stays(filled: Path) -> None:
    plain = filled / "bucket" / "plain"
    rewrite(plain, owner="bob", tags=[["k", "v"]])
    damages.restore(filled)
    found = found_in(filled)
    rewrite(plain, tags=[["k", "w"]])
    assert repair(filled, found) == ["repaired"]
    assert (record(plain)["owner"], record(plain)["tags"]) == ("bob", [["k", "w"]])
    assert record(plain)["etag"] == md5(b"hello")


def test_a_record_that_has_been_written_meanwhile_is_not_dropped(filled: Path) -> None:
    damages.damage_record(filled)
    found = found_in(filled)
    store = poor_store(filled)
    store.objects.set_tags("bucket", "plain", (("k", "v"),))
    store.close()
    assert repair(filled, found) == ["gone"]


def test_what_the_attribute_holds_is_kept(filled: Path) -> None:
    damages.lose_spill(filled)
    assert repair(filled, found_in(filled)) == ["repaired"]
    store = poor_store(filled)
    info = store.objects.stat("bucket", "long")
    store.close()
    assert (info.etag, info.owner) == (md5(b"hello"), "alice")
    assert info.attributes != LONG


def test_the_form_that_readers_see_stays(filled: Path) -> None:
    damages.two_files(filled)
    found = found_in(filled)
    # Until somebody has removed the other one.
    (filled / "bucket" / "plain").unlink()
    assert repair(filled, found) == ["gone"]
    store = poor_store(filled)
    assert content(store, "bucket", "plain") == b"old"
    store.close()


def test_a_form_that_has_come_since_stays(filled: Path) -> None:
    damages.two_files(filled)
    found = found_in(filled)
    hidden = filled / "bucket" / ".s3gate%f+plain"
    hidden.write_bytes(b"another")
    assert repair(filled, found) == ["gone"]
    assert hidden.read_bytes() == b"another"


@pytest.mark.parametrize(
    ("damage", "where"),
    [
        (damages.restore, "bucket/plain"),
        (damages.damage_record, "bucket/plain"),
        (damages.damage_record_of_directory, "bucket/folder"),
        (damages.seal, "UPLOAD"),
    ],
)
def test_who_holds_the_lock_goes_first(filled: Path, damage: Damage, where: str) -> None:
    damage(filled)
    found = found_in(filled)
    path = upload_of(filled) if where == "UPLOAD" else filled / where
    fd = os.open(path, os.O_RDONLY)
    fcntl.flock(fd, fcntl.LOCK_EX)
    assert repair(filled, found) == ["busy"]
    os.close(fd)
    assert repair(filled, found) == ["repaired"]


def test_an_upload_goes_on_when_its_seal_is_broken(filled: Path) -> None:
    damages.seal(filled)
    upload_id = upload_of(filled).name
    assert repair(filled, found_in(filled)) == ["repaired"]
    store = poor_store(filled)
    parts = store.uploads.list_parts("bucket", "under/way", upload_id, 0, 10).parts
    store.uploads.complete("bucket", "under/way", upload_id, [(parts[0].number, parts[0].etag)])
    assert content(store, "bucket", "under/way") == b"again"
    store.close()


def test_an_upload_that_has_begun_since_stays(filled: Path) -> None:
    damages.stateless(filled)
    found = found_in(filled)
    (upload_of(filled) / "upload.json").write_text("{}")
    assert repair(filled, found) == ["gone"]
    assert upload_of(filled).is_dir()


def test_a_content_that_has_got_its_record_stays(filled: Path) -> None:
    damages.orphan_own(filled)
    found = found_in(filled)
    upload = upload_of(filled)
    (upload / f"part.00009.1.0.{md5(b'')}.o{'0' * 32}").touch()
    assert repair(filled, found) == ["gone"]


def test_what_belongs_to_a_bucket_that_is_gone(filled: Path) -> None:
    damages.two_files(filled)
    found = found_in(filled)
    (filled / "bucket").rename(filled / "moved")
    assert repair(filled, found) == ["gone"]


@pytest.mark.parametrize(
    "change",
    [
        lambda bucket: (bucket / "plain").unlink(),
        lambda bucket: (bucket / "plain").rename(bucket / "elsewhere"),
    ],
)
def test_what_is_gone_is_gone(filled: Path, change: Callable[[Path], None]) -> None:
    damages.damage_record(filled)
    found = found_in(filled)
    change(filled / "bucket")
    assert repair(filled, found) == ["gone"]


def test_a_restored_store_is_as_it_was(filled: Path, tmp_path: Path) -> None:
    """A copy with all attributes has other inodes: no ETag is true until it is repaired."""
    before = contents(filled)
    copy = tmp_path / "copy"
    assert os.system(f"cp -a {filled} {copy}") == 0
    assert contents(copy) != before
    found = found_in(copy)
    assert set(kinds(found)) == {"stale-stamp"}
    assert set(repair(copy, found)) == {"repaired"}
    assert contents(copy) == before
    assert found_in(copy) == []


def test_without_locks_it_is_done_all_the_same(filled: Path) -> None:
    """No gateway judges before it replaces, then."""
    damages.two_files(filled)
    found = found_in(filled)
    volume = open_to_repair(filled)
    volume.locks.kind = ""
    assert Repairer(volume, FUTURE).repair(found[0]) == "repaired"
    volume.close()


def test_objects_are_not_lost_to_writers_at_work(filled: Path) -> None:
    """A gateway replaces the key while its hidden form is about to be removed."""
    damages.two_files(filled)
    found = found_in(filled)
    store = PosixStore(filled)
    put(store, "bucket", "plain", b"newest")
    assert repair(filled, found) == ["gone"]  # the gateway has removed it
    assert content(store, "bucket", "plain") == b"newest"
    store.objects.delete("bucket", "plain")
    with pytest.raises(NoSuchKey):
        store.objects.stat("bucket", "plain")
    store.close()


def test_every_kind_that_can_be_repaired_is_in_the_table() -> None:
    met = {expected for _, expected in REPAIRABLE}
    assert {kind.name for kind in findings.KINDS if kind.repair} - met == {"orphan-sidecar"}
