"""Power cuts where not all is synced: what ``data`` and ``relaxed`` lose, and what they do not.

On the level ``data`` the newest changes may be gone, those of earlier requests among them; but each
object is one that was put, whole, with its own metadata, and each part is.  On the level
``relaxed`` a power cut may do anything to what is new; the store goes on all the same.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from s3daemon.store.interfaces import BucketExists, InvalidPart, NoSuchUpload, StorageError
from s3daemon.store.levels import Durability
from s3daemon.wire.errors import S3Error
from tests.crash import oracle
from tests.crash.oracle import View, look
from tests.crash.scenes import BUCKET, BY_NAME, SCENES, WITHIN, Scene
from tests.crash.simulated import Tried, record, violations
from tests.crash.stages import Stage
from tests.store.tools import content, put

every_scene = pytest.mark.parametrize("scene", SCENES, ids=[scene.name for scene in SCENES])


def _wrong(stage: Stage, views: list[View], kept: list[bool]) -> Iterator[str]:
    """What is torn; and whether the last state is there is noted."""
    with stage.store() as store:
        now = look(store, WITHIN)
        kept.append(now.is_one_of(views[-1]))
        yield from now.unexplained(*views)
        try:
            oracle.finish_uploads(store, (BUCKET, *WITHIN), (InvalidPart, NoSuchUpload))
            yield from (f"finish: {one}" for one in look(store, WITHIN).faults)
            oracle.sweep(store)
        except (StorageError, S3Error) as error:
            yield f"{type(error).__name__}: {error}"


def _torn(path: Path, scene: Scene, seeds: range, share: float, tried: Tried) -> list[str]:
    stage, kept = Stage(path, durability="data"), list[bool]()
    views = scene.history()

    def judge(acknowledged: bool, then: str) -> Iterator[str]:
        return _wrong(stage, views, kept)

    return list(violations(stage, record(stage, scene), judge, seeds, share, tried))


@every_scene
def test_data_tears_nothing(tmp_path: Path, scene: Scene) -> None:
    assert _torn(tmp_path, scene, range(2), 0.05, Tried()) == []


@pytest.mark.crash
@every_scene
def test_data_never_tears_anything(tmp_path: Path, scene: Scene) -> None:
    tried = Tried()
    assert _torn(tmp_path, scene, range(50), 1.0, tried) == []
    tried.say("simulated power cuts, level data")


@every_scene
def test_relaxed_goes_on(tmp_path: Path, scene: Scene) -> None:
    """Whatever has become of what was there, others may put theirs, and the janitor sweeps."""
    stage = Stage(tmp_path, durability="relaxed")

    def judge(acknowledged: bool, then: str) -> Iterator[str]:
        with stage.store() as store:
            with suppress(BucketExists):
                store.buckets.create(BUCKET, "alice")
            put(store, BUCKET, "quite/another", b"new")
            oracle.sweep(store)
            if content(store, BUCKET, "quite/another") != b"new":
                yield "it is another one"

    assert list(violations(stage, record(stage, scene), judge, range(4), 0.0)) == []


@pytest.mark.parametrize(
    ("level", "name", "lost", "torn"),
    [
        ("strict", "over", False, False),
        ("data", "over", True, False),
        ("data", "tags", True, False),
        ("relaxed", "over", True, True),
    ],
)
def test_what_the_levels_lose(
    tmp_path: Path, level: Durability, name: str, lost: bool, torn: bool
) -> None:
    """They lose what they may lose: else they would be strict, or this would be no power cut."""
    stage, kept, scene = Stage(tmp_path, durability=level), list[bool](), BY_NAME[name]
    views = scene.history()

    def judge(acknowledged: bool, then: str) -> Iterator[str]:
        return _wrong(stage, views, kept)

    wrong = list(violations(stage, record(stage, scene), judge, range(40), 0.0))
    assert bool(wrong) == torn
    assert (not all(kept)) == lost
