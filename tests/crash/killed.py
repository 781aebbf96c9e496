"""Scenes and races that somebody is killed in, and what is wrong with the store afterwards."""

from __future__ import annotations

from s3daemon.store.interfaces import StorageError
from s3daemon.wire.errors import S3Error
from tests.crash import oracle
from tests.crash.forker import Job
from tests.crash.killing import Child, Forker
from tests.crash.oracle import View, debris, look
from tests.crash.races import Race
from tests.crash.scenes import BUCKET, WITHIN, Scene
from tests.crash.stages import THEN, Expected, Stage

#: How many changes the first of a race makes after the second is done.
MORE = (0, 1, 2, 5)


def changes_of(stage: Stage, scene: Scene, forker: Forker) -> int:
    """How many changes the request makes."""
    stage.clear()
    return forker.play(Job(str(stage.root), stage.probe, scene.name)).changes


def wrong_after(
    stage: Stage,
    expected: Expected,
    forker: Forker,
    number: int,
    half: bool = False,
    broken: str = "",
) -> list[str] | None:
    """What is wrong when the process is killed before a change; None where it never was."""
    stage.clear()
    job = Job(
        str(stage.root),
        stage.probe,
        expected.scene.name,
        kill=number,
        half=half,
        broken=broken,
        durability=stage.durability,
    )
    child = forker.play(job)
    then = THEN[number % len(THEN)]
    wrong = expected.wrong(stage, child.told, child.done == "", then)
    if child.done is not None:
        return wrong or None
    return [f"before change {number}, half: {half}, {then}: {one}" for one in wrong]


def run(
    stage: Stage, race: Race, forker: Forker, pause: int, more: int, broken: str = ""
) -> Child | None:
    """The second, as it ended; None where the first had ended before it was to stand."""
    stage.clear()
    root = str(stage.root)
    job = Job(root, stage.probe, race.first.name, pause=pause, kill=pause + more, broken=broken)
    with forker.child(job) as first:
        if not first.wait_until_it_stands():
            return None
        job = Job(
            root,
            stage.probe,
            race.second.name,
            told=first.told,
            broken=broken,
            says_when_it_waits=True,
        )
        with forker.child(job) as second:
            second.wait_until_it_waits()
            first.go_on()
            first.wait()
            second.wait()
    return second


def wrong_with(stage: Stage, outcomes: list[tuple[str, View]], second: Child) -> list[str]:
    """What is wrong afterwards."""
    with stage.store() as store:
        now = look(store, WITHIN)
        if not any(second.done == done and now.is_one_of(view) for done, view in outcomes):
            return [f"answered {second.done!r}, and there is {now}"]
        try:
            oracle.finish_uploads(store, (BUCKET,))
            then = look(store, WITHIN)
            found = list(then.faults)
            oracle.sweep(store)
            kept = {item: seen for item, seen in then.items.items() if item[0] != "upload"}
            found += look(store, WITHIN).unexplained(View(kept))
        except (StorageError, S3Error) as error:
            return [f"{type(error).__name__}: {error}"]
        found += sorted(debris(stage.root).files)
        return found
