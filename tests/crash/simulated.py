"""Scenes on the simulated disk: played once, and then the power goes after every change."""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Iterable, Iterator

import attrs

from tests.crash.lossy import Crashes
from tests.crash.recorder import Log, Recorder, SyncFailed
from tests.crash.scenes import Scene, Told, outcome
from tests.crash.stages import THEN, Expected, Stage


@attrs.frozen
class Recorded:
    """A scene as it was played on a disk.

    :ivar begin: how many events there were before the request.
    :ivar answer: the name of the error, or "": it was acknowledged.
    """

    log: Log
    begin: int
    told: Told
    answer: str = ""

    @property
    def failed(self) -> bool:
        """Whether a sync has failed."""
        return any(isinstance(event, SyncFailed) for event in self.log.events)

    def points(self) -> list[int]:
        """Numbers of events after which the power can go; the last one is the acknowledgement."""
        return [self.begin, *sorted({end for _, end in self.log.calls if end > self.begin})]


def record(stage: Stage, scene: Scene, fail_sync: int = -1) -> Recorded:
    """Play a scene.

    :param fail_sync: the fsync of the request, from 0, that fails; -1 for none.
    """
    recorder = Recorder(stage.clear())
    try:
        with stage.store(recorder) as store:
            world, told = scene.prepare(store)
            begin = len(recorder.log.events)
            recorder.fail_sync = fail_sync
            answer = outcome(scene.act, world, told)
    finally:
        recorder.close()
    return Recorded(recorder.log, begin, told, answer)


@attrs.define
class Tried:
    """How much was tried.

    :ivar crashes: power cuts.
    :ivar states: different states that they left, each of which was looked at.
    """

    crashes: int = 0
    states: int = 0

    def say(self, what: str) -> None:
        """Where somebody collects figures, add these: a line in the file that is named there."""
        path = os.environ.get("S3GATE_CRASH_FIGURES")
        if path:
            with open(path, "a", encoding="utf-8") as file:
                file.write(f"{what}\t{self.crashes}\t{self.states}\n")


#: What is wrong with a store after a crash: ``judge(acknowledged, then)``.
Judge = Callable[[bool, str], Iterable[str]]


def violations(
    stage: Stage,
    recorded: Recorded,
    judge: Judge,
    seeds: range,
    share: float = 1.0,
    tried: Tried | None = None,
) -> Iterator[str]:
    """What is wrong after crashes, each of which is there at the root when it is judged.

    :param seeds: how chance decides what is left, at each point.
    :param share: of the points that are tried; the last one always is.
    """
    crashes, points = Crashes(recorded.log), recorded.points()
    tried = tried or Tried()
    chance = random.Random(len(points))
    seen: set[tuple[bool, int]] = set()
    for point in points:
        acknowledged = point == points[-1] and not recorded.answer
        if point != points[-1] and chance.random() >= share:
            continue
        for seed in seeds:
            tree = crashes.after(point, seed)
            tried.crashes += 1
            mark = acknowledged, hash(tuple(sorted(tree.items())))
            if mark in seen:
                continue
            seen.add(mark)
            tried.states += 1
            crashes.put(tree, stage.clear(make=False))
            then = THEN[len(seen) % len(THEN)]
            for wrong in judge(acknowledged, then):
                yield f"after {point} of {points[-1]} events, seed {seed}, {then}: {wrong}"


def judge_of(stage: Stage, expected: Expected, told: Told) -> Judge:
    """The judge of a scene: what was acknowledged is there, and nothing half-made is."""
    return lambda acknowledged, then: expected.wrong(stage, told, acknowledged, then)
