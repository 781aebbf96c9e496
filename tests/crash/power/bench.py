"""The bench: a store at work on a disk whose writes are logged, and judged after every power cut.

Marks in the log say when a step began, and when it was acknowledged; so for every point of the log
it is known what has to be there.
"""

from __future__ import annotations

import random
import subprocess
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path

import attrs

from s3daemon.store.posix import PosixStore
from s3daemon.store.posix.durable import Durability, Hook
from s3daemon.store.posix.probed import Probe
from tests.crash.hands import StoreHands
from tests.crash.ledger import Ledger, Mark, Step, an_object, expected, wrong
from tests.crash.looking import disagreements, finish_uploads, look, try_out
from tests.crash.oracle import debris, sweep
from tests.crash.power.device import BLOCK, Engine, NotMounted, logged, make_image, revived
from tests.crash.power.replay import Replay, copy_sparse
from tests.crash.power.writelog import Entry, Point, read
from tests.crash.workload import BUCKET, Client, keys_of

_BEGINS, _DONE = b"begins ", b"acknowledged "


@attrs.frozen
class Recording:
    """A run.

    :ivar base: the image before it.
    :ivar began: step -> how many entries the log had when it began.
    :ivar acknowledged: step -> how many it had when it was acknowledged.
    """

    engine: Engine
    base: Path
    log: Sequence[Entry]
    steps: Sequence[Step]
    began: dict[int, int]
    acknowledged: dict[int, int]
    probe: Probe

    @property
    def flushes(self) -> int:
        """How many flushes there are after the first step has begun."""
        return sum(entry.flush for entry in self.log[min(self.began.values()) :])


#: Works on a store below a directory, and says so in the ledger.
Work = Callable[[Path, Ledger], None]


def record(engine: Engine, folder: Path, work: Work) -> Recording:
    """Let a store work on a logged disk, beneath a folder that is there."""
    image, base, log = folder / "image", folder / "base", folder / "log"
    make_image(engine, image)
    copy_sparse(image, base)
    with logged(engine, image, log, folder) as disk:
        root = disk.path / "root"
        root.mkdir()
        with closing(PosixStore(root)) as store:
            probe = store.probe
            store.buckets.create(BUCKET, "alice")
        subprocess.run(["sync", "-f", str(root)], check=True)
        ledger = Ledger(_marking(disk.mark))
        work(root, ledger)
    entries = list(read(log))
    marks = _positions(entries, engine.size * 1024 * 1024)
    image.unlink()
    began = {step.number: marks[_BEGINS + b"%d" % step.number] for step in ledger.steps}
    done = {number: marks[_DONE + b"%d" % number] for number in ledger.acknowledged}
    return Recording(engine, base, entries, ledger.steps, began, done, probe)


def _marking(mark: Callable[[bytes], None]) -> Mark:
    return lambda begins, number: mark((_BEGINS if begins else _DONE) + b"%d" % number)


def _positions(log: Sequence[Entry], spare: int) -> dict[bytes, int]:
    """Where the marks are: how many entries there are up to each, with it.

    The kernel may make one write of several that are side by side.
    """
    return {
        entry.data[at : at + BLOCK].rstrip(b"\0"): count
        for count, entry in enumerate(log, 1)
        if entry.offset >= spare
        for at in range(0, len(entry.data), BLOCK)
    }


def clients(
    seed: int,
    count: int,
    each: int,
    durability: Durability = "strict",
    hooks: Callable[[], Sequence[Hook]] = lambda: (),
) -> Work:
    """Several clients of one store, at the same time, each with so much to do."""

    def work(root: Path, ledger: Ledger) -> None:
        with closing(PosixStore(root, durability, hooks=hooks())) as store:

            def run(number: int) -> None:
                rng = random.Random(f"{seed}-{number}")
                Client(number, rng, StoreHands(store), ledger).work(each)

            together(count, run)

    return work


