"""Lives of a store: requests of all kinds at random, by two gateways in turn, and what follows."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping

import attrs

from s3daemon.store.memory import MemoryStore
from tests.crash import oracle, scenes
from tests.crash.lossy import Crashes
from tests.crash.oracle import View, look
from tests.crash.recorder import Log, Recorder
from tests.crash.scenes import BUCKET, LARGE, SMALL, WITHIN, Step, Told, outcome
from tests.crash.simulated import Tried
from tests.crash.stages import Stage
from tests.support.actions import World

#: They get into each other's way: files that are to be directories, and folders.
KEYS = ("k", "k/x", "a/b/k", "a/b/z", "a/b/", "a//k")


@attrs.frozen
class Life:
    """What was done to a store.

    :ivar marks: number of events at each answer, and what there had to be by then.
    :ivar names: of uploads, by id.
    """

    log: Log
    marks: list[tuple[int, View]]
    names: Mapping[str, str]

    def allowed(self, point: int) -> list[View]:
        """What there may be after so many events: what was answered last, and what was under way
        then."""
        last = max(number for number, (at, _) in enumerate(self.marks) if at <= point)
        under_way = self.marks[last][0] < point
        return [view for _, view in self.marks[last : last + 1 + under_way]]


class Program:
    """Requests, one after the other, as chance says."""

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        self._count = 0
        self._uploads: list[tuple[str, str]] = []

    def next(self) -> Step:
        """The next one."""
        chance = self._chance
        self._count += 1
        key, text = chance.choice(KEYS), f"{self._count}"
        headers = chance.choice((SMALL, LARGE))
        kind = chance.randrange(14)
        if kind < 4:
            return scenes.put(key, chance.choice((text, text, "")), headers)
        if kind < 7:
            return scenes.delete(key)
        if kind == 7:
            return scenes.delete_many(*chance.sample(KEYS, 3))
        if kind == 8:
            return scenes.copy(chance.choice(KEYS), key, chance.choice((None, headers)))
        if kind == 9:
            return chance.choice((scenes.tag(key, text), scenes.grant(key, 40), scenes.tag("")))
        if kind == 10 or not self._uploads:
            self._uploads.append((f"u{text}", key))
            return scenes.begin(f"u{text}", key, headers)
        label, key = chance.choice(self._uploads)
        if kind == 11:
            return scenes.complete(label, key)
        if kind == 12 and chance.random() < 0.3:
            return scenes.abort(label, key)
        announced = chance.random() < 0.7
        return scenes.part(label, key, chance.randrange(1, 4), text, 1500, announced)


def live(stage: Stage, chance: random.Random, length: int) -> Life:
    """Live for so many requests; :raises AssertionError: the store is not what the model is."""
    model, wanted = World(MemoryStore()), Told()
    real = Told()
    recorder, program = Recorder(stage.clear()), Program(chance)
    marks = [(len(recorder.log.events), look(model.store, WITHIN))]
    try:
        with stage.store(recorder) as one, stage.store(recorder) as two:
            worlds = (World(one), World(two))
            for number in range(length):
                step = program.next() if number else scenes.make_bucket(BUCKET)
                answer = outcome(step, model, wanted)
                assert outcome(step, chance.choice(worlds), real) == answer
                view = look(model.store, WITHIN, _names(wanted))
                marks.append((len(recorder.log.events), view))
            assert look(two, WITHIN, _names(real)) == marks[-1][1]
    finally:
        recorder.close()
    return Life(recorder.log, marks, _names(real))


def _names(told: Told) -> dict[str, str]:
    return {upload_id: label for label, upload_id in told.items()}


def cut_short(
    stage: Stage, life: Life, chance: random.Random, cuts: int, tried: Tried
) -> Iterator[str]:
    """What is wrong when the power goes somewhere in a life, and once more in what follows."""
    crashes = Crashes(life.log)
    ends = [end for _, end in life.log.calls]
    for _ in range(cuts):
        point, seed = chance.choice(ends), chance.randrange(50)
        where = f"after {point} of {ends[-1]} events, seed {seed}"
        crashes.put(crashes.after(point, seed), stage.clear(make=False))
        tried.crashes += 1
        tried.states += 1
        with stage.store() as store:
            now = look(store, WITHIN, life.names)
        wrong = now.unexplained(*life.allowed(point))
        yield from (f"{where}: {one}" for one in wrong)
        if not wrong and chance.random() < 0.3:
            yield from (f"{where}, {one}" for one in _cut_again(stage, life, now, chance, tried))


def _cut_again(
    stage: Stage, life: Life, now: View, chance: random.Random, tried: Tried
) -> Iterator[str]:
    """The power goes while the janitor clears away what the first cut has left."""
    recorder = Recorder(stage.root)
    begin = len(recorder.log.events)
    try:
        with stage.store(recorder) as store:
            oracle.sweep(store)
            swept = look(store, WITHIN, life.names)
    finally:
        recorder.close()
    kept = {item: seen for item, seen in now.items.items() if item[0] != "upload"}
    yield from (f"swept: {one}" for one in swept.unexplained(View(kept)))
    crashes = Crashes(recorder.log)
    ends = [begin, *(end for _, end in recorder.log.calls if end > begin)]
    for _ in range(3):
        point, seed = chance.choice(ends), chance.randrange(50)
        crashes.put(crashes.after(point, seed), stage.clear(make=False))
        tried.crashes += 1
        tried.states += 1
        with stage.store() as store:
            for one in look(store, WITHIN, life.names).unexplained(now, swept):
                yield f"and in the sweep after {point} of {ends[-1]} events, seed {seed}: {one}"
