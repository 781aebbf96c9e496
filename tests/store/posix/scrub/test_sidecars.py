"""A root whose records are in sidecars."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import attrs
import pytest

from s3daemon.store.posix import probed
from s3daemon.store.posix.durable import Disk
from s3daemon.store.posix.probe import probe
from s3daemon.store.posix.probed import SIDECAR
from s3daemon.store.posix.scrub.repairing import Repairer, open_to_repair
from s3daemon.store.posix.sidecars import path_of
from s3daemon.store.posix.store import PosixStore
from tests.store.posix.scrub import damages
from tests.store.posix.scrub.tools import FUTURE, OBJECTS, PARTS, fill, kinds, scrubbed
from tests.store.tools import get, md5, name_of


@pytest.fixture(params=[True, False], ids=["recorded", "not recorded"])
def filled(root: Path, request: pytest.FixtureRequest) -> Path:
    """One of everything."""
    with tempfile.TemporaryDirectory(dir=root.parent) as other:
        known = attrs.evolve(probe(Path(other)), metadata=SIDECAR, xattr_bytes=0)
    store = PosixStore(root, "relaxed", known=known)
    fill(store)
    if request.param:
        probed.record(Disk(), store._volume.fd, known)
    store.close()
    return root


def sidecar_of(root: Path, path: Path) -> Path:
    """Where the record of an entry is."""
    fd = os.open(path, os.O_RDONLY)
    name = name_of(fd)
    os.close(fd)
    return root / os.fsdecode(path_of(name))


def repair(root: Path) -> list[str]:
    """Repair what is found."""
    volume = open_to_repair(root)
    try:
        return [Repairer(volume, FUTURE).repair(one) for one in scrubbed(root)[0]]
    finally:
        volume.close()


def etag_of(root: Path, key: str) -> str:
    store = PosixStore(root, known=_known(root))
    etag = get(store, "bucket", key)[0].etag
    store.close()
    return etag


def _known(root: Path) -> probed.Probe | None:
    fd = os.open(root, os.O_RDONLY)
    try:
        return probed.recorded(fd)
    finally:
        os.close(fd)


def test_nothing_is_wrong(filled: Path) -> None:
    found, totals = scrubbed(filled, before_ns=1)
    assert found == []
    assert totals.verified == OBJECTS + PARTS
    assert repair(filled) == []


def test_a_root_without_the_directory_of_sidecars_can_be_looked_at(filled: Path) -> None:
    for bucket in ("bucket", "other"):
        (filled / bucket).rename(filled.parent / bucket)
    os.rename(filled / ".s3gate" / "records", filled.parent / "records")
    assert scrubbed(filled)[0] == []


def test_content(filled: Path) -> None:
    damages.damage_content(filled)
    assert kinds(scrubbed(filled)[0]) == ["content-mismatch"]


def test_a_damaged_sidecar_is_dropped(filled: Path) -> None:
    sidecar_of(filled, filled / "bucket" / "plain").write_bytes(b"{")
    assert kinds(scrubbed(filled)[0]) == ["damaged-record"]
    assert repair(filled) == ["repaired"]
    found, totals = scrubbed(filled)
    assert (found, totals.foreign) == ([], 1)


def test_a_damaged_sidecar_of_a_bucket_is_not(filled: Path) -> None:
    sidecar_of(filled, filled / "bucket").write_bytes(b"{")
    assert kinds(scrubbed(filled)[0]) == ["damaged-bucket"]


def test_a_file_without_its_sidecar_is_foreign(filled: Path) -> None:
    sidecar_of(filled, filled / "bucket" / "plain").unlink()
    found, totals = scrubbed(filled)
    assert (found, totals.foreign) == ([], 1)


def test_a_stale_stamp_is_written_anew(filled: Path) -> None:
    (filled / "bucket" / "plain").touch()
    assert kinds(scrubbed(filled)[0]) == ["stale-stamp"]
    assert repair(filled) == ["repaired"]
    assert scrubbed(filled)[0] == []
    assert etag_of(filled, "plain") == md5(b"hello")


def test_a_sidecar_that_is_nobodys_is_removed(filled: Path) -> None:
    sidecar = sidecar_of(filled, filled / "bucket" / "plain")
    (filled / "bucket" / "plain").unlink()
    assert scrubbed(filled, before_ns=1)[0] == []
    assert kinds(scrubbed(filled)[0]) == ["orphan-sidecar"]
    assert repair(filled) == ["repaired"]
    assert not sidecar.exists()
    assert scrubbed(filled)[0] == []