def together(count: int, run: Callable[[int], None]) -> None:
    """Run it on so many threads; the first error is raised."""
    failed: list[BaseException] = []

    def noting(number: int) -> None:
        try:
            run(number)
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=noting, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failed:
        raise failed[0]


def points(recording: Recording, count: int, rng: random.Random) -> list[Point]:
    """Points of the run, in rising order: where something was acknowledged, where something was
    flushed, and anywhere; with all that was written by then, and with any part of it."""
    log = recording.log
    first, last = min(recording.began.values()), len(log)
    flushes = [at for at in range(first, last + 1) if log[at - 1].flush]
    answers = sorted(recording.acknowledged.values())
    chosen = set()
    while len(chosen) < count:
        where = rng.random()
        if where < 0.4:
            entries = rng.choice(answers)
        elif where < 0.6:
            entries = rng.choice(flushes)
        else:
            entries = rng.randint(first, last)
        seed = rng.randrange(2**32) if rng.random() < 0.6 else None
        chosen.add(Point(entries, seed))
    return sorted(chosen, key=lambda point: (point.entries, point.seed or -1))


@attrs.define
class Verdict:
    """What came out.

    :ivar points: how many power cuts.
    :ivar whole: those that have kept all that was written.
    :ivar losing: those after which something that was acknowledged is not there, or is wrong.
    :ivar complaints: all of them, with their points; of debris and disorder too.
    """

    points: int = 0
    whole: int = 0
    losing: int = 0
    complaints: list[str] = attrs.field(factory=list)

    def __str__(self) -> str:
        return (
            f"{self.points} power cuts, {self.points - self.whole} of them with a part of what was"
            f" not flushed; {self.losing} lose something; {len(self.complaints)} complaints"
        )


def judge(
    recording: Recording, chosen: Sequence[Point], folder: Path, lossy: bool = False
) -> Verdict:
    """Cut the power at each point, and look at what is left.

    :param lossy: what was acknowledged may be lost, for what there was before.
    """
    verdict = Verdict()
    base, image, mount = folder / "replayed", folder / "revived.image", folder / "revived"
    copy_sparse(recording.base, base)
    replay = Replay(base, recording.log, recording.engine.atom)
    for point in chosen:
        replay.image(point, image)
        verdict.points += 1
        verdict.whole += point.seed is None
        try:
            losses, rest = _after(recording, point, image, mount, lossy)
        except NotMounted as error:
            losses, rest = [], [f"the file system does not recover: {error}"]
        verdict.losing += bool(losses)
        verdict.complaints += [f"{point}: {text}" for text in rest]
    return verdict


def _after(
    recording: Recording, point: Point, image: Path, mount: Path, lossy: bool
) -> tuple[list[str], list[str]]:
    """What was lost, and what is wrong: that too, unless it may be lost."""
    never = len(recording.log) + 1
    strict, wanted = (
        expected(
            recording.steps,
            lambda number: recording.began[number] <= point.entries,
            lambda number: recording.acknowledged.get(number, never) <= point.entries,
            loses,
        )
        for loses in (False, lossy)
    )
    with revived(recording.engine, image, mount) as path:
        root = path / "root"
        # There is no second power cut, so nothing has to be synced.
        with closing(PosixStore(root, "relaxed", recording.probe)) as store:
            subjects = [an_object(BUCKET, key) for key in _all_keys(recording)]
            found = look(store, dict.fromkeys([*subjects, *wanted.allowed]))
            losses, rest = wrong(found, strict), wrong(found, wanted)
            if rest:
                return losses, rest
            rest = disagreements(store, BUCKET, found)
            rest += finish_uploads(store, found)
            rest += try_out(store, BUCKET, keys_of(0))
            sweep(store)
            rest += [f"{path} was left" for path in debris(root).files]
    return losses, rest


def _all_keys(recording: Recording) -> Iterator[str]:
    for step in recording.steps:
        for kind, bucket, key, _ in step.changes:
            if kind == "object" and bucket == BUCKET:
                yield key
