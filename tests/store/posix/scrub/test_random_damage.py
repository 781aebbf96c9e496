"""Whatever is damaged, a scrub comes to its end, and a repair leaves nothing repairable."""

from __future__ import annotations

import json
import os
import random
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from s3daemon.store.posix.records import ATTRIBUTE
from s3daemon.store.posix.scrub.repairing import Repairer, open_to_repair
from tests.store.posix.scrub.damages import DAMAGE, Damage
from tests.store.posix.scrub.tools import FUTURE, fill, poor_store, scrubbed
from tests.store.tools import get, listed

NAMES = [
    *("a", "plain", "parts", "new", "folder", ".s3gate%f+", ".s3gate%f+plain", ".s3gate%d+a"),
    *(".s3gate%F+" + "0" * 64, ".s3gate%D+" + "1" * 64, ".s3gate%x", ".s3gate"),
    *("_s3_multipart_tmp", "sealed", "publishing", "whole", "upload.json", "claim.00001"),
    *(".gone-" + "2" * 32, ".within-" + "3" * 32, "4" * 32, "own." + "5" * 32),
    os.fsdecode(b"\xff"),
]
VALUES: list[object] = [
    *(None, 0, -1, 1 << 70, "", "x", "\ud800", [], {}, [[]], [[1, 2]], [5, 6, 7], True, "0" * 32),
]
FIELDS = [
    *("v", "etag", "stamp", "parts", "upload", "checksums", "partsums", "sys", "meta", "tags"),
    *("owner", "name", "implicit", "object", "bucket", "spill", "acl"),
]

Spoil = Callable[[Path, random.Random], None]


def _somewhere(root: Path, chance: random.Random) -> Path:
    return chance.choice(sorted(root.rglob("*")))


def _raw_record(root: Path, chance: random.Random) -> None:
    os.setxattr(_somewhere(root, chance), ATTRIBUTE, chance.randbytes(chance.randrange(40)))


def _field(root: Path, chance: random.Random) -> None:
    path = _somewhere(root, chance)
    fields = json.loads(os.getxattr(path, ATTRIBUTE))
    fields[chance.choice(FIELDS)] = chance.choice(VALUES)
    os.setxattr(path, ATTRIBUTE, json.dumps(fields).encode())


def _no_record(root: Path, chance: random.Random) -> None:
    os.removexattr(_somewhere(root, chance), ATTRIBUTE)


def _record_of_another(root: Path, chance: random.Random) -> None:
    raw = os.getxattr(_somewhere(root, chance), ATTRIBUTE)
    os.setxattr(_somewhere(root, chance), ATTRIBUTE, raw)


def _bytes(root: Path, chance: random.Random) -> None:
    path = _somewhere(root, chance)
    if path.is_file():
        path.write_bytes(chance.randbytes(chance.choice((0, 5, 15))))


def _remove(root: Path, chance: random.Random) -> None:
    path = _somewhere(root, chance)
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink()


def _move(root: Path, chance: random.Random) -> None:
    path = _somewhere(root, chance)
    path.rename(path.with_name(chance.choice(NAMES)))


def _move_away(root: Path, chance: random.Random) -> None:
    path, to = _somewhere(root, chance), _somewhere(root, chance)
    if to.is_dir():
        path.rename(to / path.name)


def _add(root: Path, chance: random.Random) -> None:
    path = _somewhere(root, chance)
    new = (path if path.is_dir() else path.parent) / chance.choice(NAMES)
    kind = chance.randrange(4)
    if kind == 0:
        new.mkdir()
    elif kind == 1:
        new.symlink_to(_somewhere(root, chance))
    elif kind == 2:
        os.link(_somewhere(root, chance), new)
    else:
        new.write_bytes(b"hello")


SPOILS: list[Spoil] = [
    *(_raw_record, _field, _no_record, _record_of_another, _bytes, _remove, _move, _move_away),
    _add,
]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A root with one of everything, to be copied."""
    path = tmp_path_factory.mktemp("model") / "root"
    path.mkdir()
    store = poor_store(path)
    fill(store)
    store.close()
    yield path
    shutil.rmtree(path)


def _apply(root: Path, steps: list[tuple[Damage | Spoil, int]]) -> None:
    for step, seed in steps:
        # What was damaged before may not be there to be damaged.
        with suppress(OSError, ValueError, LookupError, TypeError):
            if step in SPOILS:
                step(root, random.Random(seed))  # type: ignore[call-arg]
            else:
                step(root)  # type: ignore[call-arg]


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    steps=st.lists(
        st.tuples(
            st.sampled_from([*(damage for damage, _ in DAMAGE), *SPOILS, *SPOILS]),
            st.integers(0, 1 << 32),
        ),
        min_size=1,
        max_size=12,
    ),
    copied=st.booleans(),
)
def test_any_damage(model: Path, steps: list[tuple[Damage | Spoil, int]], copied: bool) -> None:
    with tempfile.TemporaryDirectory(dir=model.parent) as directory:
        root = Path(directory) / "root"
        if copied:
            shutil.copytree(model, root, symlinks=True)
        else:
            root.mkdir()
            store = poor_store(root)
            fill(store)
            store.close()
        _apply(root, steps)
        _repair(root)
        left = [finding for finding in scrubbed(root)[0] if finding.kind.repair]
        assert left == []
        _read_all(root)


def _repair(root: Path) -> None:
    """As often as one repair uncovers what the next one can do."""
    for _ in range(8):
        found = [finding for finding in scrubbed(root)[0] if finding.kind.repair]
        if not found:
            return
        volume = open_to_repair(root)
        try:
            repairer = Repairer(volume, FUTURE)
            for finding in found:
                assert repairer.repair(finding) != "busy", finding
        finally:
            volume.close()


def _read_all(root: Path) -> None:
    """What is left can be listed and read."""
    store = poor_store(root)
    for info in store.buckets.list():
        for key in listed(store, info.name):
            get(store, info.name, key)
    store.close()
