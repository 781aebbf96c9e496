"""Clients at work on a daemon that is killed again and again, and a look at what is left each time.

The ledger is kept by the clients, outside of what is killed.  After each kill there is a new one,
in which what was found is what there is; so no loss can be excused by an older request.
"""

from __future__ import annotations

import itertools
import random
import threading
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import attrs

from s3daemon.store.posix import PosixStore
from tests.crash.ledger import Ledger, State, Subject, an_object, expected, wrong
from tests.crash.looking import disagreements, finish_uploads, look
from tests.crash.loop.daemon import Daemon, running
from tests.crash.loop.http_hands import HttpHands, Unanswered
from tests.crash.oracle import debris, sweep
from tests.crash.versions import OWNER, Version
from tests.crash.workload import BUCKET, Client, keys_of

#: Seconds from when clients begin to the kill: from, to.
_AFTER = (0.1, 3.0)
#: More than a client does in that time.
_MANY = 100_000


@attrs.define
class Tally:
    """What came out.

    :ivar ready: seconds from each start to the first answer.
    :ivar complaints: what was lost, half-made, or left lying about.
    """

    kills: int = 0
    requests: int = 0
    acknowledged: int = 0
    reads: int = 0
    ready: list[float] = attrs.field(factory=list)
    complaints: list[str] = attrs.field(factory=list)

    def __str__(self) -> str:
        ready = sorted(self.ready)
        return (
            f"{self.kills} kills, {self.requests} requests, {self.acknowledged} acknowledged, "
            f"{self.reads} reads; {len(self.complaints)} complaints; ready after "
            f"{ready[len(ready) // 2]:.1f} s (median), {ready[-1]:.1f} s (most)"
        )


class Loop:
    """The clients of a daemon.

    :param seed: what they do, and when it is killed; not how they meet.
    """

    def __init__(
        self, folder: Path, seed: int, workers: int, writers: int = 8, readers: int = 4
    ) -> None:
        self._root = folder / "root"
        self._root.mkdir()
        self._daemon = Daemon(folder, self._root, workers)
        self._seed = seed
        self._rng = random.Random(f"{seed} {workers}")
        self._workers = workers
        self._writers = range(writers)
        self._readers = range(readers)
        self._numbers = [itertools.count(one * 10_000_000) for one in self._writers]
        self._known: dict[Subject, State] = {}
        self.tally = Tally()

    def run(self, kills: int) -> Tally:
        """Let them work, and kill the daemon so many times."""
        with closing(PosixStore(self._root)) as store:
            store.buckets.create(BUCKET, OWNER)
        with running(self._daemon):
            for number in range(kills):
                self._round(number)
            self._daemon.stop()
        with closing(PosixStore(self._root)) as store:
            sweep(store)
        left = debris(self._root).files
        self.tally.complaints += [f"in the end {path} was left" for path in left]
        return self.tally

    def _round(self, number: int) -> None:
        ledger, over = Ledger(), threading.Event()
        ledger.settle(self._known)
        threads = [
            threading.Thread(target=self._write, args=(ledger, one, number, over))
            for one in self._writers
        ]
        threads += [
            threading.Thread(target=self._read, args=(ledger, f"{number} reader {one}", over))
            for one in self._readers
        ]
        for thread in threads:
            thread.start()
        time.sleep(self._rng.uniform(*_AFTER))
        one_worker = self._workers > 1 and self._rng.random() < 0.5
        if one_worker:
            self._daemon.kill_worker(self._rng.randrange(self._workers))
            time.sleep(self._rng.uniform(0, 0.5))
        else:
            self._daemon.kill()
        over.set()
        for thread in threads:
            thread.join()
        self.tally.kills += 1
        self.tally.requests += len(ledger.steps) - 1
        self.tally.acknowledged += len(ledger.acknowledged) - 1
        what = f"kill {number} ({'one worker' if one_worker else 'all'})"
        at_once = one_worker or self._rng.random() < 0.5
        if not one_worker and at_once:
            self.tally.ready.append(self._daemon.start())
        found = self._look(ledger, what, at_once)
        if not at_once:
            self.tally.ready.append(self._daemon.start())
        self.tally.complaints += [f"{what}: {text}" for text in self._ask(found)]
        self._known = {subject: state for subject, state in found.items() if state is not None}

    def _write(self, ledger: Ledger, number: int, turn: int, over: threading.Event) -> None:
        hands = HttpHands(self._daemon.port)
        rng = random.Random(f"{self._seed} {turn} {number}")
        client = Client(number, rng, hands, ledger, self._numbers[number])
        try:
            client.work(_MANY, over.is_set)
        except Unanswered:
            return  # what has become of that request is for the ledger to judge
        except Exception as error:
            self.tally.complaints.append(f"client {number}: {error!r}")
        finally:
            hands.close()

    def _read(self, ledger: Ledger, seed: str, over: threading.Event) -> None:
        """Whatever is read is what somebody has put, all of it."""
        hands, rng = HttpHands(self._daemon.port), random.Random(seed)
        try:
            while not over.is_set():
                key = rng.choice(keys_of(rng.choice(self._writers)))
                found = hands.get(BUCKET, key)
                self.tally.reads += 1
                if found is not None and found not in _put(ledger, key):
                    self.tally.complaints.append(f"{key!r} was read as {found}")
        except Unanswered:
            return
        except Exception as error:
            self.tally.complaints.append(f"reader of {key!r}: {error!r}")
        finally:
            hands.close()

    def _look(self, ledger: Ledger, what: str, runs: bool) -> dict[Subject, State]:
        """What is on the disk.

        :param runs: the daemon does.  What it tries out when it starts is not told from debris, and
            would be swept with it.
        """
        complaints = []
        wanted = expected(ledger.steps, lambda _: True, lambda n: n in ledger.acknowledged)
        with closing(PosixStore(self._root)) as store:
            keys = [an_object(BUCKET, key) for one in self._writers for key in keys_of(one)]
            found = look(store, {**dict.fromkeys(keys), **wanted.allowed})
            complaints += wrong(found, wanted)
            complaints += disagreements(store, BUCKET, found)
            complaints += finish_uploads(store, found)
            if not runs:
                sweep(store)
                complaints += [f"{path} was left" for path in debris(self._root).files]
            found = look(store, found)
        self.tally.complaints += [f"{what}: {text}" for text in complaints]
        return found

    def _ask(self, found: dict[Subject, State]) -> list[str]:
        """In what the daemon says something else."""
        complaints, hands = [], HttpHands(self._daemon.port)
        try:
            for (kind, bucket, key, _), state in found.items():
                if kind == "object" and bucket == BUCKET:
                    answer = hands.get(bucket, key)
                    if answer != _public(state):
                        complaints.append(f"{key!r} is served as {answer} and is {state}")
        finally:
            hands.close()
        return complaints


def _put(ledger: Ledger, key: str) -> Sequence[State]:
    """All versions that anybody has begun to put."""
    subject = an_object(BUCKET, key)
    return [_public(step.changes.get(subject)) for step in list(ledger.steps)]


def _public(state: State) -> State:
    """What a GET shows of it."""
    if not isinstance(state, Version):
        return state
    return attrs.evolve(state, tags=(), public=False)
