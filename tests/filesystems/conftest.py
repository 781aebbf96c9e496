"""Engines that several nodes of a cluster share, brought up on this machine and mounted twice.

Each mount has a client of its own, with caches of its own: it stands for a node.  What an engine
needs is in its script; a part that is missing skips its tests, with the reason.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import attrs
import pytest

from s3daemon.store.posix import PosixStore
from tests.filesystems.mounting import ENGINES, mounted


@attrs.frozen
class Nodes:
    """Two stores on one volume, each through a mount of its own."""

    a: PosixStore
    b: PosixStore
    path_a: Path
    path_b: Path


@pytest.fixture(scope="session", params=ENGINES)
def mounts(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Path, Path]]:
    """The two mounts of an engine's volume."""
    with mounted(request.param, tmp_path_factory.mktemp(request.param)) as here:
        yield here.path, here.folder / "b"


@pytest.fixture
def nodes(mounts: tuple[Path, Path], request: pytest.FixtureRequest) -> Iterator[Nodes]:
    """Two stores on one empty root of the volume, with a bucket named ``bucket``."""
    name = f"root-{abs(hash(request.node.nodeid)):x}"
    path_a, path_b = (mount / name for mount in mounts)
    path_a.mkdir()
    a, b = PosixStore(path_a), PosixStore(path_b)
    a.buckets.create("bucket", "alice")
    yield Nodes(a, b, path_a, path_b)
    a.close()
    b.close()
    subprocess.run(["rm", "-rf", str(path_a)], check=True)
