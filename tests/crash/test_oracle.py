"""The judge: it finds nothing where nothing is, and it finds what it is there for."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import attrs
import pytest

from s3daemon.store.interfaces import IStore, ListPage, ListQuery
from s3daemon.store.memory import MemoryStore
from s3daemon.store.posix.probe import probe
from s3daemon.store.posix.store import PosixStore
from tests.crash import oracle, scenes
from tests.crash.oracle import Debris, debris, look
from tests.crash.scenes import BUCKET, SCENES, WITHIN, XATTR_BYTES, Scene


@pytest.fixture
def root(tmp_path: Path) -> Path:
    path = tmp_path / "root"
    path.mkdir()
    return path


@pytest.fixture
def store(root: Path) -> Iterator[PosixStore]:
    made = PosixStore(root, known=attrs.evolve(probe(root), xattr_bytes=XATTR_BYTES))
    yield made
    made.close()


@pytest.mark.parametrize("scene", SCENES, ids=[scene.name for scene in SCENES])
def test_both_stores_come_to_the_same(store: PosixStore, root: Path, scene: Scene) -> None:
    """And each scene does something, twice over where it says so."""
    old, new = scene.states()
    assert old.faults == new.faults == ()
    assert (old.items != new.items) or scene.act is scenes.expire
    world, told = scene.prepare(store)
    assert look(store, WITHIN) == old
    scene.act(world, told)
    assert look(store, WITHIN) == new
    if scene.again:
        scene.act(world, told)
        assert look(store, WITHIN) == new
    oracle.sweep(store)
    assert debris(root) == Debris()


def _object(store: IStore, root: Path) -> Path:
    scenes.put("k", "old")(scenes.World(store), {})
    return root / BUCKET / "k"


@pytest.fixture
def file(store: PosixStore, root: Path) -> Path:
    """Of an object."""
    scenes.BY_NAME["new"].prepare(store)
    return _object(store, root)


def test_another_content(store: PosixStore, file: Path) -> None:
    st = file.stat()
    file.write_bytes(bytes(st.st_size))
    os.utime(file, ns=(st.st_mtime_ns, st.st_mtime_ns))
    faults = look(store).faults
    assert len(faults) == 2  # the checksum too
    assert "the ETag" in faults[0]


def test_a_record_of_another_content(store: PosixStore, file: Path) -> None:
    file.write_bytes(b"")
    assert "the ETag" in look(store).faults[0]


def test_parts_of_another_content(store: PosixStore, root: Path) -> None:
    scenes.BY_NAME["complete in place"].prepare(store)
    data = next((root / BUCKET / "_s3_multipart_tmp").rglob("data.*"))
    with open(data, "r+b") as opened:
        opened.write(b"x")
    assert look(store).faults == ()
    oracle.finish_uploads(store, (BUCKET, "never"))
    assert "the ETag" in look(store).faults[0]


class _Forgets:
    """A store whose listings do not tell of one key."""

    def __init__(self, store: IStore, **only: object) -> None:
        self._store = store
        self._only = only
        self.objects = self

    def __getattr__(self, name: str) -> object:
        return getattr(self._store, name, None) or getattr(self._store.objects, name)

    def list(self, bucket: str, query: ListQuery) -> ListPage:
        page = self._store.objects.list(bucket, query)
        if any(getattr(query, name) != value for name, value in self._only.items()):
            return page
        return attrs.evolve(page, objects=page.objects[1:])


def test_listings_that_differ() -> None:
    store = MemoryStore()
    world, told = scenes.BY_NAME["new"].prepare(store)
    scenes.put("k", "old")(world, told)
    assert look(store).faults == ()
    forgets = _Forgets(store, delimiter="/", max_keys=2)
    assert "max_keys=2" in look(forgets).faults[0]  # type: ignore[arg-type]
    assert look(_Forgets(store)).items.keys() == {("bucket", BUCKET)}  # type: ignore[arg-type]


def test_states_that_may_be() -> None:
    old, new = scenes.BY_NAME["over"].states()
    assert old.unexplained(old) == old.unexplained(new, old) == []
    assert len(old.unexplained(new)) == 1
    assert old.is_one_of(new, old)
    assert not old.is_one_of(new)
    two = attrs.evolve(new, items={**new.items, ("object", BUCKET, "other"): None})
    assert not two.is_one_of(old, new)
    assert attrs.evolve(old, faults=("wrong",)).unexplained(old) == ["wrong"]
    assert not attrs.evolve(old, faults=("wrong",)).is_one_of(old)


@pytest.mark.parametrize(
    "path", [".s3gate/staging/x", ".s3gate/spill/x", "_s3_multipart_tmp/x", "_s3_multipart_tmp/y/z"]
)
def test_debris(store: PosixStore, root: Path, path: str) -> None:
    scenes.BY_NAME["over a long record"].prepare(store)
    assert debris(root) == Debris()
    left = root / BUCKET / path
    left.parent.mkdir(parents=True, exist_ok=True)
    left.write_bytes(b"")
    assert debris(root).files


def test_debris_of_uploads(store: PosixStore, root: Path) -> None:
    _, told = scenes.BY_NAME["abort"].prepare(store)
    assert debris(root, told.values()) == Debris()
    assert debris(root).files == {f"{BUCKET}/_s3_multipart_tmp/{told['u']}"}


def test_debris_of_directories(store: PosixStore, root: Path) -> None:
    scenes.BY_NAME["new, deep"].prepare(store)
    assert debris(root) == Debris()
    (root / BUCKET / "a/z").unlink()
    (root / BUCKET / "other").mkdir()
    assert debris(root) == Debris(empty=frozenset({f"{BUCKET}/a"}))


def test_blocks(store: PosixStore, root: Path) -> None:
    scenes.BY_NAME["new, deep"].prepare(store)
    before = oracle.blocks(root)
    assert before >= 8
    (root / BUCKET / "more").write_bytes(b"x" * 5000)
    assert oracle.blocks(root) >= before + 8
