"""Where scenes are played: stores made again and again, and what they must be afterwards."""

from __future__ import annotations

import functools
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import attrs

from s3daemon.store.interfaces import StorageError
from s3daemon.store.levels import Durability
from s3daemon.store.posix.durable import Hook
from s3daemon.store.posix.probe import probe
from s3daemon.store.posix.probed import SIDECAR, Probe
from s3daemon.store.posix.store import PosixStore
from s3daemon.wire.errors import S3Error
from tests.crash import oracle
from tests.crash.oracle import View, blocks, debris, look
from tests.crash.scenes import BUCKET, WITHIN, XATTR_BYTES, Scene, Told
from tests.support.actions import World

#: File systems: a full one, one without unnamed files, one that cannot rename to a free name, and
#: one without extended attributes.
KINDS: dict[str, dict[str, Any]] = {
    "unnamed": {},
    "named": {"tmpfile": False},
    "two steps": {"tmpfile": False, "noreplace": False},
    "sidecars": {"xattr_bytes": 0, "metadata": SIDECAR},
}


@functools.cache
def known(kind: str, directory: Path) -> Probe:
    """What a file system can do."""
    with tempfile.TemporaryDirectory(dir=directory) as root:
        return attrs.evolve(probe(Path(root)), **{"xattr_bytes": XATTR_BYTES, **KINDS[kind]})


class Stage:
    """A place for stores, one after the other.

    :ivar root: of the one there is.
    :ivar durability: of its buckets.
    :ivar probe: what the file system can do, as far as stores may know.
    """

    def __init__(
        self, path: Path, kind: str = "unnamed", durability: Durability = "strict"
    ) -> None:
        self._path = path
        self.durability = durability
        self.kind = kind
        self.probe = known(kind, path)
        self._count = 0
        self.root = path / "0"

    def clear(self, make: bool = True) -> Path:
        """Another root, empty, or not there yet."""
        shutil.rmtree(self.root, ignore_errors=True)
        self._count += 1
        self.root = self._path / str(self._count)
        if make:
            self.root.mkdir()
        return self.root

    @contextmanager
    def store(self, *hooks: Hook) -> Iterator[PosixStore]:
        """The store at the root."""
        made = open_store(self.root, self.probe, hooks, self.durability)
        try:
            yield made
        finally:
            made.close()


def open_store(
    root: Path, known: Probe, hooks: Sequence[Hook], durability: Durability = "strict"
) -> PosixStore:
    """As every process of these tests does it."""
    return PosixStore(root, durability, known=known, hooks=hooks)


@attrs.frozen
class Expected:
    """What a scene has to come to.

    :ivar blocks: what it takes on the device when all is over.
    """

    scene: Scene
    old: View
    new: View
    blocks: int

    @classmethod
    def of(cls, scene: Scene, stage: Stage) -> Expected:
        """Of a store to which nothing happens."""
        old, new = scene.states()
        stage.clear()
        with stage.store() as store:
            world, told = scene.prepare(store)
            scene.act(world, told)
            oracle.sweep(store)
        return cls(scene, old, new, blocks(stage.root))

    def wrong(self, stage: Stage, told: Told, acknowledged: bool, then: str) -> list[str]:
        """What is wrong with the store at the root, which is as a crash has left it.

        :param then: what is done with it: the request is made again (``again``), its uploads are
            completed (``finish``), or nothing (``sweep``); and at last it is swept.
        """
        with stage.store() as store:
            now = look(store, WITHIN)
            allowed = (self.new,) if acknowledged else (self.old, self.new)
            wrong = now.unexplained(*allowed)
            if self.scene.whole and not wrong and not now.is_one_of(*allowed):
                wrong.append("it is neither before nor after")
            if wrong:
                return wrong
            try:
                return self._go_on(stage, store, now, told, then)
            except (StorageError, S3Error) as error:
                return [f"{then}: {type(error).__name__}: {error}"]

    def _go_on(
        self, stage: Stage, store: PosixStore, now: View, told: Told, then: str
    ) -> list[str]:
        wrong: list[str] = []
        wanted = now
        if then == "again" and self.scene.again:
            self.scene.act(World(store), dict(told))
            wrong += [f"again: {one}" for one in look(store, WITHIN).unexplained(self.new)]
            wanted = self.new
        elif then == "finish":
            oracle.finish_uploads(store, (BUCKET, *WITHIN))
            wanted = look(store, WITHIN)
            wrong += [f"finish: {one}" for one in wanted.faults]
        oracle.sweep(store)
        kept = {item: seen for item, seen in wanted.items.items() if item[0] != "upload"}
        wrong += [f"sweep: {one}" for one in look(store, WITHIN).unexplained(View(kept))]
        left = debris(stage.root)
        if left.files:
            wrong.append(f"there is left {sorted(left.files)}")
        if then == "again" and self.scene.again and blocks(stage.root) > self.blocks:
            wrong.append(f"{blocks(stage.root)} blocks are used, and not {self.blocks}")
        return wrong


#: What :meth:`Expected.wrong` does with a store.
THEN = ("again", "finish", "sweep")
