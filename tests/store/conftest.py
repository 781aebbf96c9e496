"""The stores that the contract is checked on: the model, and those on disk."""

from __future__ import annotations

import functools
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import attrs
import pytest

from s3daemon.store.interfaces import IStore
from s3daemon.store.memory import MemoryStore
from s3daemon.store.posix.probe import probe
from s3daemon.store.posix.probed import SIDECAR, STAMPED, Probe


def _make(kind: str, root: Path) -> IStore:
    if kind == "memory":
        return MemoryStore()
    from s3daemon.store.posix import PosixStore

    root.mkdir()
    known = _known()
    if kind in (SIDECAR, STAMPED):
        known = attrs.evolve(known, metadata=kind, xattr_bytes=0)
    return PosixStore(root, known=known)


@functools.cache
def _known() -> Probe:
    """What the file system of the tests can do, tried once."""
    with tempfile.TemporaryDirectory() as root:
        return probe(Path(root))


@pytest.fixture(params=["memory", "posix", SIDECAR, STAMPED])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[IStore]:
    """An empty store."""
    root = tmp_path / "root"
    made = _make(request.param, root)
    yield made
    made.close()
    # Keys of a thousand levels are more than pytest's own cleaning can take.
    subprocess.run(["rm", "-rf", str(root)], check=True)


@pytest.fixture
def bucket(store: IStore) -> str:
    """The name of an empty bucket in it."""
    return store.buckets.create("bucket", "alice").name
